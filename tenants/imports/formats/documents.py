"""Read files of one document each, also in zip archives, within limits.

Reports show the names inside an archive. They are never used as paths: nothing is unpacked to the disk.
"""

from __future__ import annotations

import codecs
import shutil
import struct
import tempfile
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, cast

import orjson

from core.errors import Invalid, phrase
from tenants.imports.facts import Rejection
from tenants.imports.reading.sources import HEAD_BYTES, MAX_RATIO, MIN_BOMB_BYTES, is_bystander, rejected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenants.imports.reading.sources import Head, Source

MAX_DOCUMENT = 32 << 20
"""Bytes of one document: a person's whole history is a hundredth of it."""
MAX_MEMBERS = 200_000
MAX_RECORDS = 500_000
"""Records and lists in one JSON document."""
MAX_NAME = 80
IN_MEMORY = 32 << 20
_ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"BZh", b"7z\xbc\xaf", b"Rar!", b"\xfd7zXZ")
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
    OSError,
)
_LOCAL = struct.Struct("<4sHHHHHIIIHH")


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file.

    Attributes:
        number: its place in the file, from 1. A plain file has one document.
        name: name of the archive's member, for reports; empty for a plain file.
        data: the bytes as stored.
        rejection: why it is not readable.
    """

    number: int
    name: str
    data: bytes = b""
    rejection: Rejection | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """An open member of a file, or the plain file itself (with an empty name)."""

    number: int
    name: str
    stream: IO[bytes]


def documents(source: Source, after: int = 0) -> Iterator[Document]:
    """Yield the documents of a file after number ``after``, in a fixed order. A broken one has a ``rejection``.

    Raises:
        Invalid: the file is an archive that cannot be opened, or is beyond the limits.
    """
    if _is_zip(source):
        with _archive(source) as (archive, infos):
            for number, info in enumerate(infos, start=1):
                if number > after:
                    yield _member(archive, info, number)
        return
    if after < 1:
        try:
            with source.expanded() as stream:
                yield _bounded(1, "", stream.read(MAX_DOCUMENT + 1))
        except Invalid as error:
            first = error.errors[0]
            yield Document(1, "", rejection=Rejection("file", first.problem, first.remedy))


def members(source: Source) -> Iterator[Member]:
    """Yield the members of a file as streams. Read each one before you request the next.

    Raises:
        Invalid: the file or a member cannot be opened, or a member is an archive.
    """
    if not _is_zip(source):
        with source.expanded() as stream:
            yield Member(1, "", stream)
        return
    with _archive(source) as (archive, infos):
        for number, info in enumerate(infos, start=1):
            problem = _unfit(info)
            if problem is not None:
                raise rejected(
                    source.name,
                    phrase("{problem} (member {number})", problem=problem.problem, number=number),
                    problem.remedy,
                )
            try:
                with archive.open(info) as stream:
                    yield Member(number, name_for_reports(info.filename), stream)
            except _DAMAGED as error:
                raise rejected(
                    source.name, phrase("member {number} is damaged", number=number), "make the archive again"
                ) from error


def peek(head: Head) -> bytes:
    """The first bytes of the first document, in UTF-8; of an archive, of the first member that is JSON or XML."""
    if not head.is_archive:
        return to_utf8(head.data, whole=False)
    begins = (to_utf8(data, whole=False) for data in _beginnings(head.data))
    return next((data for data in begins if data.lstrip()[:1] in (b"{", b"<")), b"")


def _beginnings(data: bytes) -> Iterator[bytes]:
    """Yield the first bytes of an archive's members, as far as ``data``, the archive's beginning, has them."""
    at = 0
    while len(data) >= at + _LOCAL.size:
        magic, _, flags, method, _, _, _, packed, _, name_length, extra = _LOCAL.unpack_from(data, at)
        name = data[at + _LOCAL.size : at + _LOCAL.size + name_length]
        at += _LOCAL.size + name_length + extra
        if magic != b"PK\x03\x04" or flags & 1:
            break
        if name.endswith(b"/") or _is_added_by_system(name.decode("utf-8", "replace")):
            at += packed
            continue
        body = data[at:]
        if method == zipfile.ZIP_STORED:
            yield body[:packed] if packed else body
        else:
            try:
                yield zlib.decompressobj(-zlib.MAX_WBITS).decompress(body, HEAD_BYTES)
            except zlib.error:
                break
        if not packed:  # the member's length follows it, so the next one cannot be found
            break
        at += packed


def to_utf8(data: bytes, *, whole: bool = True) -> bytes:
    """Convert bytes in UTF-8, UTF-16 or Windows-1252 to UTF-8 without a byte-order mark.

    Raises:
        UnicodeDecodeError: they are in none of these encodings (only if ``whole``).
    """
    if data.startswith(codecs.BOM_UTF8):
        data = data[3:]
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if wide or (len(data) > 1 and 0 in data[:2]):
        encoding = "utf-16" if wide else "utf-16-le" if data[1] == 0 else "utf-16-be"
        return data[: len(data) // 2 * 2].decode(encoding, "strict" if whole else "replace").encode("utf-8", "replace")
    if not whole:
        return data
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252").encode()
    return data


def json_of(data: bytes) -> Any:  # noqa: ANN401 - whatever the JSON holds
    """The parsed JSON; None if it is not valid, or has more brackets than any person's history.

    The limit bounds memory: a pair of brackets has two bytes, and its object takes about fifty times as many.
    """
    if data.count(b"{") + data.count(b"[") > MAX_RECORDS:
        return None
    try:
        return orjson.loads(data)
    except (orjson.JSONDecodeError, UnicodeDecodeError):
        return None


def name_for_reports(name: str) -> str:
    """A member's name for reports: without folders and unprintable characters."""
    last = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    return "".join(character for character in last if character.isprintable())[:MAX_NAME]


def _is_zip(source: Source) -> bool:
    with source.opener() as stream:
        return stream.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


@contextmanager
def _archive(source: Source) -> Iterator[tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]]:
    with source.opener() as raw, _seekable(raw) as stream:
        try:
            archive = zipfile.ZipFile(stream)
        except _DAMAGED as error:
            raise rejected(source.name, "the zip archive is cut off or damaged", "copy or make it again") from error
        with archive:
            infos = [
                info for info in archive.infolist() if not info.is_dir() and not _is_added_by_system(info.filename)
            ]
            if not infos:
                raise rejected(source.name, "the zip archive is empty", "give an archive with the files in it")
            if len(infos) > MAX_MEMBERS:
                raise rejected(
                    source.name,
                    phrase("the archive has over {most:,} members", most=MAX_MEMBERS),
                    "split it",
                )
            total = sum(info.file_size for info in infos)
            if total > source.limits.expanded or total > max(MIN_BOMB_BYTES, source.size * MAX_RATIO):
                problem = phrase("the archive expands to {megabytes} MB", megabytes=total >> 20)
                raise rejected(source.name, problem, "check where it comes from; split it if it really is so large")
            yield archive, infos


@contextmanager
def _seekable(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    """The stream itself if it can seek, else a temporary copy: reading an archive begins at its end."""
    if stream.seekable():
        yield stream
        return
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as spool:
        shutil.copyfileobj(stream, spool, 1 << 20)
        spool.seek(0)
        yield cast("IO[bytes]", spool)


def _is_added_by_system(name: str) -> bool:
    """Whether an operating system added the member to the archive."""
    return name.startswith("__MACOSX/") or is_bystander(name.rsplit("/", 1)[-1])


def _unfit(info: zipfile.ZipInfo) -> Rejection | None:
    if info.flag_bits & 1:
        return Rejection("file", "the file in the archive has a password", "make the archive without a password")
    return None


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, number: int) -> Document:
    name = name_for_reports(info.filename)
    problem = _unfit(info)
    if problem is None and info.file_size > MAX_DOCUMENT:
        problem = _too_large()
    if problem is None:
        try:
            with archive.open(info) as stream:
                return _bounded(number, name, stream.read(MAX_DOCUMENT + 1))
        except _DAMAGED:
            problem = Rejection("file", "the file in the archive is damaged", "make the archive again")
    return Document(number, name, rejection=problem)


def _bounded(number: int, name: str, data: bytes) -> Document:
    problem = None
    if len(data) > MAX_DOCUMENT:
        problem = _too_large()
    elif not data.strip():
        problem = Rejection("file", "the file is empty", "export it again")
    elif data.startswith(_ARCHIVES):
        problem = Rejection("file", "the file is an archive within the archive", "unpack the inner archives first")
    return Document(number, name, b"" if problem else data, problem)


def _too_large() -> Rejection:
    return Rejection(
        "file", phrase("the file is over {megabytes} MB", megabytes=MAX_DOCUMENT >> 20), "give one patient a file"
    )
