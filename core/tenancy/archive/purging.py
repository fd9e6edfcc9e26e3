"""Destroying a tenant whose days of grace are over, step by step; killed anywhere, the next run goes on.

What stays: its audit with the chain of seals, verified, and a tombstone, both in ``platform``; and its usage, which is
billed under its id. Nothing of a patient but UUIDs is in any of them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy import select, text

from core import blobs
from core.audit import anchors, sealer
from core.audit.chain import Place
from core.audit.platform import record_act
from core.audit.verify import verify, verify_chain
from core.clock import now
from core.database import NodeBase, PlatformBase, TenantRef, owner_connection, owner_session
from core.errors import AppError, Conflict, NotFound, Unavailable
from core.errors.database import as_app_error
from core.features import load_tables
from core.privacy import tenant_keys
from core.telemetry.tracebacks import describe
from core.tenancy import placing
from core.tenancy.archive.deleting import refuse_moving
from core.tenancy.archive.models import TenantTombstone
from core.tenancy.archive.tombstones import tombstone_of
from core.tenancy.backup import previous
from core.tenancy.backup.gone import AUDIT
from core.tenancy.models import Tenant
from core.tenancy.turns import turn

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from core.audit.verify import Verified

STEPS = ("audit sealed", "purge begun", "audit moved", "files gone", "jobs gone", "row gone", "schema gone", "ended")
"""After each of these a run may be cut off."""

SEAL_TRIES = 20
SEAL_PAUSE_SECONDS = 0.5

_TOMBSTONE = """
INSERT INTO platform.tenant_tombstones (tenant_id, slug, name, schema_name, database, created_at, requested_at,
    requested_by, purge_began_at, purged_by, counts, audit_events, audit_seals, audit_digest, audit_problems)
SELECT id, slug, name, schema_name, database, created_at, phase_since, phase_by, %s, %s, %s, %s, %s, %s, %s
FROM platform.tenants WHERE id = %s
ON CONFLICT (tenant_id) DO UPDATE SET (slug, name, schema_name, database, created_at, requested_at, requested_by,
    purge_began_at, purged_by, counts, audit_events, audit_seals, audit_digest, audit_problems, purged_at) = (
    excluded.slug, excluded.name, excluded.schema_name, excluded.database, excluded.created_at, excluded.requested_at,
    excluded.requested_by, excluded.purge_began_at, excluded.purged_by, excluded.counts, excluded.audit_events,
    excluded.audit_seals, excluded.audit_digest, excluded.audit_problems, NULL)
"""


@dataclass(frozen=True, slots=True)
class Due:
    """A tenant that may be purged now, or whose purge was cut off."""

    tenant_id: Any
    slug: str


def due() -> list[Due]:
    """The tenants whose days of grace are over, and those whose destruction was begun and not ended."""
    with owner_session() as session:
        waiting = session.execute(
            text(
                "SELECT id, slug FROM platform.tenants"
                " WHERE phase = 'purging' OR (phase = 'deleting' AND delete_after <= :now)"
                " UNION SELECT tenant_id, slug FROM platform.tenant_tombstones WHERE purged_at IS NULL ORDER BY slug"
            ),
            {"now": now()},
        )
        return [Due(row.id, row.slug) for row in waiting]


def purge(
    slug: str,
    *,
    actor: str,
    despite_audit: bool = False,
    after: Callable[[str], None] = lambda _step: None,
) -> TenantTombstone:
    """Destroy the tenant; returns its tombstone.

    Args:
        slug: which; its days of grace are over.
        actor: who runs it.
        despite_audit: go on though its audit is found to have been tampered with; the tombstone says so.
        after: called after each of ``STEPS``.

    Raises:
        NotFound: there is no such tenant, and none is being destroyed.
        Conflict: its days of grace are not over, nobody asked for its deletion, its audit is not intact, or somebody
            else is at it.
        Unavailable: a database cannot be reached; run it again.
    """
    with turn(slug):
        ref = _tenant(slug)
        if ref is not None:
            _seal_and_move(ref, actor, despite_audit=despite_audit, after=after)
        stone = tombstone_of(slug)
        if stone is None or (ref is None and stone.purged_at is not None):
            detail = f"there is no tenant {slug!r} to purge"
            raise NotFound(detail, command="see `iit tenant list`")
        gone = ref or _as_it_was(stone)
        blobs.delete_tenant(gone)
        previous.remove(gone.id)
        after("files gone")
        placing_left = placing.retired(gone.id)
        if ref is not None and any(row["rows_left"] for row in placing_left):
            placing.bring_rows(ref)
        _forget_in_node(gone)
        after("jobs gone")
        placing.drop_retired(gone.id, early=True)
        _forget_in_platform(gone)
        after("row gone")
        placing.drop_schema(gone.database, gone.schema_name)
        tenant_keys.forget()
        blobs.delete_tenant(gone)  # what a job that was running stored since
        after("schema gone")
        with owner_session() as session:
            row = session.get(TenantTombstone, gone.id, with_for_update=True)
            assert row is not None  # noqa: S101 - it was made before anything was destroyed
            row.purged_at = now()
            record_act(session, "cli:tenant:purge", actor=actor, tenant_id=gone.id, detail={"slug": slug})
        after("ended")
        return row


def _seal_and_move(ref: TenantRef, actor: str, *, despite_audit: bool, after: Callable[[str], None]) -> None:
    """Everything before the first thing is destroyed: the audit is sealed, verified, and moved with the tombstone."""
    if _stone_stands(ref):
        return  # cut off later than this
    found = _sealed(ref)
    if not found.intact and not despite_audit:
        detail = f"the audit of {ref.slug!r} is not intact: {found.found} problems, first: {found.problems[0]}"
        command = f"look into it with `iit audit verify {ref.slug}`; --despite-audit goes on and says so for good"
        raise Conflict(detail, command=command)
    after("audit sealed")
    with owner_session() as session:
        session.execute(
            text("UPDATE platform.tenants SET phase = 'purging', updated_at = :now WHERE id = :id"),
            {"id": ref.id, "now": now()},
        )
    after("purge begun")
    counts = _counted(ref)
    with owner_connection() as platform, owner_connection(ref.database) as node:
        events, _ = (_copy(node, platform, ref, *table) for table in AUDIT)
        own = sql.SQL("tenant_id = {}").format(sql.Literal(ref.id))
        place = Place(sql.SQL("platform.gone_audit_events"), sql.SQL("platform.gone_audit_seals"), own)
        moved = verify_chain(platform, place, anchors.standing(ref.id))
        if moved.pending or (moved.found, moved.seals, moved.head) != (found.found, found.seals, found.head):
            detail = f"the audit of {ref.slug!r} is not what it was before it was moved: nothing was destroyed"
            raise Conflict(detail, remedy="run the purge again")
        values = (now(), actor, Jsonb(counts), events, moved.seals, moved.head, Jsonb(found.problems), ref.id)
        platform.execute(_TOMBSTONE, values)
    after("audit moved")


def _sealed(ref: TenantRef) -> Verified:
    """What verifying the audit finds once all of it is sealed: nothing can seal it any more when the tenant is gone.

    Raises:
        Unavailable: a worker's sealer is at it, and does not end.
    """
    for _ in range(SEAL_TRIES):
        sealer.seal(ref)
        found = verify(ref)
        if not found.pending:
            return found
        time.sleep(SEAL_PAUSE_SECONDS)
    detail = f"{found.pending} events of the audit of {ref.slug!r} cannot be sealed: another sealer is at it"
    raise Unavailable(detail, remedy="nothing was destroyed; run the purge again")


def _tenant(slug: str) -> TenantRef | None:
    """The tenant that is to be destroyed; None where its row is gone already.

    Raises:
        Conflict: it is not to be destroyed yet, or not at all.
    """
    with owner_session() as session:
        row = session.scalar(select(Tenant).where(Tenant.slug == slug))  # type: ignore[arg-type]  # SQLModel's column
        if row is None:
            return None
        if row.phase not in ("deleting", "purging"):
            detail = f"nobody asked for the tenant {slug!r} to be deleted"
            raise Conflict(detail, command="`iit tenant delete` asks, and begins its days of grace")
        if row.phase == "deleting" and (row.delete_after is None or row.delete_after > now()):
            detail = f"the tenant {slug!r} has days of grace until {row.delete_after:%Y-%m-%d %H:%M} UTC"
            raise Conflict(detail, remedy="run it again after that")
        refuse_moving(session, row)
        return row.ref()


def _stone_stands(ref: TenantRef) -> bool:
    """Whether this destruction has made its tombstone; one of a tenant that was brought back since tells of another."""
    with owner_session() as session:
        stone = session.get(TenantTombstone, ref.id)
        return stone is not None and stone.purged_at is None


def _as_it_was(stone: TenantTombstone) -> TenantRef:
    """A tenant whose row is gone, as its tombstone remembers it."""
    return TenantRef(
        id=stone.tenant_id,
        slug=stone.slug,
        name=stone.name,
        schema_name=stone.schema_name,
        role_name=stone.schema_name,
        database=stone.database,
        state="purging",
        time_zone="UTC",
    )


def _counted(ref: TenantRef) -> dict[str, int]:
    """Rows of each table of the tenant's schema, its stored files, and those of restores."""
    found = {"blobs": len(blobs.kept(ref)), "before_restore_files": len(previous.files_of(ref.id))}
    with owner_connection(ref.database) as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'p')"
            " AND NOT relispartition ORDER BY relname",
            (ref.schema_name,),
        ).fetchall()
        for (table,) in tables:
            row = connection.execute(
                sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(ref.schema_name, table))
            ).fetchone()
            found[table] = row[0] if row else 0
    return found


def _copy(
    node: psycopg.Connection[Any],
    platform: psycopg.Connection[Any],
    ref: TenantRef,
    table: str,
    target: str,
    columns: str,
) -> int:
    """Copy one of the audit's tables to ``platform``, in place of what a run before may have left there."""
    into = sql.Identifier("platform", target)
    platform.execute(sql.SQL("DELETE FROM {} WHERE tenant_id = %s").format(into), (ref.id,))
    listed = sql.SQL(", ").join(sql.Identifier(name) for name in columns.split(", "))
    out = sql.SQL("COPY (SELECT {}::uuid, {} FROM {}) TO STDOUT").format(
        sql.Literal(ref.id), listed, sql.Identifier(ref.schema_name, table)
    )
    taken = sql.SQL("COPY {} (tenant_id, {}) FROM STDIN").format(into, listed)
    with node.cursor() as source, platform.cursor() as sink:
        with source.copy(out) as reading, sink.copy(taken) as writing:
            for block in reading:
                writing.write(block)
        return sink.rowcount


def _forget_in_node(ref: TenantRef) -> None:
    """Delete the tenant's rows in ``node``, those that outlive it excepted. Its schema's row goes with the schema."""
    with owner_connection(ref.database) as connection:
        for table in _mortal(NodeBase):
            if table != "tenant_schemas":
                connection.execute(
                    sql.SQL("DELETE FROM {} WHERE tenant_id = %s").format(sql.Identifier("node", table)), (ref.id,)
                )


def _forget_in_platform(ref: TenantRef) -> None:
    """Delete the tenant's rows in ``platform``: keys, and the one that makes it known."""
    with owner_connection() as connection:
        for table in _mortal(PlatformBase):
            connection.execute(
                sql.SQL("DELETE FROM {} WHERE tenant_id = %s").format(sql.Identifier("platform", table)), (ref.id,)
            )
        connection.execute("DELETE FROM platform.tenants WHERE id = %s", (ref.id,))


def _mortal(base: type[NodeBase | PlatformBase]) -> list[str]:
    """The tables whose rows belong to a tenant and go with it, referring ones first."""
    load_tables()
    return [
        table.name
        for table in reversed(base.metadata.sorted_tables)
        if "tenant_id" in table.columns and not table.info.get("outlives_tenant")
    ]


def purge_due(*, actor: str, done: Callable[[TenantTombstone], None], failed: Callable[[str, AppError], None]) -> None:
    """Purge every tenant whose time has come; one that cannot be does not keep the others."""
    for one in due():
        try:
            done(purge(one.slug, actor=actor))
        except AppError as error:
            failed(one.slug, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this tenant's
            failed(one.slug, _named(error))


def _named(error: Exception) -> AppError:
    """The error to tell of what is none of ours: its kind and place, without values that it may repeat."""
    known = as_app_error(error)
    return known if type(known) is not AppError else AppError(describe(error))
