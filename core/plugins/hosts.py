"""Processes of third-party plugins: one for each plugin and tenant, kept while it is used.

A process gets a line of JSON and answers with one, and is killed at the deadline of a call, when it breaks that rule,
when it was idle for long, or when others need its place. The next call starts a new one. A tenant has no more than
``MOST_PER_TENANT``: its next plugin takes the place of its own idle one, or waits for its own.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Condition, Lock, Thread
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

from core import scratch
from core.plugins.confinement import confinement
from core.plugins.errors import CallFailedError, PluginBusy, PluginFailed, PluginTimedOut
from core.plugins.process import Limits, environment_of, kill_all, python_path
from core.plugins.wire import MOST_BYTES
from core.resilience import BreakerOpen, BreakerPolicy, BulkheadFull, DeadlinePassed, Dependency, guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.plugins.catalogue import Offer

CALL_SECONDS: Final = 10.0
START_SECONDS: Final = 30.0
IDLE_SECONDS: Final = 300.0
MOST_PROCESSES: Final = 12
MOST_PER_TENANT: Final = 4
_LIFETIME: Final = Limits(seconds=900.0, memory_bytes=2 * 1024**3, file_bytes=4 * 1024**2)
"""Bounds of one process. Its processor time allows for a quarter of an hour of work; then it is started anew."""
_OUTPUT: Final = 4_000
PROCESSES: Final = Dependency(
    "plugin_processes",
    "Processes of third-party plugins. While one fails, its messages wait; others go on.",
    timeout=CALL_SECONDS + START_SECONDS,
    at_once=4,
    at_once_per_tenant=4,
    breaker=BreakerPolicy(failure_rate=0.6, calls=5, window_seconds=60, open_seconds=10.0, longest_open_seconds=300.0),
    by_instance=True,
)


@dataclass
class _Process:
    """A plugin's process.

    Attributes:
        busy: whether a thread has it. Only that thread may read, write or end it, and only under the registry's lock
            does a process become busy or free.
    """

    plugin: str
    child: subprocess.Popen[bytes]
    folder: Path
    token: str
    closing: contextlib.ExitStack
    busy: bool = True
    used_at: float = field(default_factory=time.monotonic)
    answered: bool = False
    buffer: bytearray = field(default_factory=bytearray)

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Send one request and return the reply.

        Raises:
            PluginTimedOut: none came in time.
            PluginFailed: the process ended, or gave something that is no reply.
        """
        line, until = json.dumps(request).encode() + b"\n", time.monotonic() + seconds
        try:
            self._write(line, until)
            reply = self._read(until)
        except (OSError, ValueError):
            raise _ended(self.plugin) from None
        try:
            decoded = json.loads(reply)
        except (ValueError, RecursionError):
            decoded = None
        if not isinstance(decoded, dict) or decoded.get("id") != request["id"]:
            detail = f"plugin {self.plugin!r} gave an answer that cannot be read"
            raise PluginFailed(detail)
        self.answered, self.used_at = True, time.monotonic()
        return decoded

    def output(self) -> str:
        """Return the end of what the process wrote."""
        with contextlib.suppress(OSError), (self.folder / "output.log").open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _OUTPUT))
            return log.read(_OUTPUT).decode("utf-8", "replace").replace("\x00", "")
        return ""

    def output_is_full(self) -> bool:
        """Return whether the process may soon write no more, which would break what it prints."""
        with contextlib.suppress(OSError):
            return (self.folder / "output.log").stat().st_size > _LIFETIME.file_bytes // 2
        return False

    def end(self) -> None:
        """Kill the process with all that it started, and remove its folder."""
        kill_all(self.child, self.token)
        for pipe in (self.child.stdin, self.child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self.closing.close()

    def _write(self, line: bytes, until: float) -> None:
        pipe = self.child.stdin.fileno()  # type: ignore[union-attr]  # it was opened with the process
        while line:
            if not select.select([], [pipe], [], max(0.0, until - time.monotonic()))[1]:
                raise _late(self.plugin)
            line = line[os.write(pipe, line[: select.PIPE_BUF]) :]

    def _read(self, until: float) -> bytes:
        pipe = self.child.stdout.fileno()  # type: ignore[union-attr]  # as above
        while b"\n" not in self.buffer:
            if len(self.buffer) > 2 * MOST_BYTES:
                detail = f"plugin {self.plugin!r} gave an answer without an end"
                raise PluginFailed(detail)
            if not select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
                raise _late(self.plugin)
            piece = os.read(pipe, 65_536)
            if not piece:
                raise _ended(self.plugin)
            self.buffer += piece
        line, _, rest = bytes(self.buffer).partition(b"\n")
        self.buffer = bytearray(rest)
        return line


_lock = Lock()
_freed = Condition(_lock)
_processes: OrderedDict[tuple[str, UUID], _Process] = OrderedDict()
_orders: SimpleQueue[tuple[Future[_Process | None], Callable[[], _Process | None]]] = SimpleQueue()
_starter: Thread | None = None
_starter_pid = 0


def call_in_process(offer: Offer, tenant_id: UUID, method: str, arguments: list[Any]) -> Any:  # noqa: ANN401 - JSON
    """Call a method of a third-party offer in the plugin's process of the tenant. Return what it gave, unchecked.

    Raises:
        PluginBusy: too many of its calls, or of other plugins', are under way.
        PluginTimedOut: it was killed at its deadline.
        PluginFailed: it raised, ended or gave no answer; or it failed so often that it is not called for a while.
    """
    plugin = offer.point.name
    request = {
        "id": uuid4().hex,
        "plugin": plugin,
        "reference": offer.point.value,
        "kind": offer.kind,
        "name": offer.name,
        "method": method,
        "arguments": arguments,
    }
    try:
        with guarded(PROCESSES, instance=f"{plugin} {tenant_id}", tenant=tenant_id, harmless=(BulkheadFull,)):
            return _answer_of(plugin, tenant_id, request)
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


def running() -> list[tuple[str, UUID]]:
    """Return plugin and tenant of each process, the one that was not used for the longest time first."""
    with _lock:
        return list(_processes)


def _answer_of(plugin: str, tenant_id: UUID, request: dict[str, Any]) -> Any:  # noqa: ANN401
    key = (plugin, tenant_id)
    process, usable = _take(key), False
    try:
        try:
            reply = process.ask(request, CALL_SECONDS if process.answered else START_SECONDS)
        except PluginTimedOut:
            raise
        except PluginFailed as error:
            raise CallFailedError(error.detail, process.output()) from None
        output = process.output() if reply.get("ok") is not True else ""
        usable = not process.output_is_full()
    finally:
        _give_back(key, process, usable=usable)
    if reply.get("ok") is True:
        return reply.get("result")
    detail = f"plugin {plugin!r} failed: {str(reply.get('error'))[:80]}: {str(reply.get('message'))[:300]}"
    raise CallFailedError(detail, output)


def _take(key: tuple[str, UUID]) -> _Process:
    """Return the process of a plugin and a tenant for the caller alone; wait for it, or start one if there is none.

    Raises:
        PluginFailed: it cannot be started.
        BulkheadFull: it was busy or did not start for too long, or all processes that may be are busy.
    """
    until = time.monotonic() + START_SECONDS
    while True:
        with _lock:
            process = _processes.get(key)
            if process is not None and process.busy:
                if not _freed.wait(until - time.monotonic()):
                    raise _none_free(key[0])
                continue
            if process is not None and process.child.poll() is None:
                _processes.move_to_end(key)
                process.busy = True
                return process
            if process is None and not _has_place(key[1]):
                if not _freed.wait(until - time.monotonic()):
                    raise _none_free(key[0])
                continue
        process = _ordered(key, until)
        if process is not None:
            return process


def _give_back(key: tuple[str, UUID], process: _Process, *, usable: bool) -> None:
    """Let others use a process; end it if it is not usable, or was removed meanwhile."""
    with _lock:
        registered = _processes.get(key) is process
        if registered and not usable:
            del _processes[key]
        if registered and usable:
            process.busy, process.used_at = False, time.monotonic()
        _freed.notify_all()
    if not (registered and usable):
        process.end()


def _ordered(key: tuple[str, UUID], until: float) -> _Process | None:
    """Return a new process, as ``_take`` does; None if another thread has one."""
    # One thread starts them all: the system kills a child when the thread that started it ends.
    order: Future[_Process | None] = Future()
    _orders.put((order, lambda: _started(key)))
    _have_starter()
    try:
        try:
            return order.result(timeout=max(0.0, until - time.monotonic()))
        except BaseException:
            if not order.cancel():  # it may still give a process, which nobody would free
                order.add_done_callback(lambda done: _give_back_unused(key, done))
            raise
    except TimeoutError:
        raise _none_free(key[0]) from None
    except (OSError, ValueError) as error:
        detail = f"the process of plugin {key[0]!r} cannot be started: {type(error).__name__}"
        raise PluginFailed(detail) from None


def _give_back_unused(key: tuple[str, UUID], order: Future[_Process | None]) -> None:
    process = order.result() if order.exception() is None else None
    if process is not None:
        _give_back(key, process, usable=True)


def _of_tenant(tenant_id: UUID) -> list[tuple[str, UUID]]:
    return [key for key in _processes if key[1] == tenant_id]


def _has_place(tenant_id: UUID) -> bool:
    """Return whether a tenant may have a further process, if need be in place of an idle one of its own."""
    own = _of_tenant(tenant_id)
    return len(own) < MOST_PER_TENANT or not all(_processes[key].busy for key in own)


def _started(key: tuple[str, UUID]) -> _Process | None:
    with _lock:
        present = _processes.get(key)
        if present is not None and present.busy:
            return None
        if present is not None and present.child.poll() is None:
            present.busy = True
            return present
        ended = [] if present is None else [_processes.pop(key)]
        if not _has_place(key[1]):
            return None
        while (own := _of_tenant(key[1])) and len(own) >= MOST_PER_TENANT:
            ended.append(_processes.pop(next(each for each in own if not _processes[each].busy)))
        while len(_processes) >= MOST_PROCESSES:
            free = next((each for each, other in _processes.items() if not other.busy), None)
            if free is None:
                detail = f"all {MOST_PROCESSES} processes of plugins are busy"
                raise BulkheadFull(detail)
            ended.append(_processes.pop(free))
    for process in ended:
        process.end()
    process = _start(key[0])
    with _lock:
        _processes[key] = process
    return process


def _start(plugin: str) -> _Process:
    closing = contextlib.ExitStack()
    folder = closing.enter_context(scratch.temporary("iit-plugin-"))
    token = uuid4().hex
    try:
        confined = confinement(folder, _LIFETIME.to_json(), python_path=python_path())
        log = closing.enter_context((folder / "output.log").open("wb"))
        child = subprocess.Popen(  # noqa: S603 - our own program, which confines itself before the plugin is imported
            [sys.executable, "-P", "-m", "core.processes.confined", confined.specification, "core.plugins.host_runner"],
            cwd=folder,
            env=environment_of(folder, token),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
        os.set_blocking(child.stdin.fileno(), False)  # type: ignore[union-attr]  # it was opened with the process
    except BaseException:
        closing.close()
        raise
    return _Process(plugin, child, folder, token, closing)


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
            key
            for key, process in _processes.items()
            if time.monotonic() - process.used_at >= seconds and not process.busy
        ]
        ended = [_processes.pop(key) for key in idle]
    for process in ended:
        process.end()


def _late(plugin: str) -> PluginTimedOut:
    detail = f"plugin {plugin!r} was stopped after {CALL_SECONDS:g} seconds"
    return PluginTimedOut(detail)


def _none_free(plugin: str) -> BulkheadFull:
    detail = f"plugin {plugin!r} had no free process for {START_SECONDS:g} seconds"
    return BulkheadFull(detail)


def _ended(plugin: str) -> PluginFailed:
    detail = f"plugin {plugin!r} ended without an answer"
    return PluginFailed(detail)
