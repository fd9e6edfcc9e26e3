"""Making a tenant of an archive: whole and verified, or not at all.

The tenant's row comes first, in the phase ``restoring``: nobody can use it, and a run that was killed is known by it,
cleared away by the next, and begun again. Schema, keys and rows are one transaction; stored files follow; when all was
found to be as the manifest says, the tenant becomes active.
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
from core.tenancy.archive.reading import Archive, BlobPart, TablePart, refuse_difference
from core.tenancy.archive.sealing import Stream
from core.tenancy.archive.tombstones import refuse_gone
from core.tenancy.models import Tenant
from core.tenancy.provisioning import new_schema_name, place_of, provision
from core.tenancy.service import check, describe_tenant
from core.tenancy.turns import turn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlmodel import Session

    from core.database import TenantRef
    from core.tenancy.archive.layout import Counted, Header, Manifest


@dataclass(frozen=True, slots=True)
class Restored:
    """A tenant that was made of an archive.

    Attributes:
        api_key: its first, shown once and nowhere kept.
        found: table -> rows and checksum as read back from the database, equal to those of the manifest.
    """

    ref: TenantRef
    manifest: Manifest
    found: dict[str, Counted]
    api_key: str = field(repr=False)


def import_archive(
    path: Path,
    identity: Path,
    *,
    actor: str,
    slug: str | None = None,
    database: str = DEFAULT_DATABASE,
    progress: Callable[[str, int], None] = lambda _what, _rows: None,
) -> Restored:
    """Make a tenant of an archive.

    Args:
        path: the archive.
        identity: a file with the private key that it is sealed to.
        actor: who asks.
        slug: the tenant's new slug; the one that it had when None.
        database: the data database that it is to be in.
        progress: told of the table that is being loaded, and how many bytes of it so far.

    Raises:
        NotFound: there is no such file.
        WrongIdentity: the archive is sealed to another key.
        ArchiveDamaged: it is not as it was written.
        ArchiveTooNew: a newer version of the application wrote it.
        Invalid: the slug or the database is not acceptable.
        Conflict: the slug is taken, or somebody else makes, moves or deletes a tenant of it right now.
    """
    with reading.opened(path, identity) as archive:
        header = archive.header
        _refuse_unknown(header)
        wanted = slug or header.tenant.slug
        check(wanted, header.tenant.name, header.tenant.time_zone, database)
        with turn(wanted):
            ref = _reserve(header, wanted, database, actor)
            try:
                found = _fill(archive, ref, actor, progress)
                return _activate(archive, ref, found, actor)
            except BaseException:
                with suppress(AppError):  # what cannot be cleared away now, the next run clears away
                    _clear(ref)
                raise


def give_up(slug: str) -> None:
    """Clear away what a restore that was cut off has left, so that nothing is left of it.

    Raises:
        NotFound: there is no such tenant.
        Conflict: it was restored whole; or it is being restored right now.
    """
    with turn(slug):
        row = describe_tenant(slug)
        if row.phase != "restoring":
            detail = f"the tenant {slug!r} is whole"
            raise Conflict(detail, command="`iit tenant delete` asks for its deletion")
        _clear(row.ref())


def _refuse_unknown(header: Header) -> None:
    if header.revision not in revisions("tenant"):
        detail = (
            f"the archive stands at the migration {header.revision} and this installation knows up to {head('tenant')};"
            f" it was written by version {header.application} of the application"
        )
        raise ArchiveTooNew(detail)


def _reserve(header: Header, slug: str, database: str, actor: str) -> TenantRef:
    """The tenant's row, so that its slug is taken; what a killed run left is cleared away first."""
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
        refuse_gone(session, slug, origin=header.tenant.id)
        if _row(session, slug) is not None:
            detail = f"a tenant {slug!r} exists already"
            raise Conflict(detail, command="give another slug with --slug")
        session.add(row)
    return ref


def _row(session: Session, slug: str) -> Tenant | None:
    from sqlalchemy import select

    return session.scalar(select(Tenant).where(Tenant.slug == slug))  # type: ignore[arg-type]  # SQLModel's column


def _clear(ref: TenantRef) -> None:
    """Remove all that an unfinished restore made, its row last."""
    placing.drop_schema(ref.database, ref.schema_name, unfinished=True)
    blobs.delete_tenant(ref)
    with owner_session() as session:
        session.execute(text("DELETE FROM platform.tenants WHERE id = :id AND phase = 'restoring'"), {"id": ref.id})


def _fill(archive: Archive, ref: TenantRef, actor: str, progress: Callable[[str, int], None]) -> dict[str, Counted]:
    """Schema, keys, rows and stored files; what is in the tables then, at the archive's own revision."""
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
                progress(part.table, size)
            found = loader.finish()
            _bring_to_head(session, archive.header.revision)
            publish(session, "tenant.restored", {})
            with session.begin_nested():  # written now: this session is within the owner's and does not commit
                told = {"from_tenant": str(archive.header.tenant.id)}
                audit.record(session, "cli:tenant:import_archive", "tenant", ref.id, told)
    if first is not None:
        _store(ref, chain([first], parts))
    return found


def _place(session: Session, ref: TenantRef, revision: str) -> None:
    """The tenant's role and schema as they were at ``revision``."""
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
                detail = "the archive's tables do not all come before its stored files"
                raise ArchiveDamaged(detail)
            yield part

    for key, pieces in groupby(only_blobs(), key=lambda part: part.key):
        blobs.put_back(ref, key, cast("BinaryIO", Stream(part.content for part in pieces)))


def _activate(archive: Archive, ref: TenantRef, found: dict[str, Counted], actor: str) -> Restored:
    """Compare what was read back with the manifest, and open the tenant.

    Raises:
        ArchiveDamaged: rows or checksums differ.
    """
    archive.read_to_its_end()
    assert archive.manifest is not None  # noqa: S101 - it was compared at the end of the parts
    refuse_difference(found, archive.manifest.contents)
    with owner_session() as session:
        row = session.get(Tenant, ref.id, with_for_update=True)
        if row is None or row.phase != "restoring":
            detail = "the tenant was cleared away while it was restored"
            raise Conflict(detail, remedy="run the import again")
        row.phase = row.phase_since = row.phase_by = None
        row.state, row.updated_at = "active", now()
        key = issue(session, ref.id, created_by=actor)
        record_act(session, "cli:tenant:import_archive", actor=actor, tenant_id=ref.id, detail={"slug": row.slug})
        done = row.ref()
    sealer.seal(done)
    return Restored(done, archive.manifest, found, key.plaintext)
