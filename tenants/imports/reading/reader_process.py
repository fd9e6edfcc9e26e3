"""Read files in a separate process, so that a hostile file harms only that process.

The process has a memory limit, no connection to the database, and ends with the import. If it makes no progress for a
long time, it is killed, and the import fails and names the file. It reads one portion ahead of the process that stages
the rows, so a large import uses two processors. One pipe brings the request, with the key of the tenant's blind
indexes; another takes the rows, in order, and waits until they are taken.
"""

from __future__ import annotations

import atexit
import gc
import os
import pickle
import select
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from core.errors import Invalid, Unavailable, phrase
from core.settings import get_settings
from tenants.imports.reading.sources import rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date

    from core.errors import AppError
    from core.privacy import BlindIndexes
    from tenants.imports.mapping import Mapping
    from tenants.imports.reading.blocks import Block, PortionLimits
    from tenants.imports.reading.reader import Position
    from tenants.imports.reading.sources import Source
    from tenants.imports.reading.survey import SurveyRequest, SurveyResult

LARGE_BYTES = 8 << 20
"""Bytes of a command's files from which on a separate process is worth the second that its start takes."""

MOST_MESSAGE_BYTES = 512 << 20
"""The largest message: no portion of real rows is so large."""

LOOK_SECONDS = 1.0
"""Seconds between two checks for a cancel, while the reading process is busy."""

COMMAND = (sys.executable, "-m", "tenants.imports.reading.reader_main")
_PATIENCE_SECONDS = 10
LENGTH_BYTES = 8
_OTHERS = ("PYTEST_CURRENT_TEST",)
"""Variables of the environment that a reading process does not need."""

YOUNG = (50_000, 20, 100)
"""Thresholds of the garbage collector while rows are read: a portion makes many objects that live, and no cycles."""


@dataclass(frozen=True, slots=True)
class Portions:
    """A request to read rows, portion by portion.

    Attributes:
        format: the reader's name.
        sources: the files.
        mapping: the mapping, with its time zone set.
        after: rows up to here were read.
        data_date: no event can be later.
        limits: the limits of a portion.
        blind: makes the blind indexes of the facts' keys, by the tenant's key.
    """

    format: str
    sources: Sequence[Source]
    mapping: Mapping
    after: Position | None
    data_date: date
    limits: PortionLimits
    blind: BlindIndexes

    def read(self) -> Iterator[Block]:
        """Yield the requested rows, portion by portion, read in this process."""
        from tenants.imports.reading.reader import reader

        chosen = reader(self.format)
        for portion in chosen.read_blocks(
            self.sources, self.mapping, after=self.after, data_date=self.data_date, limits=self.limits
        ):
            for events in portion.events:
                events.make_blind(self.blind)
            yield portion


class ReaderEnded(Unavailable):
    """Error: the reading process was killed, or could not open the files. The import resumes on the next run."""


class LocalReading:
    """Reads in this process: for small files of a command, because files and process belong to the same user."""

    def survey(self, wanted: SurveyRequest) -> SurveyResult:
        """Survey the files."""
        return wanted.run()

    def portions(self, wanted: Portions) -> Iterator[Block]:
        """Yield the rows, portion by portion."""
        with seldom_collecting():
            yield from wanted.read()


class SeparateReading:
    """Reads in a separate process, which starts with the first request.

    Args:
        watch: called from time to time while the process is busy; an exception from it ends the reading.
        spare: whether to keep a reading process ready for the next import.
    """

    def __init__(self, watch: Callable[[], object], *, spare: bool) -> None:
        self._watch, self._spare = watch, spare
        self._process: subprocess.Popen[bytes] | None = None
        self._file = ""

    def survey(self, wanted: SurveyRequest) -> SurveyResult:
        """Survey the files.

        Raises:
            Invalid: the reader rejects a file, or the process exceeded its limits.
            ReaderEnded: it could not open the files, or was killed.
        """
        (survey_result,) = self._ask(wanted, wanted.sources)
        surveyed: SurveyResult = survey_result
        return surveyed

    def portions(self, wanted: Portions) -> Iterator[Block]:
        """Yield the rows, portion by portion.

        Raises:
            Invalid: the reader rejects a file, or the process exceeded its limits.
            ReaderEnded: it could not open the files, or was killed.
        """
        with seldom_collecting():
            yield from self._ask(wanted, wanted.sources)

    def close(self) -> None:
        """End the process, done or not."""
        process, self._process = self._process, None
        if process is not None:
            end(process)
            if self._spare:
                keep_spare()

    def _ask(self, wanted: SurveyRequest | Portions, sources: Sequence[Source]) -> Iterator[Any]:
        if self._process is None:
            self._process = take()
        process = self._process
        settings = get_settings()
        self._file = sources[0].name if sources else ""
        try:
            if process.stdin is not None:
                pickle.dump((settings.import_reader_max_bytes, wanted), process.stdin)
                process.stdin.flush()
        except BrokenPipeError:
            raise self._ended(process) from None
        while True:
            kind, what = self._received(process, settings.import_reader_seconds)
            if kind == "end":
                return
            if kind == "file":
                self._file = sources[what].name
            elif kind in ("surveyed", "portion"):
                yield what
            elif kind != "progress":
                raise self._error(kind, what)

    def _error(self, kind: str, what: Any) -> AppError:  # noqa: ANN401 - as the reading process says it
        if kind == "refused":
            detail, remedy, errors = what
            return Invalid(detail, remedy=remedy, errors=errors)
        if kind == "failed":
            error, detail, remedy = what
            app_error: AppError = error(detail, remedy=remedy)
            return app_error
        if kind == "memory":
            return self._too_large()
        problem = phrase("the file cannot be read: its reader failed ({kind})", kind=what)
        return rejected(self._file, problem, "export the file again; if that does not help, report it")

    def _received(self, process: subprocess.Popen[bytes], seconds: float) -> tuple[str, Any]:
        """Return the next message of the process."""
        length = int.from_bytes(self._bytes(process, LENGTH_BYTES, seconds), "big")
        if length > MOST_MESSAGE_BYTES:
            raise self._too_large()
        # Unpickling is safe here: the message comes from the process that we started.
        message: tuple[str, Any] = pickle.loads(self._bytes(process, length, seconds))  # noqa: S301
        return message

    def _bytes(self, process: subprocess.Popen[bytes], wanted: int, seconds: float) -> bytearray:
        """Read bytes from the pipe. Wait as long as there is progress and nobody cancels the import."""
        if process.stdout is None:
            message = "the reading process has pipes"
            raise RuntimeError(message)
        pipe, taken, since = process.stdout.fileno(), bytearray(), time.monotonic()
        while len(taken) < wanted:
            if select.select([pipe], [], [], LOOK_SECONDS)[0]:
                piece = os.read(pipe, min(1 << 20, wanted - len(taken)))
                if not piece:
                    raise self._ended(process)
                taken += piece
                since = time.monotonic()
                continue
            if time.monotonic() - since > seconds:
                problem = phrase(
                    "reading the file made no progress for {seconds:g} seconds, and was stopped", seconds=seconds
                )
                remedy = "split the file, or export it in another format, as CSV"
                raise rejected(self._file, problem, remedy)
            self._watch()
        return taken

    def _too_large(self) -> Invalid:
        most = get_settings().import_reader_max_bytes >> 20
        problem = phrase("reading the file takes more memory than the {most:,} MB of the limit", most=most)
        remedy = (
            "check that it is the right file; if it is, split it, or have the operator raise the limit"
            " (IIT_IMPORT_READER_MAX_BYTES)"
        )
        return rejected(self._file, problem, remedy)

    def _ended(self, process: subprocess.Popen[bytes]) -> ReaderEnded:
        code = process.wait(_PATIENCE_SECONDS)
        self.close()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        message = phrase("the process that read {name} ended too early ({how})", name=self._file, how=how)
        return ReaderEnded(message, remedy="start the import again: it resumes")


@contextmanager
def reading(
    sources: Sequence[Source], watch: Callable[[], object], *, shared: bool, large: int | None = None
) -> Iterator[LocalReading | SeparateReading]:
    """The reader of one import's files, until the block ends.

    Args:
        sources: the files.
        watch: called from time to time during reading in a separate process; an exception from it ends the reading.
        shared: whether this process also works for others: then even small files are read in a separate process.
        large: from this many bytes on, files are read in a separate process; None for ``LARGE_BYTES``.
    """
    size = sum(source.size for source in sources)
    if not shared and size < (LARGE_BYTES if large is None else large):
        yield LocalReading()
        return
    apart = SeparateReading(watch, spare=shared)
    try:
        yield apart
    finally:
        apart.close()


_lock = Lock()
_spare: list[tuple[subprocess.Popen[bytes], dict[str, str]]] = []
"""The spare reading process, if there is one. A process takes a second to start; a spare one saves the wait."""


def take() -> subprocess.Popen[bytes]:
    """Return a reading process that has read nothing yet: the spare one, or a new one."""
    with _lock:
        spare = _spare.pop() if _spare else None
    if spare is None:
        return _begun()
    process, environment = spare
    if environment == _environment() and process.poll() is None:
        return process
    end(process)
    return _begun()


def keep_spare() -> None:
    """Start a spare reading process for the next import, unless there is one."""
    with _lock:
        if not _spare:
            _spare.append((_begun(), _environment()))


def _end_spare() -> None:
    while _spare:
        end(_spare.pop()[0])


atexit.register(_end_spare)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _OTHERS}


def _begun() -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own program
        [*COMMAND, str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # the import handles interrupts at a terminal
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """End a reading process."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None and not pipe.closed:
            try:
                pipe.close()
            except BrokenPipeError:
                continue  # it ended before it read its request
    process.kill()
    process.wait()


_collecting: list[tuple[int, int, int]] = []
"""The garbage collector's former thresholds, once for each open block of ``seldom_collecting``."""


@contextmanager
def seldom_collecting() -> Iterator[None]:
    """Run the garbage collector less often within the block: an import makes rows, and hardly any cycles."""
    with _lock:
        _collecting.append(_collecting[0] if _collecting else gc.get_threshold())
        gc.set_threshold(*YOUNG)
    try:
        yield
    finally:
        with _lock:
            before = _collecting.pop()
            if not _collecting:
                gc.set_threshold(*before)
