"""The file of a backup: a readable header, then a sealed stream of a manifest and a dump.

The key derives from the master key and the tenant's id, not from the tenant's own keys. Those are in the dump, so a
tenant whose schema is lost can still be restored. docs/how-to/back-up-and-restore.md names the parts of the file.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.blobs import sealed
from core.errors import Invalid, Unavailable
from core.privacy import master

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"IITTENANT\x01"
DRAFT = ".partial"
"""The ending of a file's name while it is written; the name also begins with a dot."""

_LENGTH = struct.Struct(">I")
_LONGEST_HEADER = 10_000
_LONGEST_MANIFEST = 200_000_000


@dataclass(frozen=True, slots=True)
class Header:
    """The readable part of a backup: its tenant's id, its time, and which master key opens it."""

    tenant_id: str
    made_at: str
    master_kid: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The origin of the dump.

    Attributes:
        tenant: the tenant's row in ``platform.tenants``.
        schema: the name of its schema.
        revision: the schema's migration.
        tables: name -> the number of rows and the sum of their hashes, in the dump's snapshot.
        jobs: its rows in ``node.jobs`` that had not ended.
        events: its rows in ``node.outbox`` that had not been forwarded; none in backups of earlier versions.
    """

    tenant: dict[str, Any]
    schema: str
    revision: str
    tables: dict[str, dict[str, Any]]
    jobs: list[dict[str, Any]]
    events: list[dict[str, Any]] = field(default_factory=list)


class _JoinedStream(io.RawIOBase):
    """The bytes first, then the stream."""

    def __init__(self, first: bytes, then: BinaryIO) -> None:
        super().__init__()
        self._first, self._then = io.BytesIO(first), then

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill the buffer; 0 at the end."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]  # a buffer, as RawIOBase says
        data = self._first.read(len(view)) or self._then.read(len(view))
        view[: len(data)] = data
        return len(data)


def write(file: Path, tenant_id: UUID, made_at: str, manifest: Manifest, dump: BinaryIO) -> dict[str, Any]:
    """Write a backup, complete or not at all. Return the size and SHA-256 of the sealed data.

    Raises:
        Unavailable: the file cannot be written.
    """
    kid, key = master.current()
    header = json.dumps(asdict(Header(str(tenant_id), made_at, kid)), sort_keys=True).encode()
    described = json.dumps(asdict(manifest)).encode()
    draft = file.with_name(f".{file.name}{DRAFT}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as target:
            target.write(MAGIC + _LENGTH.pack(len(header)) + header)
            source = cast("BinaryIO", io.BufferedReader(_JoinedStream(_LENGTH.pack(len(described)) + described, dump)))
            size, digest = sealed.write(source, target, _key(key, tenant_id), _bound_to(header))
            target.flush()
            os.fsync(target.fileno())
        draft.replace(file)
    except OSError as error:
        detail = f"the backup {file} cannot be written: {error.strerror or error}"
        raise Unavailable(detail, remedy="free some space, or name a file elsewhere") from error
    finally:
        draft.unlink(missing_ok=True)
    return {"bytes": size, "sha256": digest}


def header_of(file: Path) -> Header:
    """The readable header of a backup, not verified.

    Raises:
        Invalid: the file is not a backup.
    """
    with _source(file) as source:
        return _header(file, source)[1]


def _source(file: Path) -> BinaryIO:
    try:
        return file.open("rb")
    except OSError as error:
        detail = f"the backup {file} cannot be read: {error.strerror or error}"
        raise Invalid(detail, command="name a file that `iit tenant backup` wrote") from error


def _header(file: Path, source: BinaryIO) -> tuple[bytes, Header, UUID]:
    """Read the header: its bytes, its content and the tenant's id. The stream continues behind it."""
    start = source.read(len(MAGIC) + _LENGTH.size)
    length = _LENGTH.unpack(start[len(MAGIC) :])[0] if len(start) == len(MAGIC) + _LENGTH.size else 0
    if not start.startswith(MAGIC) or not 0 < length <= _LONGEST_HEADER:
        raise _no_backup(file)
    raw = source.read(length)
    try:
        header = Header(**json.loads(raw))
        return raw, header, UUID(header.tenant_id)
    except (ValueError, TypeError, AttributeError) as error:
        raise _no_backup(file) from error


@contextmanager
def opened(file: Path) -> Iterator[tuple[Header, Manifest, BinaryIO]]:
    """Open a backup: its header, its manifest, and its dump as a stream that verifies each chunk before returning it.

    Raises:
        Invalid: the file is not a backup, or was altered.
        MasterKeyMissing: another master key sealed it.
        BlobDamaged: it was altered or cut short; also raised while the stream is read.
    """
    with _source(file) as source:
        raw, header, tenant_id = _header(file, source)
        key = _key(master.by_kid(header.master_kid), tenant_id)
        plain = io.BufferedReader(sealed.SealedReader(source, key, _bound_to(raw)), buffer_size=sealed.CHUNK)
        described = _LENGTH.unpack(plain.read(_LENGTH.size))[0]
        if described > _LONGEST_MANIFEST:
            raise _no_backup(file)
        manifest = Manifest(**json.loads(plain.read(described)))
        yield header, manifest, cast("BinaryIO", plain)


def _key(master_key: bytes, tenant_id: UUID) -> bytes:
    info = b"iit tenant backup|" + str(tenant_id).encode()
    return HKDF(algorithm=SHA256(), length=sealed.KEY_BYTES, salt=None, info=info).derive(master_key)


def _bound_to(header: bytes) -> str:
    return f"backup|{hashlib.sha256(header).hexdigest()}"


def _no_backup(file: Path) -> Invalid:
    detail = f"{file} is not a backup of a tenant"
    return Invalid(detail, command="name a file that `iit tenant backup` wrote")
