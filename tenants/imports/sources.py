"""The files of an import as bytes: what kind each is, expanded within bounds, hashed.

Everything that is wrong with a file as a whole (truncated, a bomb, the wrong kind) is refused here with a sentence.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from core.errors import FieldError, Invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Container = Literal["text", "gzip", "zip", "other"]
HEAD_BYTES = 64 * 1024
CHUNK = 1 << 20
MIN_BOMB_BYTES = 64 << 20
MAX_RATIO = 300
"""No real table expands more than this many times; below ``MIN_BOMB_BYTES`` it does no harm and is not looked at."""

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (
        b"\xd0\xcf\x11\xe0",
        "an old .xls workbook or one with a password; save it as .xlsx without a password, or as CSV UTF-8",
    ),
    (b"%PDF", "a PDF; export the table itself, as CSV or .xlsx"),
    (b"\xff\xfe", "UTF-16 text; save it as 'CSV UTF-8'"),
    (b"\xfe\xff", "UTF-16 text; save it as 'CSV UTF-8'"),
    (b"BZh", "a bzip2 archive; unpack it first, or compress with gzip"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it first"),
    (b"Rar!", "a rar archive; unpack it first"),
    (b"\xfd7zXZ", "an xz archive; unpack it first, or compress with gzip"),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one file. ``expanded`` is in bytes, after decompression."""

    expanded: int = 8 << 30
    workbook: int = 1 << 30
    shared_strings: int = 256 << 20


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a file, for detecting its format. ``data`` is expanded when the file is gzip."""

    name: str
    container: Container
    data: bytes


@dataclass(frozen=True, slots=True)
class Source:
    """One file of an import.

    Attributes:
        name: its name without folders, as reports show it.
        opener: opens it from the beginning, as often as asked.
        size: bytes as stored.
    """

    name: str
    opener: Callable[[], BinaryIO]
    size: int
    limits: Limits = Limits()

    def head(self) -> Head:
        """Its kind and its first kilobytes.

        Raises:
            Invalid: it is empty or of a kind that no reader takes.
        """
        with self.opener() as stream:
            start = stream.read(HEAD_BYTES)
        if not start:
            raise refused(self.name, "the file is empty", "give a file with a heading line and rows")
        for magic, what in _MAGIC:
            if start.startswith(magic):
                kind, _, remedy = what.partition("; ")
                raise refused(self.name, f"the file is {kind}", remedy)
        if start.startswith(b"\x1f\x8b"):
            with self.expanded() as stream:
                return Head(self.name, "gzip", stream.read(HEAD_BYTES))
        if start.startswith(b"PK\x03\x04"):
            return Head(self.name, "zip", start)
        if b"\x00" in start:
            raise refused(self.name, "the file is binary, not a table", "give a CSV (also .gz) or .xlsx file")
        return Head(self.name, "text", start)

    @contextmanager
    def expanded(self) -> Iterator[BinaryIO]:
        """Its bytes, decompressed if it is gzip, within the bounds.

        Raises:
            Invalid: on reading, when the file is truncated, damaged or expands beyond the bounds.
        """
        with self.opener() as raw:
            ahead = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(raw)  # type: ignore[type-var]
            zipped = ahead.peek(2).startswith(b"\x1f\x8b")
            inner = gzip.GzipFile(fileobj=ahead, mode="rb") if zipped else ahead
            yield io.BufferedReader(_Bounded(inner, self), CHUNK)

    def digest(self) -> str:
        """SHA-256 of the stored bytes, in hex."""
        found = hashlib.sha256()
        with self.opener() as stream:
            while block := stream.read(CHUNK):
                found.update(block)
        return found.hexdigest()


class _Bounded(io.RawIOBase):
    """Counts what comes out, and turns a damaged stream into a sentence."""

    def __init__(self, inner: io.BufferedIOBase, source: Source) -> None:
        self._inner = inner
        self._source = source
        self._count = 0
        ratio = max(MIN_BOMB_BYTES, source.size * MAX_RATIO)
        self._limit = min(source.limits.expanded, ratio)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        name = self._source.name
        try:
            data = self._inner.read(len(view))
        except EOFError as error:
            raise refused(name, "the gzip file is cut off before its end", "copy or download the file again") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise refused(name, "the gzip file is damaged", "copy or download the file again") from error
        self._count += len(data)
        if self._count > self._limit:
            problem = f"the file expands to more than {self._limit >> 20} MB"
            raise refused(name, problem, "check that it is the right file; split it if it really is so large")
        view[: len(data)] = data
        return len(data)


def refused(name: str, problem: str, remedy: str) -> Invalid:
    """The error for a file that cannot be read as a whole."""
    return Invalid(f"{name}: {problem}", remedy=remedy, errors=[FieldError(f"file {name}", problem, remedy)])


def from_paths(paths: Sequence[Path], limits: Limits | None = None) -> list[Source]:
    """The files at these paths; a folder stands for the files in it, by name.

    Raises:
        Invalid: a path does not exist or cannot be read, or two files have one name.
    """
    found: list[Source] = []
    for path in paths:
        if not path.exists():
            raise refused(str(path), "there is no such file or folder", "check the path")
        inside = (
            sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith(".")) if path.is_dir() else [path]
        )
        found += [
            Source(
                item.name.encode("utf-8", "replace").decode(), _opener(item), item.stat().st_size, limits or Limits()
            )
            for item in inside
        ]
    if not found:
        raise refused(str(paths[0]) if paths else "no path", "there are no files in it", "give the files to import")
    names = [source.name for source in found]
    for name in names:
        if names.count(name) > 1:
            raise refused(name, "two files have this name", "rename one of them, or import them one after the other")
    return found


def _opener(path: Path) -> Callable[[], BinaryIO]:
    def opened() -> BinaryIO:
        try:
            return path.open("rb")
        except OSError as error:
            raise refused(
                path.name, f"the file cannot be opened ({error.strerror})", "check that it is there and readable"
            ) from error

    return opened
