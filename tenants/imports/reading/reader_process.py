"""Reading large files in a process of its own, one portion ahead of the one that stages them.

Telling rows apart and converting cells is work for a processor, and so is making keys and fingerprints of them: two
processes do it on two cores. What is read comes over a pipe, in order; the reading process waits until it is taken, so
that it is never more than a portion or two ahead, whatever the size of the file. It has no connection to the database;
the key of the tenant's blind indexes comes to it over its own pipe, with what it is to read. It ends with the import,
however that ends: its pipe then has no reader.
"""

from __future__ import annotations

import gc
import pickle
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from core.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from core.privacy import BlindIndexes
    from tenants.imports.facts import Reading
    from tenants.imports.mapping import Mapping
    from tenants.imports.reading.column_reader import Block
    from tenants.imports.reading.reader import PortionLimits, Position
    from tenants.imports.reading.sources import Source

LARGE_BYTES = 8 << 20
"""Files from which on a process of its own pays: it takes a second to begin."""

_PATIENCE_SECONDS = 10
_FAILED = 3
_LENGTH = 8
_YOUNG = (50_000, 20, 100)
"""Objects between collections of garbage while rows are read: a portion makes many that live, and none in circles."""


@dataclass(frozen=True, slots=True)
class Portions:
    """What to read, and in which portions.

    Attributes:
        format: the reader's name.
        sources: the files.
        mapping: with its time zone.
        after: rows up to here were taken.
        data_date: nothing can have happened after it.
        limits: how large a portion may be.
        blind: makes the blind indexes of the facts' keys, by the tenant's key.
    """

    format: str
    sources: Sequence[Source]
    mapping: Mapping
    after: Position | None
    data_date: date
    limits: PortionLimits
    blind: BlindIndexes

    def read(self) -> Iterator[Block | list[Reading]]:
        """Read them in this process."""
        from tenants.imports.reading.reader import reader

        chosen = reader(self.format)
        for portion in chosen.read_blocks(
            self.sources, self.mapping, after=self.after, data_date=self.data_date, limits=self.limits
        ):
            for events in () if isinstance(portion, list) else portion.events:
                events.make_blind(self.blind)
            yield portion


class ReaderEnded(Unavailable):
    """The reading process ended before the files did: it was killed, or failed. The import goes on when asked again."""


@contextmanager
def portions(wanted: Portions, *, large: int | None = None) -> Iterator[Iterator[Block | list[Reading]]]:
    """What is read, portion by portion: in a process of its own where the files are large.

    Args:
        wanted: what to read.
        large: bytes from which on files are large; ``LARGE_BYTES`` when None.

    Raises:
        Invalid: a file cannot be read, as the reader says it.
        ReaderEnded: the process is gone.
    """
    size = sum(source.size for source in wanted.sources)
    with _seldom_collecting():
        if size < (LARGE_BYTES if large is None else large):
            yield wanted.read()
            return
        process = subprocess.Popen(
            [sys.executable, "-m", "tenants.imports.reading.reader_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # what interrupts the import at a terminal is the import's to handle
        )
        try:
            yield _taken(process, wanted)
        finally:
            _end(process)


def _taken(process: subprocess.Popen[bytes], wanted: Portions) -> Iterator[Block | list[Reading]]:
    if process.stdin is None or process.stdout is None:
        message = "the reading process has pipes"
        raise RuntimeError(message)
    try:
        with process.stdin as stdin:
            pickle.dump(wanted, stdin)
    except BrokenPipeError:
        raise _ended(process) from None
    while True:
        found = _received(process.stdout)
        if found is None:
            raise _ended(process)
        kind, what = found
        if kind == "end":
            return
        if kind == "refused":
            detail, remedy, errors = what
            raise Invalid(detail, remedy=remedy, errors=errors)
        yield what


def _received(stream: IO[bytes]) -> tuple[str, Any] | None:
    """The next message; None where the pipe ended within or before it."""
    head = stream.read(_LENGTH)
    if len(head) < _LENGTH:
        return None
    length = int.from_bytes(head, "big")
    body = stream.read(length)
    return None if len(body) < length else pickle.loads(body)  # noqa: S301 - from the process that we started


def _send(stream: IO[bytes], kind: str, what: object) -> None:
    body = pickle.dumps((kind, what), pickle.HIGHEST_PROTOCOL)
    stream.write(len(body).to_bytes(_LENGTH, "big"))
    stream.write(body)
    stream.flush()


def _ended(process: subprocess.Popen[bytes]) -> ReaderEnded:
    code = process.wait(_PATIENCE_SECONDS)
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    message = f"the process that read the files ended too early ({how})"
    return ReaderEnded(message, remedy="start the import again: it goes on from where it was")


def _end(process: subprocess.Popen[bytes]) -> None:
    """See that the process is gone, whether or not it was done."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None and not pipe.closed:
            try:
                pipe.close()
            except BrokenPipeError:
                continue  # it went before it had read what it was given
    process.kill()
    process.wait()


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Look for garbage in circles less often while the block lasts."""
    before = gc.get_threshold()
    gc.set_threshold(*_YOUNG)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def main() -> int:
    """Read what standard input asks for, and write it to standard output; the exit code.

    What goes wrong here may quote a cell: it is named by its type alone.
    """
    stdout = sys.stdout.buffer
    gc.set_threshold(*_YOUNG)
    try:
        wanted: Portions = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the import that started this process
        for portion in wanted.read():
            _send(stdout, "portion", portion)
        _send(stdout, "end", None)
    except Invalid as refusal:
        _send(stdout, "refused", (refusal.detail, refusal.remedy, refusal.errors))
    except BrokenPipeError:
        return _FAILED  # the import is over
    except Exception as error:  # noqa: BLE001 - told to whoever reads the log, without what it quotes
        sys.stderr.write(f"reading failed: {type(error).__name__}\n")
        return _FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
