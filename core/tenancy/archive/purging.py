"""Destruction of a tenant after its days of grace, in steps; the next run resumes a killed one.

The tenant's audit stays in ``platform`` with its verified chain of seals, beside a tombstone. Its usage stays too and
is billed under its id. None of them holds anything of a patient except UUIDs.
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
from core.feature_registry import load_tables
from core.privacy import tenant_keys
from core.telemetry.tracebacks import describe
from core.tenancy import placing
from core.tenancy.archive.deleting import reject_moving
from core.tenancy.archive.models import TenantTombstone
from core.tenancy.archive.tombstones import tombstone_of
from core.tenancy.backup import previous
from core.tenancy.backup.gone import AUDIT
from core.tenancy.models import Tenant
from core.tenancy.tenant_lock import tenant_lock

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from core.audit.verify import ChainVerification
    from core.telemetry.progress import LineCallback

STEPS = ("audit sealed", "purge begun", "audit moved", "files gone", "jobs gone", "row gone", "schema gone", "ended")
"""The steps of a purge; a run may be killed after each of them."""

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
class DuePurge:
    """A tenant that may be purged now, or whose purge was interrupted."""

    tenant_id: Any
    slug: str


def due() -> list[DuePurge]:
    """The tenants whose days of grace are over, and those whose purge was interrupted."""
    with owner_session() as session:
        waiting = session.execute(
            text(
                "SELECT id, slug FROM platform.tenants"
                " WHERE phase = 'purging' OR (phase = 'deleting' AND delete_after <= :now)"
                " UNION SELECT tenant_id, slug FROM platform.tenant_tombstones WHERE purged_at IS NULL ORDER BY slug"
            ),
            {"now": now()},
        )
        return [DuePurge(row.id, row.slug) for row in waiting]


def purge(
    slug: str,
    *,
    actor: str,
    despite_audit: bool = False,
    after: LineCallback = lambda _step: None,
) -> TenantTombstone:
    """Destroy the tenant and return its tombstone.

    Args:
        slug: the tenant's; its days of grace are over.
        actor: who runs it.
        despite_audit: purge although the audit was tampered with; the tombstone records this.
        after: called after each of ``STEPS``.

    Raises:
        NotFound: no tenant has this slug, and none with it is being destroyed.
        Conflict: the days of grace are not over, nobody asked for the deletion, the audit is not intact, or another
            process works on the tenant.
        Unavailable: a database cannot be reached; run it again.
    """
    with tenant_lock(slug):
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
        blobs.delete_tenant(gone)  # the files of a job that was still running
        after("schema gone")
        with owner_session() as session:
            row = session.get(TenantTombstone, gone.id, with_for_update=True)
            assert row is not None  # noqa: S101 - it was made before anything was destroyed
            row.purged_at = now()
            record_act(session, "cli:tenant:purge", actor=actor, tenant_id=gone.id, detail={"slug": slug})
        after("ended")
        return row


def _seal_and_move(ref: TenantRef, actor: str, *, despite_audit: bool, after: LineCallback) -> None:
    """Seal and verify the audit, and move it with the tombstone, before anything is destroyed."""
    if _stone_stands(ref):
        return  # cut off later than this
    audit = _sealed(ref)
    if not audit.intact and not despite_audit:
        detail = f"the audit of {ref.slug!r} is not intact: {audit.problem_count} problems, first: {audit.problems[0]}"
        command = f"see `iit audit verify {ref.slug}`; --despite-audit purges anyway, and the tombstone records it"
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
        if moved.pending or (moved.problem_count, moved.seals, moved.head) != (
            audit.problem_count,
            audit.seals,
            audit.head,
        ):
            detail = f"the audit of {ref.slug!r} changed while it was moved: nothing was destroyed"
            raise Conflict(detail, remedy="run the purge again")
        values = (now(), actor, Jsonb(counts), events, moved.seals, moved.head, Jsonb(audit.problems), ref.id)
        platform.execute(_TOMBSTONE, values)
    after("audit moved")


def _sealed(ref: TenantRef) -> ChainVerification:
    """Seal all of the audit, then verify it, and return the result.

    Nothing could seal it once the tenant is gone.

    Raises:
        Unavailable: a worker's sealer holds the audit and does not finish.
    """
    for _ in range(SEAL_TRIES):
        sealer.seal(ref)
        result = verify(ref)
        if not result.pending:
            return result
        time.sleep(SEAL_PAUSE_SECONDS)
    detail = f"{result.pending} events of the audit of {ref.slug!r} cannot be sealed, because another sealer holds it"
    raise Unavailable(detail, remedy="nothing was destroyed; run the purge again")


def _tenant(slug: str) -> TenantRef | None:
    """Return the tenant to destroy; None if its row is already deleted.

    Raises:
        Conflict: its days of grace are not over, or nobody asked for its deletion.
    """
    with owner_session() as session:
        row = session.scalar(select(Tenant).where(Tenant.slug == slug))  # type: ignore[arg-type]  # SQLModel's column
        if row is None:
            return None
        if row.phase not in ("deleting", "purging"):
            detail = f"nobody asked to delete the tenant {slug!r}"
            raise Conflict(detail, command="run `iit tenant delete`, which starts its days of grace")
        if row.phase == "deleting" and (row.delete_after is None or row.delete_after > now()):
            detail = f"the tenant {slug!r} has days of grace until {row.delete_after:%Y-%m-%d %H:%M} UTC"
            raise Conflict(detail, remedy="run it again after that")
        reject_moving(session, row)
        return row.ref()


def _stone_stands(ref: TenantRef) -> bool:
    """Return whether the tenant has a tombstone of the running purge, not one of an earlier purge before a restore."""
    with owner_session() as session:
        stone = session.get(TenantTombstone, ref.id)
        return stone is not None and stone.purged_at is None


def _as_it_was(stone: TenantTombstone) -> TenantRef:
    """Return the reference of a tenant whose row is deleted, rebuilt from its tombstone."""
    remainder = {"id": stone.tenant_id, "role_name": stone.schema_name, "state": "purging", "time_zone": "UTC"}
    return TenantRef.of(stone.model_dump() | remainder)


def _counted(ref: TenantRef) -> dict[str, int]:
    """The numbers of rows in each table of the tenant's schema, of its stored files, and of its restores' files."""
    totals = {"blobs": len(blobs.permanent_keys(ref)), "before_restore_files": len(previous.files_of(ref.id))}
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
            totals[table] = row[0] if row else 0
    return totals


def _copy(
    node: psycopg.Connection[Any],
    platform: psycopg.Connection[Any],
    ref: TenantRef,
    table: str,
    target: str,
    columns: str,
) -> int:
    """Copy one table of the audit to ``platform``, replacing an earlier run's copy."""
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
    """Delete the tenant's rows in ``node``, except those that outlive it.

    Deleting its schema deletes the schema's row.
    """
    with owner_connection(ref.database) as connection:
        for table in _mortal(NodeBase):
            if table != "tenant_schemas":
                connection.execute(
                    sql.SQL("DELETE FROM {} WHERE tenant_id = %s").format(sql.Identifier("node", table)), (ref.id,)
                )


def _forget_in_platform(ref: TenantRef) -> None:
    """Delete the tenant's rows in ``platform``: its keys, and its own row."""
    with owner_connection() as connection:
        for table in _mortal(PlatformBase):
            connection.execute(
                sql.SQL("DELETE FROM {} WHERE tenant_id = %s").format(sql.Identifier("platform", table)), (ref.id,)
            )
        connection.execute("DELETE FROM platform.tenants WHERE id = %s", (ref.id,))


def _mortal(base: type[NodeBase | PlatformBase]) -> list[str]:
    """The tables whose rows are deleted with a tenant, referring tables first."""
    load_tables()
    return [
        table.name
        for table in reversed(base.metadata.sorted_tables)
        if "tenant_id" in table.columns and not table.info.get("outlives_tenant")
    ]


def purge_due(*, actor: str, done: Callable[[TenantTombstone], None], failed: Callable[[str, AppError], None]) -> None:
    """Purge every tenant whose days of grace are over; a failure does not stop the others."""
    for one in due():
        try:
            done(purge(one.slug, actor=actor))
        except AppError as error:
            failed(one.slug, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this tenant's
            failed(one.slug, _named(error))


def _named(error: Exception) -> AppError:
    """Return an error with the kind and place of an unexpected error, without the values that it may repeat."""
    known = as_app_error(error)
    return known if type(known) is not AppError else AppError(describe(error))
