"""Processes of third-party plugins: one for each plugin and tenant, kept while it is used.

A process is killed at the deadline of a call, when it breaks the protocol, when it was idle for long, or when others
need its place. The next call starts a new one. A tenant has no more than ``MOST_PER_TENANT``: its next plugin takes the
place of its own idle one, or waits for its own. A plugin's models have a process of their own, with more memory.
"""

from __future__ import annotations

import atexit
import os
import time
from collections import OrderedDict
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Condition, Lock, Thread
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar
from uuid import UUID

from core.errors import Invalid
from core.metrics import Counter
from core.plugins import plugin_process
from core.plugins.errors import PluginBusy, PluginFailed
from core.plugins.plugin_process import PluginProcess
from core.plugins.process import MEMORY_BYTES, Limits, kill_all
from core.resilience import BreakerOpen, BreakerPolicy, BulkheadFull, DeadlinePassed, Dependency, guarded

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

CALL_SECONDS: Final = 10.0
START_SECONDS: Final = 30.0
MODEL_SECONDS: Final = 120.0
IDLE_SECONDS: Final = 300.0
MOST_PROCESSES: Final = 12
MOST_PER_TENANT: Final = 4
MATRIX_BYTES: Final = 64 * 1024**2
"""Most bytes of one matrix that a model gets; a larger one goes in pieces."""
BYTES_PER_INPUT_BYTE: Final = 8
"""Bytes of memory that a process gets for each byte of its data, because plugins copy the data."""
_LIFETIME: Final = Limits(seconds=900.0, memory_bytes=2 * 1024**3, file_bytes=4 * 1024**2)
"""Bounds of one process. Its processor time allows for a quarter of an hour of work; then it is started anew."""
_LIFETIME_OF_MODELS: Final = Limits(
    seconds=900.0, memory_bytes=MEMORY_BYTES + BYTES_PER_INPUT_BYTE * MATRIX_BYTES, file_bytes=2 * MATRIX_BYTES
)
_POLICY: Final = BreakerPolicy(
    failure_rate=0.6, calls=5, window_seconds=60, open_seconds=10.0, longest_open_seconds=300.0
)
CALLS: Final = Counter("iit_plugin_calls_total", "Calls of plugins, by plugin and outcome.", ("plugin", "outcome"))
PROCESSES: Final = Dependency(
    "plugin_processes",
    "Processes of third-party plugins. While one fails, its messages wait; others go on.",
    timeout=CALL_SECONDS + START_SECONDS,
    at_once=4,
    at_once_per_tenant=4,
    breaker=_POLICY,
    by_instance=True,
)
MODELS: Final = Dependency(
    "plugin_models",
    "Processes of third-party models. While one fails, another model of the partner scores.",
    timeout=2 * MODEL_SECONDS,
    at_once=16,
    at_once_per_tenant=16,
    breaker=_POLICY,
    by_instance=True,
)


class Host(NamedTuple):
    """Which process: of a plugin, for a tenant, and whether for its models."""

    plugin: str
    tenant_id: UUID
    models: bool = False


_lock = Lock()
_freed = Condition(_lock)
_processes: OrderedDict[Host, PluginProcess] = OrderedDict()
_orders: SimpleQueue[tuple[Future[PluginProcess | None], Callable[[], PluginProcess | None]]] = SimpleQueue()
_starter: Thread | None = None
_starter_pid = 0


def run_in_process(host: Host, work: Callable[[PluginProcess], T]) -> T:
    """Give a plugin's process to some work, alone and guarded. Return what the work returns.

    Args:
        host: which process.
        work: asks the process; it raises what :meth:`PluginProcess.ask` raises, or ``Invalid`` for data that the
            plugin rejected.

    Raises:
        PluginBusy: too many calls of the plugin, or of others, are under way.
        PluginFailed: the work failed; or the plugin failed so often that it is not called for a while.
        Invalid: as the work.
    """
    plugin, tenant_id, models = host
    dependency = MODELS if models else PROCESSES
    try:
        with guarded(dependency, instance=f"{plugin} {tenant_id}", tenant=tenant_id, harmless=(BulkheadFull, Invalid)):
            process = _take(host)
            try:
                return work(process)
            finally:
                _give_back(host, process, usable=process.is_usable())
    except (BulkheadFull, DeadlinePassed) as error:
        detail = f"plugin {plugin!r} has no free process: {type(error).__name__}"
        raise PluginBusy(detail) from None
    except BreakerOpen as error:
        detail = f"plugin {plugin!r} is not called for a while: {type(error).__name__}"
        raise PluginFailed(detail) from None


def end_all() -> None:
    """End every process, such as after a change of what is installed. Calls that are under way fail."""
    with _lock:
        processes = [*_processes.values()]
        free = [process for process in processes if not process.busy]
        _processes.clear()
        _freed.notify_all()
    for process in processes:
        kill_all(process.child, process.token)
    for process in free:
        process.end()


def running() -> list[Host]:
    """Return plugin and tenant of each process, the one that was not used for the longest time first."""
    with _lock:
        return list(_processes)


def _take(host: Host) -> PluginProcess:
    """Return the process of a plugin and a tenant for the caller alone; wait for it, or start one if there is none.

    Raises:
        PluginFailed: it cannot be started.
        BulkheadFull: it was busy or did not start for too long, or all processes that may be are busy.
    """
    until = time.monotonic() + (MODEL_SECONDS if host.models else START_SECONDS)
    while True:
        with _lock:
            process = _processes.get(host)
            if process is not None and process.busy:
                if not _freed.wait(until - time.monotonic()):
                    raise _none_free(host)
                continue
            if process is not None and process.child.poll() is None:
                _processes.move_to_end(host)
                process.busy = True
                return process
            if process is None and not _has_place(host.tenant_id):
                if not _freed.wait(until - time.monotonic()):
                    raise _none_free(host)
                continue
        process = _ordered(host, until)
        if process is not None:
            return process


def _give_back(host: Host, process: PluginProcess, *, usable: bool) -> None:
    """Let others use a process; end it if it is not usable, or was removed meanwhile."""
    with _lock:
        registered = _processes.get(host) is process
        if registered and not usable:
            del _processes[host]
        if registered and usable:
            process.busy, process.used_at = False, time.monotonic()
        _freed.notify_all()
    if not (registered and usable):
        process.end()


def _ordered(host: Host, until: float) -> PluginProcess | None:
    """Return a new process, as ``_take`` does; None if another thread has one."""
    # One thread starts them all: the system kills a child when the thread that started it ends.
    order: Future[PluginProcess | None] = Future()
    _orders.put((order, lambda: _started(host)))
    _have_starter()
    try:
        try:
            return order.result(timeout=max(0.0, until - time.monotonic()))
        except BaseException:
            if not order.cancel():  # it may still give a process, which nobody would free
                order.add_done_callback(lambda done: _give_back_unused(host, done))
            raise
    except TimeoutError:
        raise _none_free(host) from None
    except (OSError, ValueError) as error:
        detail = f"the process of plugin {host.plugin!r} cannot be started: {type(error).__name__}"
        raise PluginFailed(detail) from None


def _give_back_unused(host: Host, order: Future[PluginProcess | None]) -> None:
    process = order.result() if order.exception() is None else None
    if process is not None:
        _give_back(host, process, usable=True)


def _of_tenant(tenant_id: UUID) -> list[Host]:
    return [host for host in _processes if host.tenant_id == tenant_id]


def _has_place(tenant_id: UUID) -> bool:
    """Return whether a tenant may have a further process, if need be in place of an idle one of its own."""
    own = _of_tenant(tenant_id)
    return len(own) < MOST_PER_TENANT or not all(_processes[host].busy for host in own)


def _started(host: Host) -> PluginProcess | None:
    with _lock:
        present = _processes.get(host)
        if present is not None and present.busy:
            return None
        if present is not None and present.child.poll() is None:
            present.busy = True
            return present
        ended = [] if present is None else [_processes.pop(host)]
        if not _has_place(host.tenant_id):
            return None
        while (own := _of_tenant(host.tenant_id)) and len(own) >= MOST_PER_TENANT:
            ended.append(_processes.pop(next(each for each in own if not _processes[each].busy)))
        while len(_processes) >= MOST_PROCESSES:
            free = next((each for each, other in _processes.items() if not other.busy), None)
            if free is None:
                detail = f"all {MOST_PROCESSES} processes of plugins are busy"
                raise BulkheadFull(detail)
            ended.append(_processes.pop(free))
    for process in ended:
        process.end()
    process = _start(host)
    with _lock:
        _processes[host] = process
    return process


def _start(host: Host) -> PluginProcess:
    return plugin_process.start(host.plugin, _LIFETIME_OF_MODELS if host.models else _LIFETIME)


def _have_starter() -> None:
    global _starter, _starter_pid  # noqa: PLW0603 - one thread per process
    with _lock:
        if _starter is None or not _starter.is_alive() or _starter_pid != os.getpid():
            _starter_pid = os.getpid()
            _starter = Thread(target=_start_and_reap, name="plugin-processes", daemon=True)
            _starter.start()
            atexit.register(end_all)


def _start_and_reap() -> None:
    while True:
        try:
            order, start = _orders.get(timeout=IDLE_SECONDS / 10)
        except Empty:
            end_idle(IDLE_SECONDS)
            continue
        if not order.set_running_or_notify_cancel():
            continue
        try:
            order.set_result(start())
        except Exception as error:  # noqa: BLE001 - the caller gets it
            order.set_exception(error)


def end_idle(seconds: float) -> None:
    """End the processes that were not used for so many seconds."""
    with _lock:
        idle = [
            host
            for host, process in _processes.items()
            if time.monotonic() - process.used_at >= seconds and not process.busy
        ]
        ended = [_processes.pop(host) for host in idle]
    for process in ended:
        process.end()


def _none_free(host: Host) -> BulkheadFull:
    detail = f"plugin {host.plugin!r} had no free process in time"
    return BulkheadFull(detail)
