"""Restoring of a tenant: loaded beside the present data, verified, and only then put in their place.

Some things do not go back in time. The audit continues, keys that were added stay, and patients whom the tenant has
erased since stay erased.
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
from core.feature_registry import load_tables
from core.identity.operator import ACTOR
from core.tenancy import placing, shape
from core.tenancy.archive.deleting import reject_moving
from core.tenancy.archive.tombstones import reject_gone
from core.tenancy.backup.dump import load
from core.tenancy.backup.gone import take_back_audit
from core.tenancy.models import Tenant
from core.tenancy.models_places import RetiredSchema
from core.tenancy.provisioning import make_role, new_schema_name
from core.tenancy.service import check, describe_tenant

if TYPE_CHECKING:
    import psycopg

    from core.telemetry.progress import LineCallback
    from core.tenancy.backup.container import Manifest

ALWAYS_KEPT = ("core.audit.", "core.privacy.")
"""Modules whose tables only grow: a restore copies the rows that the backup lacks from the present data."""

ERASED = "patient_keys"
NORMAL_PRIORITY = 1
"""As the rows of jobs store it."""

PATIENCE = 30.0
"""The seconds that a restore waits for a transaction of the tenant that is writing."""


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """A completed restore.

    Attributes:
        ref: the tenant, where it is now.
        rows: restored rows, compared with those of the backup.
        blocked_seconds: how long writes waited; 0 for a tenant that was not on this installation.
        left: the tenant's previous schema and role; None where it was not on this installation.
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
    passed: LineCallback = lambda _point: None,
) -> RestoreResult:
    """Restore a tenant to a backup, or bring back a tenant that is no longer on this installation.

    Args:
        slug: the tenant's; it must be the tenant of the backup.
        manifest: describes the dump.
        dump: the stream that pg_dump wrote.
        new_slug: the new slug of a tenant that is not on this installation.
        database: the data database for a tenant that is not on this installation.
        actor: who restores, for the audit.
        why: the moment that the restore goes back to, for the audit.
        passed: receives the name of each point at which a restore can be killed (tests).

    Raises:
        Conflict: the backup is another tenant's, or newer than this version, or differs from its manifest.
        NotFound: neither a tenant nor the backup has this slug.
        Unavailable: a transaction of the tenant takes too long; nothing was changed.
    """
    tenant_id = UUID(manifest.tenant["id"])
    present = _present(slug, tenant_id, manifest, new_slug, database)
    if manifest.revision not in revisions("tenant"):
        detail = f"the backup has the migration {manifest.revision}, which this version does not know"
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
            with placing.fence(present, patience=PATIENCE) as closed:
                _keep_present(present, schema)
                placing.expel(present, successor=schema)
                passed("expelled")
                ref = placing.switch(present, place, schema, reason="restored", grace=placing.GRACE)
                passed("switched")
                placing.bring_rows(ref, also=lambda connection: _set_jobs_back(connection, ref, manifest))
        except BaseException:
            _undo(present, schema)
            raise
        blocked = closed.seconds
    with tenant_session(ref, actor=actor) as session:
        audit.record(session, "cli:tenant:restore", "tenant", ref.id, {"to": why, "rows": rows})
    return RestoreResult(ref, rows, blocked, present)


def _present(slug: str, tenant_id: UUID, manifest: Manifest, new_slug: str | None, database: str) -> TenantRef | None:
    """Return the present tenant; None if it is not on this installation.

    Raises:
        Conflict: the backup is another tenant's, a present tenant cannot take a new slug, or the slug is taken.
        Invalid: the new slug or the database is not acceptable.
        NotFound: neither a tenant nor the backup has ``slug``.
    """
    with owner_session() as session:
        row = session.get(Tenant, tenant_id)
        if row is not None:
            reject_moving(session, row)  # otherwise its half copy would be forgotten and stay
        there = row.ref() if row else None
    if there is not None:
        if new_slug is not None:
            detail = (
                f"the tenant of the backup exists as {there.slug!r}, and its keys and rows are bound to its identity"
            )
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
        describe_tenant(slug)  # raises NotFound
        detail = f"the backup is not of {slug!r}"
        raise Conflict(detail, remedy="name the tenant that the backup was made of")
    wanted = new_slug or slug
    check(wanted, manifest.tenant["name"], manifest.tenant["time_zone"], database)
    with owner_session() as session:
        reject_gone(session, wanted, origin=tenant_id)
        taken = session.scalar(select(Tenant).where(Tenant.slug == wanted))  # type: ignore[arg-type]  # SQLModel's column
    if taken is not None:
        detail = f"a tenant {wanted!r} exists already"
        raise Conflict(detail, command="choose another slug with --as")
    return None


def _load(database: str, schema: str, manifest: Manifest, dump: BinaryIO) -> int:
    """Load the dump into a new schema, compare it with the manifest and migrate it to head, in one transaction.

    Raises:
        Conflict: it differs from the manifest.
    """
    with owner_session(database) as session:
        connection = psycopg_connection(session)
        make_role(connection, schema)
        load(connection, dump, manifest.schema, schema)
        # Only its own tables: the whole database may hold a thousand other tenants.
        tables = [sql.Identifier(schema, name) for name in manifest.tables]
        connection.execute(sql.SQL("ANALYZE {}").format(sql.SQL(", ").join(tables)))
        actual = {name: (digest.rows, digest.sum) for name, digest in shape.digests(connection, schema).items()}
        wanted = {name: (table["rows"], table["sum"]) for name, table in manifest.tables.items()}
        if actual != wanted:
            differing = ", ".join(sorted(name for name in wanted | actual if wanted.get(name) != actual.get(name)))
            detail = f"the restored data differ from the backup: {differing}"
            raise Conflict(detail, remedy="nothing was changed; use another backup")
        if manifest.revision != head("tenant"):
            upgrade_schema(session.connection(), "tenant", schema)
    return sum(rows for rows, _ in actual.values())


def _keep_present(present: TenantRef, schema: str) -> None:
    """Copy the rows that must not go back in time. Called before writes are paused, and again during the pause."""
    load_tables()
    lasting = {
        str(mapper.class_.__tablename__)
        for mapper in TenantBase._sa_registry.mappers  # noqa: SLF001 - SQLModel's registry has no public name
        if mapper.class_.__module__.startswith(ALWAYS_KEPT)
    }
    with owner_connection(present.database) as connection:
        tables = shape.tables(connection, present.schema_name)
        there = shape.tables(connection, schema)
        for name in sorted(lasting & set(tables) & set(there)):
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
        numbered = {name: tables[name] for name in lasting & set(tables)}
        shape.set_sequences(connection, schema, numbered, shape.sequences(connection, present.schema_name, numbered))


def _set_jobs_back(connection: psycopg.Connection[Any], ref: TenantRef, manifest: Manifest) -> None:
    """Cancel jobs that were requested after the backup, and queue again those that had not ended by then."""
    _set_events_back(connection, ref, manifest)
    connection.execute(
        "UPDATE node.jobs SET state = 'discarded', finished_at = now(), updated_at = now(),"
        " error = 'the tenant was restored to an earlier moment' WHERE tenant_role = %s AND state = 'queued'",
        (ref.role_name,),
    )
    for job in manifest.jobs:
        again = {
            "priority": NORMAL_PRIORITY,  # backups from before there were priorities lack it
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


def _set_events_back(connection: psycopg.Connection[Any], ref: TenantRef, manifest: Manifest) -> None:
    """Remove events of acts after the backup. Events that waited at that time wait again, with the same id."""
    connection.execute("DELETE FROM node.outbox WHERE tenant_role = %s AND forwarded_at IS NULL", (ref.role_name,))
    for event in manifest.events:
        again = {**event, "tenant_id": str(ref.id), "tenant_role": ref.role_name}
        connection.execute("DELETE FROM node.outbox WHERE id = %s AND tenant_role = %s", (event["id"], ref.role_name))
        connection.execute(
            "INSERT INTO node.outbox SELECT * FROM jsonb_populate_record(NULL::node.outbox, %s) ON CONFLICT DO NOTHING",
            (Jsonb(again),),
        )


def _made_known(tenant_id: UUID, manifest: Manifest, slug: str, database: str, schema: str) -> TenantRef:
    """Create the row, the jobs and the later audit of a tenant that was not on this installation."""
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
    """Remove an unfinished restore. If it had already switched, leave it in place."""
    if placing.locate(present.id) == present:
        placing.admit(present)
        placing.drop_retired(present.id, only=schema, early=True)
