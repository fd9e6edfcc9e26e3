"""Creation of a tenant from an archive: complete and verified, or not at all.

The tenant's row comes first, in the phase ``restoring``: nobody can use it. By this phase the next run recognises what
a killed run left, removes it and starts again. Schema, keys and rows are one transaction; stored files follow. The
tenant becomes active when everything matches the manifest.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, groupby
from typing import TYPE_CHECKING, BinaryIO, cast

from sqlalchemy import text
from uuid_utils.compat import uuid7

from core import audit, blobs
from core.audit import sealer
from core.audit.platform import record_act
from core.clock import now
from core.database import DEFAULT_DATABASE, TenantSession, owner_session, psycopg_connection
from core.database.scripts import head, revisions, upgrade_schema
from core.errors import AppError, Conflict
from core.events import publish
from core.identity.keys import issue
from core.privacy import create_tenant_keys
from core.tenancy import placing
from core.tenancy.archive import reading
from core.tenancy.archive.errors import ArchiveDamaged, ArchiveTooNew
from core.tenancy.archive.loading import Loader
from core.tenancy.archive.reading import Archive, BlobPart, TablePart, reject_difference
from core.tenancy.archive.sealing import Stream
from core.tenancy.archive.tombstones import reject_gone
from core.tenancy.models import Tenant
from core.tenancy.provisioning import new_schema_name, place_of, provision
from core.tenancy.service import check, describe_tenant
from core.tenancy.tenant_lock import tenant_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlmodel import Session

    from core.database import TenantRef
    from core.telemetry.progress import ProgressCallback
    from core.tenancy.archive.layout import Header, Manifest, TableChecksum


@dataclass(frozen=True, slots=True)
class RestoredTenant:
    """A tenant that was created from an archive.

    Attributes:
        api_key: its first API key, which is stored nowhere and shown only now.
        contents: table -> rows and checksum as read back from the database, equal to those of the manifest.
    """

    ref: TenantRef
    manifest: Manifest
    contents: dict[str, TableChecksum]
    api_key: str = field(repr=False)


def import_archive(
    path: Path,
    identity: Path,
    *,
    actor: str,
    slug: str | None = None,
    database: str = DEFAULT_DATABASE,
    progress: ProgressCallback = lambda _done, _total, _table: None,
) -> RestoredTenant:
    """Create a tenant from an archive.

    Args:
        path: the archive.
        identity: a file with the private key that opens it.
        actor: who asks.
        slug: the tenant's new slug; its old one when None.
        database: the data database to restore into.
        progress: receives how many bytes of all tables are done, and the table that is being loaded.

    Raises:
        NotFound: the file does not exist.
        WrongIdentity: the archive is sealed to another key.
        ArchiveDamaged: the archive was changed after it was written.
        ArchiveTooNew: a newer version of the application wrote it.
        Invalid: the slug or the database is not acceptable.
        Conflict: the slug is taken, or another process creates, moves or deletes a tenant with it.
    """
    with reading.opened(path, identity) as archive:
        header = archive.header
        _reject_unknown(header)
        wanted = slug or header.tenant.slug
        check(wanted, header.tenant.name, header.tenant.time_zone, database)
        with tenant_lock(wanted):
            ref = _reserve(header, wanted, database, actor)
            try:
                contents = _fill(archive, ref, actor, progress)
                return _activate(archive, ref, contents, actor)
            except BaseException:
                with suppress(AppError):  # if this fails, the next run clears it away
                    _clear(ref)
                raise


def give_up(slug: str) -> None:
    """Remove everything that an interrupted restore left.

    Raises:
        NotFound: no tenant has this slug.
        Conflict: the restore is complete, or still running.
    """
    with tenant_lock(slug):
        row = describe_tenant(slug)
        if row.phase != "restoring":
            detail = f"the tenant {slug!r} is completely restored"
            raise Conflict(detail, command="to delete it, run `iit tenant delete`")
        _clear(row.ref())


def _reject_unknown(header: Header) -> None:
    if header.revision not in revisions("tenant"):
        detail = (
            f"the archive has the migration {header.revision} and this installation knows up to {head('tenant')};"
            f" it was written by version {header.application} of the application"
        )
        raise ArchiveTooNew(detail)


def _reserve(header: Header, slug: str, database: str, actor: str) -> TenantRef:
    """Create the tenant's row, which reserves its slug, after removing the remains of a killed run."""
    with owner_session() as session:
        left = _row(session, slug)
        unfinished = left.ref() if left is not None and left.phase == "restoring" else None
    if unfinished is not None:
        _clear(unfinished)
    schema, moment = new_schema_name(), now()
    row = Tenant(
        id=uuid7(),
        slug=slug,
        name=header.tenant.name,
        state="suspended",
        database=database,
        schema_name=schema,
        role_name=schema,
        time_zone=header.tenant.time_zone,
        created_at=header.tenant.created_at,
        phase="restoring",
        phase_since=moment,
        phase_by=actor,
    )
    ref = row.ref()
    with owner_session() as session:
        reject_gone(session, slug, origin=header.tenant.id)
        if _row(session, slug) is not None:
            detail = f"a tenant {slug!r} exists already"
            raise Conflict(detail, command="give another slug with --slug")
        session.add(row)
    return ref


def _row(session: Session, slug: str) -> Tenant | None:
    from sqlalchemy import select

    return session.scalar(select(Tenant).where(Tenant.slug == slug))  # type: ignore[arg-type]  # SQLModel's column


def _clear(ref: TenantRef) -> None:
    """Remove everything that an unfinished restore created, its row last."""
    placing.drop_schema(ref.database, ref.schema_name, unfinished=True)
    blobs.delete_tenant(ref)
    with owner_session() as session:
        session.execute(text("DELETE FROM platform.tenants WHERE id = :id AND phase = 'restoring'"), {"id": ref.id})


def _fill(archive: Archive, ref: TenantRef, actor: str, progress: ProgressCallback) -> dict[str, TableChecksum]:
    """Load schema, keys, rows and stored files; return the tables' counts at the archive's own revision."""
    parts = archive.parts()
    first: BlobPart | None = None
    with owner_session(ref.database) as outer:
        _place(outer, ref, archive.header.revision)
        with TenantSession(outer.connection(), ref, actor=actor, as_owner=True) as session:
            create_tenant_keys(session, index=bytes.fromhex(archive.keys.index))
            loader, size = Loader(session, archive.header), 0
            for part in parts:
                if isinstance(part, BlobPart):
                    first = part
                    break
                size += len(part.lines)
                loader.take(part)
                progress(size, None, part.table)
            contents = loader.finish()
            _bring_to_head(session, archive.header.revision)
            publish(session, "tenant.restored", {})
            with session.begin_nested():  # flush now: this session is inside the owner's and does not commit
                origin = {"from_tenant": str(archive.header.tenant.id)}
                audit.record(session, "cli:tenant:import_archive", "tenant", ref.id, origin)
    if first is not None:
        _store(ref, chain([first], parts))
    return contents


def _place(session: Session, ref: TenantRef, revision: str) -> None:
    """Create the tenant's role and schema as they were at ``revision``."""
    connection = psycopg_connection(session)
    if revision == head("tenant"):
        provision(connection, ref.id, ref.schema_name)
        return
    connection.execute(place_of(connection, ref.id, ref.schema_name, revision))
    upgrade_schema(session.connection(), "tenant", ref.schema_name, to=revision)


def _bring_to_head(session: TenantSession, revision: str) -> None:
    if revision == head("tenant"):
        return
    upgrade_schema(session.connection(), "tenant", session.tenant.schema_name)
    session.execute(
        text("UPDATE node.tenant_schemas SET revision = :revision, migrated_at = now() WHERE schema_name = :schema"),
        {"revision": head("tenant"), "schema": session.tenant.schema_name},
    )


def _store(ref: TenantRef, parts: Iterator[TablePart | BlobPart]) -> None:
    def only_blobs() -> Iterator[BlobPart]:
        for part in parts:
            if isinstance(part, TablePart):
                detail = "the archive has a table after its stored files"
                raise ArchiveDamaged(detail)
            yield part

    for key, pieces in groupby(only_blobs(), key=lambda part: part.key):
        blobs.put_back(ref, key, cast("BinaryIO", Stream(part.content for part in pieces)))


def _activate(archive: Archive, ref: TenantRef, contents: dict[str, TableChecksum], actor: str) -> RestoredTenant:
    """Compare the restored rows with the manifest, and activate the tenant.

    Raises:
        ArchiveDamaged: rows or checksums differ.
    """
    archive.read_to_its_end()
    assert archive.manifest is not None  # noqa: S101 - it was compared at the end of the parts
    reject_difference(contents, archive.manifest.contents)
    with owner_session() as session:
        row = session.get(Tenant, ref.id, with_for_update=True)
        if row is None or row.phase != "restoring":
            detail = "another command removed the tenant while it was restored"
            raise Conflict(detail, remedy="run the import again")
        row.phase = row.phase_since = row.phase_by = None
        row.state, row.updated_at = "active", now()
        key = issue(session, ref.id, created_by=actor)
        record_act(session, "cli:tenant:import_archive", actor=actor, tenant_id=ref.id, detail={"slug": row.slug})
        done = row.ref()
    sealer.seal(done)
    return RestoredTenant(done, archive.manifest, contents, key.plaintext)
