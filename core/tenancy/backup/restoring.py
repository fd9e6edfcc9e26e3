"""Restoring a tenant: beside what is there, verified, and only then in its place.

What must not go back in time does not: the audit goes on, keys that were added stay, and whom the tenant has erased
since stays erased.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO
from uuid import UUID

from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy import select

from core import audit
from core.clock import now
from core.database import (
    DEFAULT_DATABASE,
    TenantBase,
    TenantRef,
    owner_connection,
    owner_session,
    psycopg_connection,
    tenant_session,
)
from core.database.scripts import head, revisions, upgrade_schema
from core.errors import Conflict
from core.features import load_tables
from core.identity.operator import ACTOR
from core.tenancy import placing, shape
from core.tenancy.archive.deleting import refuse_moving
from core.tenancy.archive.tombstones import refuse_gone
from core.tenancy.backup.dump import load
from core.tenancy.backup.gone import take_back_audit
from core.tenancy.models import Tenant
from core.tenancy.models_places import RetiredSchema
from core.tenancy.provisioning import make_role, new_schema_name
from core.tenancy.service import check, describe_tenant

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from core.tenancy.backup.container import Manifest

ALWAYS_KEPT = ("core.audit.", "core.privacy.")
"""Rooms whose rows are added and never changed back: those that the backup lacks are taken over from the present."""

ERASED = "patient_keys"
PATIENCE = 30.0
"""Seconds for which a transaction of the tenant that writes is waited for."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A restore that is done.

    Attributes:
        ref: the tenant, where it is now.
        rows: rows restored, compared with those of the backup.
        blocked_seconds: how long nothing could be written; 0 for a tenant that was not there.
        left: schema and role that the tenant was in before, None where it was not there.
    """

    ref: TenantRef
    rows: int
    blocked_seconds: float
    left: TenantRef | None


def restore(
    slug: str,
    manifest: Manifest,
    dump: BinaryIO,
    *,
    new_slug: str | None = None,
    database: str = DEFAULT_DATABASE,
    actor: str = ACTOR,
    why: str,
    passed: Callable[[str], None] = lambda _point: None,
) -> Restored:
    """Put a tenant back to what the backup holds, or bring one back that is no longer there.

    Args:
        slug: whose; it must be the tenant of the backup.
        manifest: what the dump is of.
        dump: as pg_dump wrote it.
        new_slug: what it is called from now on, for a tenant that is not there.
        database: where to, for a tenant that is not there.
        actor: who restores; the audit says so.
        why: what it goes back to, for the audit: the moment, no more.
        passed: gets the name of each point at which the restore can be cut off (tests).

    Raises:
        Conflict: the backup is another tenant's, or newer than this version, or does not hold what it says.
        NotFound: neither the tenant nor its backup is of that name.
        Unavailable: a transaction of the tenant takes too long; nothing was changed.
    """
    tenant_id = UUID(manifest.tenant["id"])
    present = _present(slug, tenant_id, manifest, new_slug, database)
    if manifest.revision not in revisions("tenant"):
        detail = f"the backup stands at the migration {manifest.revision}, which this version does not know"
        raise Conflict(detail, remedy="restore it with the newer version that made it")
    place = present.database if present else database
    schema = new_schema_name()
    placing.announce(tenant_id, place, schema)
    try:
        rows = _load(place, schema, manifest, dump)
    except BaseException:
        placing.drop_retired(tenant_id, only=schema, early=True)
        raise
    passed("loaded")
    if present is None:
        ref = _made_known(tenant_id, manifest, new_slug or slug, place, schema)
        blocked = 0.0
    else:
        try:
            _keep_present(present, schema)
            with placing.fence(present, patience=PATIENCE) as held:
                _keep_present(present, schema)
                placing.expel(present, successor=schema)
                passed("expelled")
                ref = placing.switch(present, place, schema, reason="restored", grace=placing.GRACE)
                passed("switched")
                placing.bring_rows(ref, also=lambda connection: _set_jobs_back(connection, ref, manifest))
        except BaseException:
            _undo(present, schema)
            raise
        blocked = held.seconds
    with tenant_session(ref, actor=actor) as session:
        audit.record(session, "cli:tenant:restore", "tenant", ref.id, {"to": why, "rows": rows})
    return Restored(ref, rows, blocked, present)


def _present(slug: str, tenant_id: UUID, manifest: Manifest, new_slug: str | None, database: str) -> TenantRef | None:
    """The tenant as it is, None where it is not there.

    Raises:
        Conflict: the backup is another tenant's; or it is to have another name and is there; or that name is another's.
        Invalid: what it is to be called, or the database that it is to be in, is not acceptable.
        NotFound: ``slug`` is neither there nor what the backup's tenant was called.
    """
    with owner_session() as session:
        row = session.get(Tenant, tenant_id)
        if row is not None:
            refuse_moving(session, row)  # else its half copy would be forgotten, and stay
        there = row.ref() if row else None
    if there is not None:
        if new_slug is not None:
            detail = f"the tenant of the backup is here, as {there.slug!r}: its keys and rows are bound to its identity"
            command = "restore it in place; for a copy under another name use an archive (iit tenant export)"
            raise Conflict(detail, command=command)
        if there.slug != slug:
            detail = f"the backup is of {there.slug!r}, not of {slug!r}"
            raise Conflict(detail, remedy=f"name {there.slug!r}, or another file")
        if there.state not in {"active", "suspended"}:
            detail = f"the tenant {slug!r} is {there.state}"
            raise Conflict(detail, remedy="wait until that is over")
        return there
    if slug != manifest.tenant["slug"]:
        describe_tenant(slug)  # says that there is none
        detail = f"the backup is not of {slug!r}"
        raise Conflict(detail, remedy="name the tenant that the backup was made of")
    wanted = new_slug or slug
    check(wanted, manifest.tenant["name"], manifest.tenant["time_zone"], database)
    with owner_session() as session:
        refuse_gone(session, wanted, origin=tenant_id)
        taken = session.scalar(select(Tenant).where(Tenant.slug == wanted))  # type: ignore[arg-type]  # SQLModel's column
    if taken is not None:
        detail = f"a tenant {wanted!r} exists already"
        raise Conflict(detail, command="give it another name with --as")
    return None


def _load(database: str, schema: str, manifest: Manifest, dump: BinaryIO) -> int:
    """Bring the dump into a new schema, compare it with the manifest, bring it to head: one transaction.

    Raises:
        Conflict: it is not what the manifest says.
    """
    with owner_session(database) as session:
        connection = psycopg_connection(session)
        make_role(connection, schema)
        load(connection, dump, manifest.schema, schema)
        # Its own tables alone: the whole database may hold a thousand other tenants.
        tables = [sql.Identifier(schema, name) for name in manifest.tables]
        connection.execute(sql.SQL("ANALYZE {}").format(sql.SQL(", ").join(tables)))
        found = {name: (digest.rows, digest.sum) for name, digest in shape.digests(connection, schema).items()}
        wanted = {name: (table["rows"], table["sum"]) for name, table in manifest.tables.items()}
        if found != wanted:
            differing = ", ".join(sorted(name for name in wanted | found if wanted.get(name) != found.get(name)))
            detail = f"what was restored is not what was backed up: {differing}"
            raise Conflict(detail, remedy="nothing was changed; use another backup")
        if manifest.revision != head("tenant"):
            upgrade_schema(session.connection(), "tenant", schema)
    return sum(rows for rows, _ in found.values())


def _keep_present(present: TenantRef, schema: str) -> None:
    """Take over what must not go back in time. Done twice: most of it before the writers are held, the rest then."""
    load_tables()
    kept = {
        str(mapper.class_.__tablename__)
        for mapper in TenantBase._sa_registry.mappers  # noqa: SLF001 - SQLModel's registry has no public name
        if mapper.class_.__module__.startswith(ALWAYS_KEPT)
    }
    with owner_connection(present.database) as connection:
        tables = shape.tables(connection, present.schema_name)
        there = shape.tables(connection, schema)
        for name in sorted(kept & set(tables) & set(there)):
            table = tables[name]
            same = sql.SQL(" AND ").join(
                sql.SQL("t.{key} = o.{key}").format(key=sql.Identifier(column)) for column, _ in table.key
            )
            connection.execute(
                sql.SQL(
                    "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {} AS o"
                    " WHERE NOT EXISTS (SELECT FROM {} AS t WHERE {})"
                ).format(
                    sql.Identifier(schema, name),
                    table.listed(),
                    table.listed(),
                    sql.Identifier(present.schema_name, name),
                    sql.Identifier(schema, name),
                    same,
                )
            )
        connection.execute(
            sql.SQL(
                "UPDATE {} AS t SET wrapped_key = NULL, erased_at = o.erased_at FROM {} AS o"
                " WHERE t.patient_uuid = o.patient_uuid AND o.erased_at IS NOT NULL AND t.erased_at IS NULL"
            ).format(sql.Identifier(schema, ERASED), sql.Identifier(present.schema_name, ERASED))
        )
        numbered = {name: tables[name] for name in kept & set(tables)}
        shape.set_sequences(connection, schema, numbered, shape.sequences(connection, present.schema_name, numbered))


def _set_jobs_back(connection: psycopg.Connection[Any], ref: TenantRef, manifest: Manifest) -> None:
    """Jobs that were asked for since are of no use; those that had not ended then have still to be done."""
    connection.execute(
        "UPDATE node.jobs SET state = 'discarded', finished_at = now(), updated_at = now(),"
        " error = 'the tenant was restored to an earlier moment' WHERE tenant_role = %s AND state = 'queued'",
        (ref.role_name,),
    )
    for job in manifest.jobs:
        again = {
            **job,
            "tenant_id": str(ref.id),
            "tenant_role": ref.role_name,
            "state": "queued",
            "lease_token": None,
            "lease_until": None,
            "sent_at": None,
            "finished_at": None,
            "attempts": 0,
            "interruptions": 0,
            "suspicion": 0,
        }
        connection.execute("DELETE FROM node.jobs WHERE id = %s AND tenant_role = %s", (job["id"], ref.role_name))
        connection.execute(
            "INSERT INTO node.jobs SELECT * FROM jsonb_populate_record(NULL::node.jobs, %s) ON CONFLICT DO NOTHING",
            (Jsonb(again),),
        )


def _made_known(tenant_id: UUID, manifest: Manifest, slug: str, database: str, schema: str) -> TenantRef:
    """The row of a tenant that was not there, its jobs, and what its audit says after the backup was made."""
    row = Tenant(
        id=tenant_id,
        slug=slug,
        name=manifest.tenant["name"],
        database=database,
        schema_name=schema,
        role_name=schema,
        time_zone=manifest.tenant["time_zone"],
        created_at=datetime.fromisoformat(manifest.tenant["created_at"]),
    )
    ref = row.ref()
    try:
        take_back_audit(tenant_id, database, schema)
        with owner_connection(database) as connection:
            connection.execute(
                "INSERT INTO node.tenant_schemas (schema_name, tenant_id, revision, migrated_at)"
                " VALUES (%s, %s, %s, %s)",
                (schema, tenant_id, head("tenant"), now()),
            )
            _set_jobs_back(connection, ref, manifest)
        with owner_session() as session:
            session.add(row)
            session.flush()
            session.delete(session.get_one(RetiredSchema, schema))
    except BaseException:
        placing.drop_retired(tenant_id, only=schema, early=True)
        raise
    return ref


def _undo(present: TenantRef, schema: str) -> None:
    """Leave nothing of a restore that did not come to its end; where it had switched already, leave it."""
    if placing.locate(present.id) == present:
        placing.admit(present)
        placing.drop_retired(present.id, only=schema, early=True)
