"""Rolls the ledgers of all data databases up to hours in ``platform``, in batches that never change.

A batch, its hours and the position in the ledger commit together in the control database, so a killed roll-up leaves
nothing, and the next run reads the same uses again. Batches are numbered under a lock: what is committed with a number
is complete up to it. No other database is called while the lock is held.

A tenant that moves takes its uses along. ``core.tenancy.moved_uses`` records which ledger counts each of them, under
the same lock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, LiteralString
from uuid import UUID

from psycopg.rows import class_row

from core import telemetry
from core.clock import now
from core.database import databases, lock_installation, node_session, platform_session, psycopg_connection
from core.metering.reading import BEGINNING, MARGIN, UsageCursor
from core.metering.restores import check_ledger
from core.metering.service import meters
from core.telemetry.tracebacks import describe
from core.tenancy.moved_uses import LOCK

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from threading import Event

    from psycopg import Connection

LIMIT: Final = 100_000
"""Most uses of one batch."""

log = telemetry.get_logger(__name__)

_STATE: Final = "SELECT transaction_id, last_id, carries FROM platform.usage_ledgers WHERE database = %s"
_END: Final = """
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
    least(%s,
        (SELECT min(xact_start) FROM pg_stat_activity
            WHERE datname = current_database() AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()),
        (SELECT min(recorded_at) FROM node.usage_events
            WHERE transaction_id >= pg_snapshot_xmin(pg_current_snapshot())::text::bigint))
"""
_PAGE: Final = """
WITH page AS MATERIALIZED (
    SELECT transaction_id, id, tenant_id FROM node.usage_events
    WHERE (transaction_id, id) > (%s, %s) AND transaction_id < %s ORDER BY transaction_id, id LIMIT %s
), last AS (SELECT transaction_id, id FROM page ORDER BY transaction_id DESC, id DESC LIMIT 1)
SELECT (SELECT count(*) FROM page), (SELECT array_agg(DISTINCT tenant_id) FROM page), last.transaction_id, last.id
FROM last
"""
_MOVED_TENANTS: Final = (
    "SELECT each FROM unnest(%s::uuid[]) AS each"
    " WHERE EXISTS (SELECT FROM platform.moved_uses WHERE moved_uses.tenant_id = each)"
)
_THEIR_USES: Final = (
    "SELECT id FROM node.usage_events"
    " WHERE (transaction_id, id) > (%s, %s) AND (transaction_id, id) <= (%s, %s) AND tenant_id = ANY(%s)"
)
_COUNTED_ELSEWHERE: Final = (
    "SELECT use_id FROM platform.moved_uses WHERE use_id = ANY(%s) AND counts_in IS DISTINCT FROM %s"
)
_HOURS: Final = """
SELECT tenant_id, meter, hour, md5(dimensions::text), dimensions::text, sum(value),
    sum(CASE WHEN corrects IS NULL THEN 1 ELSE -1 END), coalesce(max(value) FILTER (WHERE corrects IS NULL), 0),
    (array_agg(value ORDER BY at DESC, id DESC) FILTER (WHERE meter = ANY(%(gauges)s)))[1],
    max(at) FILTER (WHERE meter = ANY(%(gauges)s))
FROM (
    SELECT id, tenant_id, meter, value, dimensions, corrects, coalesce(occurred_at, recorded_at) AS at,
        date_trunc('hour', coalesce(occurred_at, recorded_at), 'UTC') AS hour
    FROM node.usage_events
    WHERE (transaction_id, id) > (%(after_transaction)s, %(after_id)s)
        AND (transaction_id, id) <= (%(transaction)s, %(id)s) AND id <> ALL(%(elsewhere)s)
) AS uses
GROUP BY tenant_id, meter, hour, dimensions
"""
_STORE: Final = (
    "COPY platform.usage_hours (batch, tenant_id, meter, hour, dimensions_key, dimensions, total, uses, maximum,"
    " latest, latest_at) FROM STDIN"
)
_BATCH: Final = """
INSERT INTO platform.usage_batches
    (number, database, after_transaction_id, after_id, transaction_id, last_id, events, sealed_at)
SELECT coalesce(max(number), 0) + 1, %s, %s, %s, %s, %s, %s, %s FROM platform.usage_batches
RETURNING number, database, events
"""
_COUNTED: Final = "UPDATE platform.moved_uses SET counts_in = NULL WHERE use_id = ANY(%s) AND counts_in = %s"
_ADVANCE: Final = """
UPDATE platform.usage_ledgers SET transaction_id = %s, last_id = %s,
    complete_until = greatest(complete_until, %s), checked_at = %s, failed_at = NULL, error = NULL
WHERE database = %s
"""
_FAILED: Final = """
INSERT INTO platform.usage_ledgers AS ledgers (database, failed_at, error) VALUES (%s, %s, %s)
ON CONFLICT (database) DO UPDATE SET failed_at = excluded.failed_at, error = excluded.error
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of uses that was rolled up: its number, the database of its ledger, and how many uses it counted."""

    number: int
    database: str
    events: int


@dataclass(frozen=True, slots=True)
class _State:
    """The state of a ledger before a roll-up."""

    transaction_id: int
    last_id: UUID
    carries: int

    @property
    def cursor(self) -> UsageCursor:
        return UsageCursor(self.transaction_id, self.last_id)


@dataclass(frozen=True, slots=True)
class _Page:
    """The next uses of a ledger, up to ``last``."""

    events: int
    tenants: list[UUID]
    last: UsageCursor


def roll_up(database: str, *, limit: int = LIMIT) -> Batch | None:
    """Roll up the next uses of a data database's ledger; return None if none is left.

    Args:
        database: the database of the ledger.
        limit: most uses of the batch.

    Raises:
        LedgerRollback: the database was restored to an earlier time; see ``core.metering.restores``.
        Unavailable: the database, or the control database, cannot be reached.
    """
    check_ledger(database)
    while True:
        state = _state(database)
        with node_session(database) as session:
            node = psycopg_connection(session)
            oldest, complete_until = _row(node, _END, (now() - MARGIN,))
            page = _page(node, state.cursor, oldest, limit)
        if page is None:
            if _advance(database, state, state.cursor, complete_until):
                return None
            continue
        moved, elsewhere = _counted_elsewhere(database, state.cursor, page)
        rows = _hours(database, state.cursor, page.last, elsewhere)
        batch = _write(database, state, page, rows, moved, elsewhere)
        if batch is not None:
            return batch


def look(stopping: Event) -> None:
    """Roll up the ledgers of all data databases: one round of the loop. A database that fails does not stop others."""
    for database in databases():
        try:
            while not stopping.is_set() and roll_up(database) is not None:
                pass
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this database's, and the others go on
            log.warning("usage of a data database was not rolled up", database=database, error=describe(error))
            note_failure(database, error)


def note_failure(database: str, error: Exception) -> None:
    """Record for the operators that the ledger of a database could not be rolled up."""
    with platform_session() as session:
        psycopg_connection(session).execute(_FAILED, (database, now(), describe(error)))


def _state(database: str) -> _State:
    """Return the state of a ledger, and begin it at its first roll-up."""
    with platform_session() as session, psycopg_connection(session).cursor(row_factory=class_row(_State)) as cursor:
        state = cursor.execute(_STATE, (database,)).fetchone()
        if state is None:
            cursor.execute(
                "INSERT INTO platform.usage_ledgers (database) VALUES (%s) ON CONFLICT DO NOTHING", (database,)
            )
    return state or _State(BEGINNING.transaction_id, BEGINNING.id, 0)


def _page(node: Connection[Any], after: UsageCursor, oldest: int, limit: int) -> _Page | None:
    row = node.execute(_PAGE, (after.transaction_id, after.id, oldest, limit)).fetchone()
    return None if row is None else _Page(row[0], row[1], UsageCursor(row[2], row[3]))


def _counted_elsewhere(database: str, after: UsageCursor, page: _Page) -> tuple[list[UUID], list[UUID]]:
    """Return the uses in the page of tenants that have moved, and those of them that this ledger must not count."""
    with platform_session() as session:
        tenants = _column(psycopg_connection(session), _MOVED_TENANTS, (page.tenants,))
    if not tenants:
        return [], []
    last = page.last
    with node_session(database) as session:
        values = (after.transaction_id, after.id, last.transaction_id, last.id, tenants)
        uses = _column(psycopg_connection(session), _THEIR_USES, values)
    with platform_session() as session:
        return uses, _column(psycopg_connection(session), _COUNTED_ELSEWHERE, (uses, database))


def _hours(database: str, after: UsageCursor, last: UsageCursor, elsewhere: list[UUID]) -> list[tuple[Any, ...]]:
    values = {
        "gauges": sorted(name for name, meter in meters().items() if meter.gauge),
        "after_transaction": after.transaction_id,
        "after_id": after.id,
        "transaction": last.transaction_id,
        "id": last.id,
        "elsewhere": elsewhere,
    }
    with node_session(database) as session:
        return psycopg_connection(session).execute(_HOURS, values).fetchall()


def _write(
    database: str, state: _State, page: _Page, rows: list[tuple[Any, ...]], moved: list[UUID], elsewhere: list[UUID]
) -> Batch | None:
    """Write a batch with its hours; None if the ledger was rolled up, or uses moved, since ``state`` was read."""
    with platform_session() as session:
        connection = psycopg_connection(session)
        with connection.cursor(row_factory=class_row(Batch)) as cursor:
            if not _unchanged(connection, database, state):
                return None
            cursor.execute(
                _BATCH,
                (
                    database,
                    state.transaction_id,
                    state.last_id,
                    page.last.transaction_id,
                    page.last.id,
                    page.events - len(elsewhere),
                    now(),
                ),
            )
            batch = cursor.fetchall()[0]
            with cursor.copy(_STORE) as copy:
                for row in rows:
                    copy.write_row((batch.number, *row))
            if moved:
                cursor.execute(_COUNTED, (moved, database))
            cursor.execute(_ADVANCE, (page.last.transaction_id, page.last.id, None, now(), database))
    return batch


def _advance(database: str, state: _State, cursor: UsageCursor, complete_until: datetime) -> bool:
    """Record until when a ledger is complete; return False if it was rolled up, or uses moved, meanwhile."""
    with platform_session() as session:
        connection = psycopg_connection(session)
        if not _unchanged(connection, database, state):
            return False
        connection.execute(_ADVANCE, (cursor.transaction_id, cursor.id, complete_until, now(), database))
    return True


def _unchanged(connection: Connection[Any], database: str, state: _State) -> bool:
    """Take the lock, and return whether the ledger is still in this state."""
    with connection.cursor(row_factory=class_row(_State)) as cursor:
        lock_installation(cursor, LOCK)
        return cursor.execute(_STATE, (database,)).fetchone() == state


def _row(connection: Connection[Any], query: LiteralString, values: Sequence[object]) -> tuple[Any, ...]:
    return tuple(connection.execute(query, values).fetchall()[0])


def _column(connection: Connection[Any], query: LiteralString, values: Sequence[object]) -> list[UUID]:
    return [row[0] for row in connection.execute(query, values)]
