"""Writing of a tenant's archive: reads one snapshot of its records, decrypts it, and seals it to the recipient.

Memory and disk hold only one part at a time, and no plain text ever reaches the disk.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, cast

from core import audit, blobs
from core.audit import sealer
from core.clock import now
from core.database import TenantUpgrading, tenant_session
from core.errors import Conflict, NotFound, Unavailable
from core.privacy import tenant_keys
from core.tenancy.archive import sealing
from core.tenancy.archive.files import referred as referred_files
from core.tenancy.archive.layout import (
    FORMAT,
    HEADER,
    KEYS,
    MANIFEST,
    PART,
    VERSION,
    AuditHead,
    BlobInfo,
    Header,
    Keys,
    Manifest,
    OmittedPart,
    TableChecksum,
    TableInfo,
    TenantInfo,
)
from core.tenancy.archive.snapshot import revision_of, snapshot
from core.tenancy.archive.tables import LineCounter, blocks, left_out, tables_of
from core.tenancy.service import describe_tenant

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from core.database import TenantRef, TenantSession
    from core.telemetry.progress import ProgressCallback

_LEVEL = 3
"""The level of gzip: lines are so alike that a higher one hardly makes them smaller."""

_GZIP = 31
"""zlib's number for the gzip format with the largest window."""


@dataclass(frozen=True, slots=True)
class WrittenArchive:
    """A written archive.

    Attributes:
        sha256: of the file on disk, so that a copy can be compared.
        missing: stored files that rows refer to and the store lacks.
    """

    manifest: Manifest
    size: int
    sha256: str
    missing: list[str]


def export(
    slug: str,
    target: Path,
    recipient: Path,
    *,
    actor: str,
    progress: ProgressCallback = lambda _done, _total, _table: None,
) -> WrittenArchive:
    """Write the tenant's archive to ``target``, which appears complete or not at all.

    Args:
        slug: the tenant's; it may be suspended or scheduled for deletion.
        target: a file that does not exist yet.
        recipient: a file with the recipient's public key.
        actor: who asks; the audit records it, and so does the archive.
        progress: receives how many rows of a table are done, and the table's name.

    Raises:
        NotFound: no tenant has this slug, or the key file does not exist.
        Invalid: the key file holds no public key.
        Conflict: ``target`` exists, or the tenant was migrated or moved meanwhile.
        CannotDecrypt: a stored value cannot be decrypted.
        Unavailable: ``target`` cannot be written, or a database cannot be reached.
    """
    to = sealing.recipient(recipient)
    tenant = describe_tenant(slug)
    if tenant.phase in ("restoring", "purging"):
        detail = f"the tenant {slug!r} is {tenant.phase}: its data are incomplete, so it cannot be exported"
        raise Conflict(detail)
    if target.exists():
        detail = f"{target.name} exists already"
        raise Conflict(detail, remedy="choose another name, or remove the file")
    ref = tenant.ref()
    info = TenantInfo(id=ref.id, slug=ref.slug, name=ref.name, time_zone=ref.time_zone, created_at=tenant.created_at)
    with tenant_session(ref, actor=actor) as session:
        audit.record(session, "cli:tenant:export", "tenant", ref.id)
    with suppress(TenantUpgrading):  # a schema older than seals is exported as it is
        sealer.seal(ref)
    writer = _Writer(ref, info, actor, progress)
    draft = target.with_name(f".{target.name}.part")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(handle, "wb") as out:
                sealing.seal(writer.pieces(), out, to)
                out.flush()
                os.fsync(out.fileno())
            with draft.open("rb") as done:
                sha256 = hashlib.file_digest(done, "sha256").hexdigest()
            draft.rename(target)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        detail = f"the archive {target} cannot be written: {error.strerror or error}"
        raise Unavailable(detail, remedy="free some space, or name a file in a folder that you can write to") from error
    assert writer.manifest is not None  # noqa: S101 - set by the last piece
    return WrittenArchive(writer.manifest, target.stat().st_size, sha256, writer.missing)


class _Writer:
    """The members of one archive, as the bytes of a compressed tar."""

    def __init__(self, tenant: TenantRef, info: TenantInfo, actor: str, progress: ProgressCallback) -> None:
        self._tenant, self._info, self._actor, self._progress = tenant, info, actor, progress
        self._zipped = zlib.compressobj(_LEVEL, wbits=_GZIP)
        self._moment = now()
        self._contents: dict[str, TableChecksum] = {}
        self._blobs: list[BlobInfo] = []
        self.missing: list[str] = []
        self.manifest: Manifest | None = None

    def pieces(self) -> Generator[bytes, None, None]:
        """Yield the bytes, member after member."""
        listed = blobs.permanent_keys(self._tenant)
        with snapshot(self._tenant, actor=self._actor) as session:
            header = self._header(session)
            yield self._member(HEADER, header.model_dump_json(indent=1).encode())
            keys = Keys(index=tenant_keys.index_key(session).hex())
            yield self._member(KEYS, keys.model_dump_json().encode())
            for table in header.tables:
                yield from self._table(session, table)
            referred = referred_files(session, header.tables)
            head = self._head(session, header.tables)
        # The store may be slow, so it is read when no transaction is open. A file exists before the row that refers to
        # it, but perhaps not yet when the store was listed. A file without a row may be gone since.
        for key in sorted({*listed, *referred}):
            yield from self._blob(key, needed=key in referred)
        self._reject_if_changed(header)
        lacking = [
            OmittedPart(what=f"file {key}", why="a row refers to it, but the store lacks it") for key in self.missing
        ]
        self.manifest = Manifest(
            **{**header.model_dump(), "left_out": [*header.left_out, *lacking]},
            contents=self._contents,
            blobs=self._blobs,
            audit=head,
        )
        yield self._member(MANIFEST, self.manifest.model_dump_json(indent=1).encode())
        yield self._zipped.compress(bytes(2 * tarfile.BLOCKSIZE)) + self._zipped.flush()

    def _header(self, session: TenantSession) -> Header:
        return Header(
            format=cast("object", FORMAT),  # type: ignore[arg-type]  # pydantic checks the literal
            format_version=VERSION,
            application=version("iit-platform"),
            revision=revision_of(session),
            made_at=self._moment,
            tenant=self._info,
            tables=tables_of(session.cursor().connection, self._tenant.schema_name),
            left_out=left_out(),
        )

    def _table(self, session: TenantSession, table: TableInfo) -> Iterator[bytes]:
        counting = LineCounter()
        for number, block in enumerate(blocks(session, table), start=1):
            counting.take(block)
            yield self._member(f"tables/{table.name}/{number:06}.ndjson", block)
            self._progress(counting.rows, None, table.name)
        self._contents[table.name] = counting.done()

    def _blob(self, key: str, *, needed: bool) -> Iterator[bytes]:
        try:
            stream = blobs.open(self._tenant, key)
        except NotFound:
            if needed:
                self.missing.append(key)
            return
        digest, size, number = hashlib.sha256(), 0, 0
        with stream:
            while (part := stream.read(PART)) or not number:
                number, size = number + 1, size + len(part)
                digest.update(part)
                yield self._member(f"blobs/{key}/{number:06}", part)
        self._blobs.append(BlobInfo(key=key, size=size, sha256=digest.hexdigest()))

    def _head(self, session: TenantSession, tables: list[TableInfo]) -> AuditHead | None:
        if not any(table.name == "audit_seals" for table in tables):
            return None  # a schema older than seals
        query = "SELECT number, digest FROM audit_seals ORDER BY number DESC LIMIT 1"
        row = session.cursor().execute(query).fetchone()
        return AuditHead(seal=row[0], digest=bytes(row[1]).hex()) if row else None

    def _reject_if_changed(self, header: Header) -> None:
        """Reject an export during which the tenant was migrated, moved or unarchived.

        After a migration or a move, the snapshot and the catalogue may differ in form. When a stored file was turned
        back into rows meanwhile, the archive would hold neither.
        """
        with snapshot(self._tenant, actor=self._actor) as session:
            tables = tables_of(session.cursor().connection, self._tenant.schema_name)
            changed = tables != header.tables
            taken_back = not changed and set(self.missing) - referred_files(session, tables)
        if changed or describe_tenant(self._info.slug).ref().schema_name != self._tenant.schema_name:
            detail = "the tenant was migrated or moved while it was exported"
            raise Conflict(detail, remedy="run the export again")
        if taken_back:
            detail = "stored files of the tenant went back into its tables, or were removed, while it was exported"
            raise Conflict(detail, remedy="run the export again")

    def _member(self, name: str, content: bytes) -> bytes:
        """The next member's bytes, compressed."""
        member = tarfile.TarInfo(name)
        member.size, member.mtime, member.mode = len(content), int(self._moment.timestamp()), 0o600
        filling = bytes(-len(content) % tarfile.BLOCKSIZE)
        return b"".join(self._zipped.compress(part) for part in (member.tobuf(tarfile.PAX_FORMAT), content, filling))
