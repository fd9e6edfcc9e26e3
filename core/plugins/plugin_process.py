"""One process of a third-party plugin, kept between calls: a line of JSON in, a line out, and files in its folder."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final
from uuid import uuid4

from core import scratch
from core.plugins.confinement import confinement
from core.plugins.errors import CallFailedError, PluginFailed, PluginTimedOut
from core.plugins.process import Limits, environment_of, kill_all, python_path
from core.plugins.wire import MOST_BYTES

_OUTPUT: Final = 4_000
_MOST_OUTPUT: Final = 2 * 1024**2
"""Bytes of output after which a process is ended: at the limit of its files, printing would fail."""


@dataclass
class PluginProcess:
    """A plugin's process.

    Attributes:
        busy: whether a thread has it. Only that thread may read, write or end it, and only under the registry's lock
            does a process become busy or free.
        answered: whether it has answered a request, so that the plugin is imported.
        in_doubt: whether a request has no whole answer, or a file was not exchanged: the process cannot be used again.
        log: what it writes, as it was opened at the start: the plugin owns the folder, and may put a link in its place.
        model: names the model that it has loaded; empty if none.
    """

    plugin: str
    child: subprocess.Popen[bytes]
    folder: Path
    token: str
    log: IO[bytes]
    closing: contextlib.ExitStack
    busy: bool = True
    used_at: float = field(default_factory=time.monotonic)
    answered: bool = False
    in_doubt: bool = False
    model: str = ""
    buffer: bytearray = field(default_factory=bytearray)

    def ask(self, request: dict[str, Any], seconds: float) -> Any:  # noqa: ANN401 - any JSON
        """Send one request and return what the plugin gave, unchecked.

        Raises:
            PluginTimedOut: no answer came in time.
            CallFailedError: the plugin raised, its process ended, or gave something that is no answer.
        """
        line, until = json.dumps(request).encode() + b"\n", time.monotonic() + seconds
        self.in_doubt = True
        try:
            self._write(line, until, seconds)
            reply = self._decoded(self._read(until, seconds), request["id"])
        except (OSError, ValueError):
            raise CallFailedError(_ended(self.plugin).detail, self.output()) from None
        except PluginTimedOut:
            raise
        except PluginFailed as error:
            raise CallFailedError(error.detail, self.output()) from None
        self.in_doubt, self.answered, self.used_at = False, True, time.monotonic()
        if reply.get("ok") is True:
            return reply.get("result")
        kind, message = str(reply.get("error"))[:80], str(reply.get("message"))[:300]
        raise CallFailedError(f"plugin {self.plugin!r} failed: {kind}: {message}", self.output(), kind, message)

    def write(self, content: bytes, ending: str) -> Path:
        """Write a new file into the process's folder, which the plugin may read. Return its path.

        Raises:
            OSError: it cannot be written.
        """
        path = self.folder / f"{uuid4().hex}{ending}"
        # The plugin owns the folder. O_EXCL never opens what it put there, such as a link to a file of the platform.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            owner = self.folder.stat()
            if owner.st_uid != os.geteuid():
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
            file.write(content)
        return path

    def output(self) -> str:
        """Return the end of what the process wrote."""
        with contextlib.suppress(OSError, ValueError):  # ValueError: the process was ended meanwhile
            begin = max(0, self._written() - _OUTPUT)
            return os.pread(self.log.fileno(), _OUTPUT, begin).decode("utf-8", "replace").replace("\x00", "")
        return ""

    def is_usable(self) -> bool:
        """Return whether another request may follow: the last one was answered, and the process may still print."""
        if self.in_doubt:
            return False
        with contextlib.suppress(OSError, ValueError):
            return self._written() <= _MOST_OUTPUT
        return True

    def end(self) -> None:
        """Kill the process with all that it started, and remove its folder."""
        kill_all(self.child, self.token)
        for pipe in (self.child.stdin, self.child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self.closing.close()

    def _written(self) -> int:
        return os.fstat(self.log.fileno()).st_size

    def _decoded(self, reply: bytes, request_id: str) -> dict[str, Any]:
        try:
            decoded = json.loads(reply)
        except (ValueError, RecursionError):
            decoded = None
        if not isinstance(decoded, dict) or decoded.get("id") != request_id:
            detail = f"plugin {self.plugin!r} gave an answer that cannot be read"
            raise PluginFailed(detail)
        return decoded

    def _write(self, line: bytes, until: float, seconds: float) -> None:
        pipe = self.child.stdin.fileno()  # type: ignore[union-attr]  # it was opened with the process
        while line:
            if not select.select([], [pipe], [], max(0.0, until - time.monotonic()))[1]:
                raise _late(self.plugin, seconds)
            line = line[os.write(pipe, line[: select.PIPE_BUF]) :]

    def _read(self, until: float, seconds: float) -> bytes:
        pipe = self.child.stdout.fileno()  # type: ignore[union-attr]  # as above
        while b"\n" not in self.buffer:
            if len(self.buffer) > 2 * MOST_BYTES:
                detail = f"plugin {self.plugin!r} gave an answer without an end"
                raise PluginFailed(detail)
            if not select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
                raise _late(self.plugin, seconds)
            piece = os.read(pipe, 65_536)
            if not piece:
                raise _ended(self.plugin)
            self.buffer += piece
        line, _, rest = bytes(self.buffer).partition(b"\n")
        self.buffer = bytearray(rest)
        return line


def start(plugin: str, limits: Limits) -> PluginProcess:
    """Start a process for a plugin. It confines itself before it imports the plugin with the first request.

    Raises:
        OSError: it cannot be started.
    """
    closing = contextlib.ExitStack()
    folder = closing.enter_context(scratch.temporary("iit-plugin-"))
    token = uuid4().hex
    try:
        confined = confinement(folder, limits.to_json(), python_path=python_path())
        log = closing.enter_context((folder / "output.log").open("w+b"))
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
    return PluginProcess(plugin, child, folder, token, log, closing)


def _late(plugin: str, seconds: float) -> PluginTimedOut:
    detail = f"plugin {plugin!r} was stopped after {seconds:g} seconds"
    return PluginTimedOut(detail)


def _ended(plugin: str) -> PluginFailed:
    detail = f"plugin {plugin!r} ended without an answer"
    return PluginFailed(detail)
