"""The files of an import as bytes: detect the kind of each, expand it within limits, and hash it.

This module rejects files that are wrong as a whole: truncated, expanding beyond the limits, or of the wrong kind.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import zlib
from codecs import BOM_UTF8
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from core.errors import FieldError, Invalid, phrase
from core.settings import get_settings
from tenants.imports.reading.file_kinds import ZipKind, plain_head, wrong_kind, zip_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Container = Literal["text", "gzip"] | ZipKind
HEAD_BYTES = 64 * 1024
CHUNK = 1 << 20
MIN_BOMB_BYTES = 64 << 20
MAX_RATIO = 300
"""The largest factor by which a file may expand; no real table expands more. Up to ``MIN_BOMB_BYTES`` any factor is
harmless.
"""
MOST_FILES = 30_000


def most_bytes() -> int:
    """The most bytes of data in one import (``IIT_IMPORT_MAX_BYTES``)."""
    return get_settings().import_max_bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one file, in bytes. ``expanded`` is the most after decompression."""

    expanded: int = field(default_factory=most_bytes)
    workbook: int = 1 << 30
    shared_strings: int = 256 << 20


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a file, for detecting its format.

    Attributes:
        container: the kind of file around the data; of a zip archive, its purpose.
        data: the first kilobytes, expanded if the file is gzip, and converted to UTF-8 if it has an encoding mark.
        encoding: the encoding that a mark at the beginning gives; empty if there is no mark.
        headings: the first rows of a workbook's sheets, as texts; filled by ``tenants.imports.reading.reader.detect``.
    """

    name: str
    container: Container
    data: bytes
    encoding: str = ""
    headings: tuple[tuple[str, ...], ...] = ()

    @property
    def is_archive(self) -> bool:
        """Whether it is a zip archive of any kind."""
        return self.container not in ("text", "gzip")


@dataclass(frozen=True, slots=True)
class Source:
    """One file of an import.

    Attributes:
        name: the name without folders, as reports show it.
        opener: opens the file from its beginning; it may be called several times, and in another process.
        size: the size as stored, in bytes.
    """

    name: str
    opener: Callable[[], BinaryIO]
    size: int
    limits: Limits = field(default_factory=Limits)

    def head(self) -> Head:
        """The file's kind and first kilobytes.

        Raises:
            Invalid: the file is empty, too large, or of a kind that no reader takes.
        """
        self._check_size()
        if self.name.startswith("~$"):
            problem = "the file is a lock file of an office program, which has the table open"
            raise rejected(self.name, problem, "close the program, and give the table itself")
        with self.opener() as stream:
            start = stream.read(HEAD_BYTES)
        if start.startswith(b"PK\x03\x04"):
            with self.opener() as stream:
                return Head(self.name, zip_kind(stream, self.name), start)
        container: Container = "text"
        if start.startswith(b"\x1f\x8b"):
            container = "gzip"
            with self.expanded() as stream:
                start = stream.read(HEAD_BYTES)
        plain, encoding = plain_head(start)
        if not plain.removeprefix(BOM_UTF8).strip():
            raise rejected(self.name, "the file is empty", "give a file with a heading line and rows")
        wrong = wrong_kind(plain)
        if wrong is not None:
            raise rejected(self.name, phrase("the file is {what}", what=wrong[0]), wrong[1])
        if b"\x00" in plain:
            raise rejected(
                self.name,
                "the file is binary, not a table",
                "give a CSV (also .gz) or .xlsx file; save text in UTF-16 as 'CSV UTF-8'",
            )
        return Head(self.name, container, plain, encoding)

    def _check_size(self) -> None:
        """Reject a file that is larger than the limit, before reading it."""
        if self.size > self.limits.expanded:
            problem = phrase(
                "the file has {size:,} MB, more than the {most:,} MB of the limit",
                size=self.size >> 20,
                most=self.limits.expanded >> 20,
            )
            raise rejected(self.name, problem, "check that it is the right file; split it if it really is so large")

    @contextmanager
    def expanded(self) -> Iterator[BinaryIO]:
        """Open the file's bytes, decompressed if it is gzip.

        Raises:
            Invalid: raised by reading, if the file is truncated, damaged or expands beyond the limits.
        """
        with self.opener() as raw:
            ahead = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(raw)  # type: ignore[type-var]
            zipped = ahead.peek(2).startswith(b"\x1f\x8b")
            inner = gzip.GzipFile(fileobj=ahead, mode="rb") if zipped else ahead
            yield io.BufferedReader(_BoundedExpansion(inner, self), CHUNK)

    def digest(self) -> str:
        """SHA-256 of the stored bytes, in hex.

        Raises:
            Invalid: the file is larger than the limit.
        """
        self._check_size()
        digest = hashlib.sha256()
        with self.opener() as stream:
            while block := stream.read(CHUNK):
                digest.update(block)
        return digest.hexdigest()


class _BoundedExpansion(io.RawIOBase):
    """A stream that counts the expanded bytes, and raises ``Invalid`` if it is damaged or has too many."""

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
            raise rejected(
                name, "the gzip file is cut off before its end", "copy or download the file again"
            ) from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise rejected(name, "the gzip file is damaged", "copy or download the file again") from error
        self._count += len(data)
        if self._count > self._limit:
            problem = phrase("the file expands to more than {size}", size=_size(self._limit))
            remedy = (
                "check that it is the right file; if it is, split it, or have the operator raise IIT_IMPORT_MAX_BYTES"
            )
            raise rejected(name, problem, remedy)
        view[: len(data)] = data
        return len(data)


def check_size(sources: Sequence[Source]) -> None:
    """Reject files that together are too large for one import, before reading any.

    The expanded size of compressed files is known, and limited, only while they are read.

    Raises:
        Invalid: together they are too large.
    """
    total = sum(source.size for source in sources)
    most = min((source.limits.expanded for source in sources), default=total)
    if total > most:
        largest = max(sources, key=lambda source: source.size)
        problem = phrase("the files hold {size}, and one import may hold {most}", size=_size(total), most=_size(most))
        remedy = phrase(
            "check that {name} is the right file; if it is, import its parts one after the other, or have"
            " the operator raise IIT_IMPORT_MAX_BYTES",
            name=largest.name,
        )
        raise Invalid(problem, remedy=remedy, errors=[FieldError(f"file {largest.name}", problem, remedy)])


def _size(count: int) -> str:
    return f"{count / (1 << 30):.3g} GB" if count >= 1 << 30 else f"{count / (1 << 20):.3g} MB"


def rejected(name: str, problem: str, remedy: str) -> Invalid:
    """The error for a file that cannot be read as a whole."""
    return Invalid(
        phrase("{name}: {problem}", name=name, problem=problem),
        remedy=remedy,
        errors=[FieldError(f"file {name}", problem, remedy)],
    )


def from_paths(paths: Sequence[Path], limits: Limits | None = None) -> list[Source]:
    """The files at these paths. A folder means the files in it, by name, without files that systems add.

    Raises:
        Invalid: a path does not exist or is not readable, a folder has a link or something else that is not a file, or
            two files have the same name.
    """
    sources: list[Source] = []
    for path in paths:
        if not path.exists():
            raise rejected(str(path), "there is no such file or folder", "check the path")
        # A path that the operator names may be a link; a path inside a folder may not.
        place = path.resolve()
        for item in _inside(place) if place.is_dir() else [place]:
            size = _size_of_file(item)
            name = item.name.encode("utf-8", "replace").decode()
            sources.append(Source(name, partial(_opened, item), size, limits or Limits()))
    if not sources:
        raise rejected(
            str(paths[0]) if paths else "no path", "there are no files to import in it", "give files, or their folder"
        )
    if len(sources) > MOST_FILES:
        raise rejected(
            str(paths[0]),
            phrase("there are more than {most:,} files", most=MOST_FILES),
            "import them by folders, or in one zip archive",
        )
    name, times = Counter(source.name for source in sources).most_common(1)[0]
    if times > 1:
        raise rejected(name, "two files have this name", "rename one of them, or import them one after the other")
    return sources


def bystanders(paths: Sequence[Path]) -> list[str]:
    """The names of the files in these folders that ``from_paths`` leaves out, because systems added them."""
    folders = [path.resolve() for path in paths if path.is_dir()]
    return sorted(item.name for folder in folders for item in folder.iterdir() if is_bystander(item.name))


def is_bystander(name: str) -> bool:
    """Whether a file was added by an operating system or office program, by its name."""
    return name.startswith((".", "~$")) or name.casefold() in ("thumbs.db", "desktop.ini")


def _inside(folder: Path) -> list[Path]:
    """The files directly in a folder, by name."""
    paths = [path for path in sorted(folder.iterdir()) if not is_bystander(path.name)]
    return [path for path in paths if path.is_symlink() or not path.is_dir()]


def _size_of_file(path: Path) -> int:
    """Return the size of a regular file.

    Anything else is rejected: a link could lead to any file of the machine, and a pipe may never end.

    Raises:
        Invalid: the path is not a regular file.
    """
    kind = path.lstat()
    if stat.S_ISLNK(kind.st_mode):
        raise rejected(path.name, "the folder holds a symbolic link", "put the file itself into the folder")
    if not stat.S_ISREG(kind.st_mode):
        raise rejected(path.name, "it is not a regular file", "give files with tables or documents")
    return kind.st_size


def _opened(path: Path) -> BinaryIO:
    try:
        # The checked file may have been replaced since: follow no link, and do not block on a pipe.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise rejected(
            path.name,
            phrase("the file cannot be opened ({reason})", reason=error.strerror),
            "check that it is there and readable",
        ) from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise rejected(path.name, "it is not a regular file", "give files with tables or documents")
    return os.fdopen(handle, "rb")
