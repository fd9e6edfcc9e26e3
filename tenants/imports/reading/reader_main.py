"""The reading process: ``python -m tenants.imports.reading.reader_main PARENT``, with requests on standard input.

An error here may quote a cell: the process reports only its type.
"""

from __future__ import annotations

import gc
import io
import pickle
import resource
import sys
import time
from dataclasses import replace
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from core.errors import AppError, Invalid
from core.processes import bind, die_with_parent
from tenants.imports.reading.reader import formats
from tenants.imports.reading.reader_process import LENGTH_BYTES, YOUNG, Portions
from tenants.imports.reading.survey import SurveyRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenants.imports.reading.sources import Source

_FAILED = 3
_PROGRESS_SECONDS = 1.0


def send(stream: IO[bytes], kind: str, what: object) -> None:
    """Send one message: its length, then its bytes."""
    body = pickle.dumps((kind, what), pickle.HIGHEST_PROTOCOL)
    stream.write(len(body).to_bytes(LENGTH_BYTES, "big"))
    stream.write(body)
    stream.flush()


class _WatchedFile(io.RawIOBase):
    """A file that reports progress to the import while it is read."""

    def __init__(self, inner: BinaryIO, stream: IO[bytes]) -> None:
        self._inner, self._stream = inner, stream
        self._next = time.monotonic() + _PROGRESS_SECONDS

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._inner.seekable()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._inner.seek(offset, whence)

    def tell(self) -> int:
        return self._inner.tell()

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        data = self._inner.read(len(view))
        view[: len(data)] = data
        if time.monotonic() > self._next:
            self._next = time.monotonic() + _PROGRESS_SECONDS
            send(self._stream, "progress", None)
        return len(data)

    def close(self) -> None:
        self._inner.close()
        super().close()


class _Opener:
    """Opens a file, and reports which file it reads."""

    def __init__(self, source: Source, number: int, stream: IO[bytes]) -> None:
        self._source, self._number, self._stream = source, number, stream

    def __call__(self) -> BinaryIO:
        send(self._stream, "file", self._number)
        return cast("BinaryIO", io.BufferedReader(_WatchedFile(self._source.opener(), self._stream), 1 << 20))


def _answers(wanted: SurveyRequest | Portions, stream: IO[bytes]) -> Iterator[tuple[str, object]]:
    sources = [replace(source, opener=_Opener(source, number, stream)) for number, source in enumerate(wanted.sources)]
    if isinstance(wanted, SurveyRequest):
        yield "surveyed", replace(wanted, sources=sources).run()
    else:
        for portion in replace(wanted, sources=sources).read():
            yield "portion", portion


def answer(wanted: SurveyRequest | Portions, stream: IO[bytes]) -> None:
    """Read the requested files and send the rows, or the error."""
    try:
        for kind, what in _answers(wanted, stream):
            send(stream, kind, what)
        send(stream, "end", None)
    except Invalid as rejection:
        send(stream, "refused", (rejection.detail, rejection.remedy, rejection.errors))
    except MemoryError:
        send(stream, "memory", None)
    except AppError as error:
        send(stream, "failed", (type(error), error.detail, error.remedy))
    except BrokenPipeError:
        raise
    except OSError as error:
        sys.stderr.write(f"reading failed: {type(error).__name__}\n")
        raise
    except Exception as error:  # noqa: BLE001 - told without what it quotes
        sys.stderr.write(f"reading failed: {type(error).__name__}\n")
        send(stream, "broken", type(error).__name__)


def main(arguments: list[str]) -> int:
    """Answer requests until there are no more; return the exit code."""
    die_with_parent(int(arguments[0]))
    bind({resource.RLIMIT_CORE: 0})
    gc.set_threshold(*YOUNG)
    formats()  # load them now, while no import waits
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    while True:
        try:
            most, wanted = pickle.load(stdin)  # noqa: S301 - from the import that started this process
        except EOFError:
            return 0
        bind({resource.RLIMIT_DATA: most})
        try:
            answer(wanted, stdout)
        except OSError:
            return _FAILED  # the import has ended, or the files are not available


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
