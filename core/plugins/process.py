"""Running of a plugin in its own process; its answer is untrusted bytes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from core import scratch, tracing
from core.database import require_none
from core.errors import FieldError, Invalid
from core.plugins.confinement import confinement
from core.plugins.errors import OtherVersionError, PluginFailed, PluginTimedOut
from core.plugins.exchange import MAX_REPLY, REPLY, REQUEST, read_bytes, write_json
from core.resilience import seconds_left

MEMORY_BYTES = 4 * 1024**3
FILE_BYTES = 512 * 1024**2
RUN_VARIABLE = "IIT_PLUGIN_RUN"
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
BAD_DATA = "BadDataError"
OF_THE_PROCESS = frozenset({"describe", "offers"})
"""Operations whose answers a process keeps."""

MAX_THREADS = 8
DEATH_SECONDS = 10
HOME = "home"
"""A folder in a run's folder, empty at first: home and temporary folder of the run."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one run.

    Attributes:
        seconds: wall-clock time until it is killed, with everything that it started.
        memory_bytes: address space.
        file_bytes: size of any file that it writes.
    """

    seconds: float
    memory_bytes: int = MEMORY_BYTES
    file_bytes: int = FILE_BYTES

    def to_json(self) -> dict[str, int]:
        """Return the limits as JSON. The processor time allows every thread to work until the time limit."""
        cpu_seconds = int(self.seconds * MAX_THREADS) + 10
        return {"memory_bytes": self.memory_bytes, "file_bytes": self.file_bytes, "cpu_seconds": cpu_seconds}


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """A folder that only the platform and the plugin's run can read, removed afterwards."""
    with scratch.temporary("iit-plugin-") as folder:
        yield folder


def run(folder: Path, plugin: str, request: Mapping[str, Any], limits: Limits) -> Any:  # noqa: ANN401 - any JSON
    """Run one operation of a plugin, and return its result.

    Args:
        folder: private folder with the operation's input files; its output files are left there.
        plugin: name for messages.
        request: operation, entry point and arguments, as JSON.
        limits: when to kill it.

    Raises:
        Invalid: the plugin rejected the data or a parameter.
        OtherVersionError: it was written for another version of the hooks.
        PluginTimedOut: it was killed at its time limit.
        PluginFailed: it raised, died, or gave no readable answer.
        TransactionOpenError: the caller has a transaction open.
    """
    require_none(f"plugin {plugin!r} was called")
    write_json(folder / REQUEST, request)
    operation = str(request.get("operation"))
    with tracing.span(f"plugin {plugin}", iit_plugin=plugin, iit_plugin_operation=operation):
        code = _run_to_end(folder, plugin, limits, _seconds(operation, limits))
        reply = _reply(folder, plugin, code)
    if reply.get("ok") is True:
        return reply.get("result")
    kind, message = str(reply.get("error"))[:80], str(reply.get("message"))[:300]
    if kind == BAD_DATA:
        detail = f"plugin {plugin!r} cannot use this: {message}"
        raise Invalid(detail, errors=[FieldError("params", message)])
    if kind == OtherVersionError.__name__:
        raise OtherVersionError(message)
    detail = f"plugin {plugin!r} failed: {kind}: {message}"
    raise PluginFailed(detail)


def _seconds(operation: str, limits: Limits) -> float:
    """Return the seconds of an operation: its limit, or what is left of the deadline of the request or job."""
    # What a plugin offers is asked once for all: a request without time must not leave the plugin out for good.
    return limits.seconds if operation in OF_THE_PROCESS else seconds_left(limits.seconds)


def _run_to_end(folder: Path, plugin: str, limits: Limits, seconds: float) -> int:
    token = uuid4().hex
    (folder / HOME).mkdir()
    with (folder / "output.log").open("wb") as log:
        confined = confinement(folder, limits.to_json(), python_path=python_path())
        process = subprocess.Popen(  # noqa: S603 - our own program, which confines itself before the plugin is imported
            [sys.executable, "-P", "-m", "core.processes.confined", confined.specification, "core.plugins.runner"],
            cwd=folder,
            env=environment_of(folder, token),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            return process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            detail = f"plugin {plugin!r} was stopped after {seconds:g} seconds"
            raise PluginTimedOut(detail) from None
        finally:
            kill_all(process, token)


def kill_all(process: subprocess.Popen[Any], token: str) -> None:
    """Kill a run with all that it started, and wait for the end of all."""
    _kill_group(process.pid)
    process.wait()
    _kill_strays(token)


def environment_of(folder: Path, token: str) -> dict[str, str]:
    """Return an environment with only the path of Python's modules: no address, no password, no key."""
    inherited = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    threads = str(min(os.cpu_count() or 1, MAX_THREADS))
    return {
        **inherited,
        "PYTHONPATH": os.pathsep.join(map(str, python_path())),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(folder / HOME),
        "TMPDIR": str(folder / HOME),
        # Each thread and arena reserves address space: keep both few, or the limit on memory strikes without cause.
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MALLOC_ARENA_MAX": "2",
        RUN_VARIABLE: token,
    }


def python_path() -> list[Path]:
    """Return the folders of Python's modules, in this process and in a plugin's."""
    return [Path(entry).resolve() for entry in sys.path if entry and Path(entry).exists()]


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _kill_strays(token: str) -> None:
    """Kill processes that left the group, such as daemons, and wait for the end of all that the run started.

    All of them have the run's token in their environment. A process may fork between being seen and being killed, so
    the search repeats until none is left. It stops after a while for one that cannot be killed because it waits on a
    device.
    """
    mark = f"{RUN_VARIABLE}={token}".encode()
    until = time.monotonic() + DEATH_SECONDS
    while _kill_marked(mark) and time.monotonic() < until:
        time.sleep(0.01)


def _kill_marked(mark: bytes) -> int:
    """Send SIGKILL to each process with this in its environment; return how many."""
    killed = 0
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in entry.read_bytes().split(b"\0"):
                killed += 1
                os.kill(int(entry.parent.name), signal.SIGKILL)
    return killed


def _reply(folder: Path, plugin: str, code: int) -> Mapping[str, Any]:
    try:
        reply = json.loads(read_bytes(folder / REPLY, most=MAX_REPLY))
    except FileNotFoundError:
        detail = f"plugin {plugin!r} ended without an answer ({_ending(code)})"
        raise PluginFailed(detail) from None
    except (OSError, ValueError, RecursionError) as error:
        detail = f"plugin {plugin!r} gave an answer that cannot be read"
        raise PluginFailed(detail) from error
    if not isinstance(reply, dict):
        detail = f"plugin {plugin!r} gave an answer that cannot be read"
        raise PluginFailed(detail)
    return reply


def _ending(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
    return f"exit status {code}"
