"""Python processes for tests that begin in milliseconds: forks of a process that has imported the platform.

``start`` is ``subprocess.Popen`` for a script of the tests or the command ``iit``; ``shim`` writes an ``iit`` that
shells can call. A fork has its own environment, folder and pipes, and reads its settings itself. What a test promises
about a newly started interpreter, it starts as users do.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT: Final = Path(__file__).resolve().parents[1]
IIT: Final = "iit"
"""In place of a script: the command of the platform."""

_SHIM: Final = """#!{python} -ISE
import os, signal, socket, struct, sys
import json
with socket.socket(socket.AF_UNIX) as line:
    line.connect({address!r})
    asked = json.dumps([["iit", *sys.argv[1:]], dict(os.environ), os.getcwd()]).encode()
    socket.send_fds(line, [struct.pack("!I", len(asked))], [0, 1, 2])
    line.sendall(asked)
    answers = line.makefile("rb")
    child = int(answers.readline())
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: os.kill(child, number))
    status = int(answers.readline())
sys.exit(status if status >= 0 else 128 - status)
"""


class Process:
    """A fork of the zygote, with what ``subprocess.Popen`` has of methods."""

    def __init__(
        self, words: Sequence[str], env: Mapping[str, str], stdout: int | None, stderr: int, *, text: bool
    ) -> None:
        self.returncode: int | None = None
        self.stdout: IO[Any] | None = None
        reading, writing = os.pipe() if stdout == subprocess.PIPE else (-1, os.dup(1 if stdout is None else stdout))
        try:
            self._line = socket.socket(socket.AF_UNIX)
            self._line.connect(_address())
            _ask(self._line, [0, writing, stderr], words, env, str(Path.cwd()))
        finally:
            os.close(writing)
        if reading >= 0:
            self.stdout = os.fdopen(reading, "r" if text else "rb")
        self._answers = self._line.makefile("rb")
        self.pid = int(self._answers.readline())

    def poll(self) -> int | None:
        """Return the exit code, None while it runs; a signal is its negative number."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end, and return the exit code.

        Raises:
            TimeoutExpired: it runs still after so many seconds.
        """
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._line, selectors.EVENT_READ)
                if not selector.select(timeout):
                    raise subprocess.TimeoutExpired("a fork of the zygote", timeout or 0.0)
            self.returncode = int(self._answers.readline())
            self._answers.close()
            self._line.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


def start(
    script: str | Path,
    *arguments: object,
    env: Mapping[str, str] | None = None,
    stdout: int | None = None,
    stderr: int = 2,
    text: bool = False,
) -> Process:
    """Start a script, or ``IIT``.

    Args:
        script: path of the script.
        arguments: its words.
        env: its environment; that of this process when None.
        stdout: ``subprocess.PIPE``, a file descriptor, or None for that of this process.
        stderr: a file descriptor.
        text: whether ``stdout`` is read as text.
    """
    return Process([str(script), *map(str, arguments)], os.environ if env is None else env, stdout, stderr, text=text)


@cache
def shim() -> Path:
    """Return a folder with an ``iit`` that runs in a fork, for the front of a shell's ``PATH``."""
    folder = Path(tempfile.mkdtemp(prefix="iit-shim-"))
    command = folder / "iit"
    command.write_text(_SHIM.format(python=sys.executable, address=_address()), encoding="utf-8")
    command.chmod(0o755)
    return folder


@cache
def _address() -> str:
    """Start the zygote of this process, and return the path of its socket. It ends with this process."""
    path = str(Path(tempfile.mkdtemp(prefix="iit-zygote-")) / "s")
    ours, its = os.pipe()
    zygote = subprocess.Popen([sys.executable, __file__, path, str(ours)], pass_fds=[ours], cwd=ROOT)
    os.close(ours)

    def end() -> None:
        os.close(its)
        zygote.wait()

    atexit.register(end)
    while not Path(path).exists():
        time.sleep(0.02)
    return path


def _ask(line: socket.socket, fds: list[int], words: Sequence[str], env: Mapping[str, str], folder: str) -> None:
    asked = json.dumps([list(words), dict(env), folder]).encode()
    socket.send_fds(line, [len(asked).to_bytes(4, "big")], fds)
    line.sendall(asked)


def _preload() -> None:
    """Import what the commands and workers import. Nothing may read the settings: each fork has its own."""
    sys.path.insert(0, str(ROOT))
    from core.cli.main import commands
    from core.feature_registry import resolve
    from core.settings import get_settings

    for name in sorted(commands()):
        resolve(commands()[name].target)
    import core.app.factory
    import core.jobs.worker  # noqa: F401 - imported for the forks
    from core.feature_registry import features
    from core.jobs import registry

    registry.kinds()
    for feature in features():
        for router in (*feature.routers, *feature.public_routers, *feature.pages):
            resolve(router)
    get_settings.cache_clear()


def _serve(path: str, parent: int) -> None:
    """Fork for each request until the process that started this one has ended."""
    _preload()
    gc.freeze()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(f"{path}.new")
    listening.listen(64)
    Path(f"{path}.new").rename(path)
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    lines: dict[int, socket.socket] = {}
    selector = selectors.DefaultSelector()
    for each in (listening, woken, parent):
        selector.register(each, selectors.EVENT_READ)
    while True:
        ready = {key.fileobj for key, _ in selector.select()}
        if parent in ready:
            return
        if woken in ready:
            os.read(woken, 512)
            _reap(lines)
        if listening in ready:
            line, _ = listening.accept()
            size, fds, *_ = socket.recv_fds(line, 4, 3)
            asked = line.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL)
            child = os.fork()
            if child == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                selector.close()
                for each in (listening.detach(), line.detach(), woken, waker, parent, *_descriptors(lines)):
                    os.close(each)
                _become(fds, *json.loads(asked))
            for each in fds:
                os.close(each)
            lines[child] = line
            line.sendall(b"%d\n" % child)


def _descriptors(lines: dict[int, socket.socket]) -> list[int]:
    return [line.detach() for line in lines.values()]


def _reap(lines: dict[int, socket.socket]) -> None:
    while lines:
        child, status = os.waitpid(-1, os.WNOHANG)
        if child == 0:
            return
        line = lines.pop(child)
        with contextlib.suppress(OSError), line:
            line.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _become(fds: list[int], words: list[str], env: dict[str, str], folder: str) -> None:
    """Run a script or ``iit`` in this fork, and end it as an interpreter ends."""
    for place, each in enumerate(fds):
        os.dup2(each, place)
    for each in fds:
        if each > 2:
            os.close(each)
    sys.stdin, sys.stdout, sys.stderr = (
        open(place, mode, encoding="utf-8", closefd=False, buffering=1 if place == 2 else -1)  # noqa: SIM115
        for place, mode in enumerate("rww")
    )
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    time.tzset()
    tempfile.tempdir = None
    sys.argv = words
    code = 1
    try:
        code = _run(words)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
    except BaseException:  # noqa: BLE001 - as an interpreter shows it
        import traceback

        traceback.print_exc()
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _run(words: list[str]) -> int:
    if words[0] == IIT:
        from core.cli.main import main

        main()
        return 0
    runpy.run_path(words[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
