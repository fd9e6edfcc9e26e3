"""Reading of an archive from its first byte to its last; every byte is verified before it is used."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zlib
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from core.errors import AppError
from core.tenancy.archive import sealing
from core.tenancy.archive.errors import ArchiveDamaged, ArchiveTooNew
from core.tenancy.archive.layout import (
    BLOB_PART,
    FORMAT,
    HEADER,
    KEYS,
    LARGEST_PART,
    MANIFEST,
    TABLE_PART,
    VERSION,
    BlobInfo,
    Header,
    Keys,
    Manifest,
    TableChecksum,
)
from core.tenancy.archive.tables import LineCounter

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

_M = TypeVar("_M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class TablePart:
    """Some lines of a table, in order."""

    table: str
    lines: bytes


@dataclass(frozen=True, slots=True)
class BlobPart:
    """Some bytes of a stored file, in order; ``number`` counts from 1."""

    key: str
    number: int
    content: bytes


@dataclass
class _Counts:
    """The sizes and counts read so far."""

    tables: dict[str, LineCounter] = field(default_factory=dict)
    blobs: dict[str, tuple[int, int, str]] = field(default_factory=dict)


class Archive:
    """An open archive: its header, its keys, and its parts, which can be read only one time.

    ``manifest`` is available at the end of ``parts``; by then all counts and checksums match.
    """

    def __init__(self, members: Iterator[tuple[str, bytes]], at_end: Callable[[], None]) -> None:
        self._members, self._at_end = members, at_end
        self.header = _parsed(Header, self._expect(HEADER))
        if self.header.format_version > VERSION:
            detail = (
                f"the archive has format version {self.header.format_version}, and this installation reads up to"
                f" {VERSION}; it was written by version {self.header.application} of the application"
            )
            raise ArchiveTooNew(detail)
        self.keys = _parsed(Keys, self._expect(KEYS))
        self.manifest: Manifest | None = None

    def _expect(self, name: str) -> bytes:
        member, content = next(self._members, ("", b""))
        if member != name:
            detail = f"the archive lacks {name} in its place"
            raise ArchiveDamaged(detail)
        return content

    def parts(self) -> Iterator[TablePart | BlobPart]:
        """Yield the parts of tables and stored files, each verified to be in its place; then compare the manifest.

        Raises:
            ArchiveDamaged: a part is missing, repeated or out of order, or differs from the manifest.
        """
        known = {table.name for table in self.header.tables}
        counting: dict[str, LineCounter] = {name: LineCounter() for name in known}
        numbers, before = dict[str, int](), ""
        stored: dict[str, tuple[int, object]] = {}
        for name, content in self._members:
            if name == MANIFEST:
                self._compare(_parsed(Manifest, content), counting, stored)
                break
            number, part = _part(name, content)
            prefix = name.rsplit("/", 1)[0]
            if number != numbers.get(prefix, 0) + 1 or (number > 1 and prefix != before):
                detail = f"{name} is out of order"
                raise ArchiveDamaged(detail)
            numbers[prefix], before = number, prefix
            if isinstance(part, BlobPart):
                size, digest = stored.setdefault(part.key, (0, hashlib.sha256()))
                digest.update(content)  # type: ignore[attr-defined]  # hashlib's type has no name
                stored[part.key] = (size + len(content), digest)
            elif part.table in known and content.endswith(b"\n"):
                counting[part.table].take(content)
            else:
                detail = f"{name} belongs to no table of the header, or is cut short"
                raise ArchiveDamaged(detail)
            yield part
        if self.manifest is None or next(self._members, None) is not None:
            detail = "the archive does not end with its manifest"
            raise ArchiveDamaged(detail)

    def read_to_its_end(self) -> None:
        """Verify that the file ends with its manifest, as its writer ended it.

        Raises:
            ArchiveDamaged: it does not.
        """
        self._at_end()

    def _compare(
        self, manifest: Manifest, counting: dict[str, LineCounter], stored: dict[str, tuple[int, object]]
    ) -> None:
        stated = manifest.model_dump(include=set(Header.model_fields) - {"left_out"})
        if stated != self.header.model_dump(exclude={"left_out"}):
            detail = "the archive's manifest and header do not belong together"
            raise ArchiveDamaged(detail)
        reject_difference({name: one.done() for name, one in counting.items()}, manifest.contents)
        files = [
            BlobInfo(key=key, size=size, sha256=digest.hexdigest())  # type: ignore[attr-defined]  # as above
            for key, (size, digest) in stored.items()
        ]
        if sorted(files, key=lambda one: one.key) != sorted(manifest.blobs, key=lambda one: one.key):
            detail = "the stored files of the archive differ from its manifest"
            raise ArchiveDamaged(detail)
        self.manifest = manifest


def reject_difference(actual: dict[str, TableChecksum], stated: dict[str, TableChecksum]) -> None:
    """Compare counts and checksums of tables.

    Raises:
        ArchiveDamaged: they differ; the message names the tables.
    """
    wrong = sorted(name for name in {*actual, *stated} if actual.get(name) != stated.get(name))
    if wrong:
        detail = f"rows or checksums differ from the manifest: {', '.join(wrong)}"
        raise ArchiveDamaged(detail)


def _part(name: str, content: bytes) -> tuple[int, TablePart | BlobPart]:
    if match := TABLE_PART.fullmatch(name):
        return int(match[2]), TablePart(match[1], content)
    if (match := BLOB_PART.fullmatch(name)) and ".." not in name:
        return int(match[2]), BlobPart(match[1], int(match[2]), content)
    detail = "the archive has an unexpected member"
    raise ArchiveDamaged(detail)


def _parsed(model: type[_M], content: bytes) -> _M:
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        places = ", ".join(".".join(str(part) for part in fault["loc"]) for fault in error.errors()[:5])
        detail = f"the archive's {model.__name__.lower()} does not fit the format {FORMAT}: {places}"
        raise ArchiveDamaged(detail) from None


@contextmanager
def opened(path: Path, identity: Path) -> Iterator[Archive]:
    """Open an archive with the private key in ``identity``. It is complete only if the block ends without an error.

    Raises:
        NotFound: one of the files does not exist.
        Invalid: the key file holds no private key.
        WrongIdentity: the archive is sealed to another key.
        ArchiveDamaged: it was altered, cut short or made by another program.
        ArchiveTooNew: a newer version of the application wrote it.
    """
    key = sealing.identity(identity)
    with sealing.opened(path, key) as stream:
        try:
            with closing(_members(stream)) as members:
                archive = Archive(members, stream.finish)
                yield archive
        except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
            if isinstance(error, AppError):
                raise
            if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
                raise
            detail = "the archive was cut short, or is not an archive"
            raise ArchiveDamaged(detail) from error
        if archive.manifest is None:
            detail = "the archive does not end with its manifest"
            raise ArchiveDamaged(detail)


def _members(stream: sealing.UnsealedStream) -> Generator[tuple[str, bytes], None, None]:
    with gzip.GzipFile(fileobj=stream.plain, mode="rb") as unzipped, tarfile.open(fileobj=unzipped, mode="r|") as tar:
        while (member := tar.next()) is not None:
            if not member.isfile() or member.size > LARGEST_PART:
                detail = "the archive has a member that is not a file, or too large"
                raise ArchiveDamaged(detail)
            source = tar.extractfile(member)
            assert source is not None  # noqa: S101 - it is a file
            content = source.read()
            tar.members.clear()  # type: ignore[attr-defined]  # it remembers all, and there may be very many
            yield member.name, content
        while unzipped.read(1 << 20):
            pass
