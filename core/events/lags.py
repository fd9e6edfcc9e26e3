"""How far the outbox of each data database is behind, and its newest events without their payloads."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg.rows import class_row

from core.database import databases, node_session, psycopg_connection
from core.errors import AppError

_LAG: Final = """
SELECT %(database)s AS database, count(*) AS waiting,
    extract(epoch FROM clock_timestamp() - min(published_at))::float8 AS oldest_seconds,
    (SELECT max(published_at) FROM (SELECT published_at FROM node.outbox ORDER BY id DESC LIMIT 1) AS last) AS newest
FROM node.outbox WHERE forwarded_at IS NULL
"""
_NEWEST: Final = """
SELECT id, tenant_id, event, sequence, published_at, forwarded_at FROM node.outbox
WHERE (%(event)s::text IS NULL OR event = %(event)s) AND (%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s)
ORDER BY id DESC LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class OutboxLag:
    """How far the outbox of one data database is behind.

    Attributes:
        waiting: events that the relay has not forwarded yet.
        oldest_seconds: age of the oldest of them; None if there is none.
        newest: when the newest stored event was published; None if there is none.
    """

    database: str
    waiting: int
    oldest_seconds: float | None
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event of the outbox without its subject and payload.

    Attributes:
        sequence: the number of a public event within its tenant; None for others.
        forwarded_at: when the relay forwarded it; None if it waits.
    """

    id: UUID
    tenant_id: UUID
    event: str
    sequence: int | None
    published_at: datetime
    forwarded_at: datetime | None


def outbox_lag(database: str) -> OutboxLag:
    """Return the lag of one data database.

    Raises:
        Unavailable: the database is not there.
    """
    with node_session(database) as session:
        cursor = psycopg_connection(session).cursor(row_factory=class_row(OutboxLag))
        return cursor.execute(_LAG, {"database": database}).fetchall()[0]


def outbox_lags() -> list[OutboxLag]:
    """Return the lag of each data database that answers, by its name."""
    lags = []
    for name in sorted(databases()):
        try:
            lags.append(outbox_lag(name))
        except AppError:
            continue  # the health says which one does not answer
    return lags


def newest_events(
    *, event: str | None = None, tenant: UUID | None = None, limit: int = 100, of: Collection[str] | None = None
) -> list[StoredEvent]:
    """Return the newest events that match, newest first.

    Args:
        event: only events of this type.
        tenant: only events of this tenant.
        limit: most events to return.
        of: the data databases to ask; all if None.

    Raises:
        Unavailable: a database is not there.
    """
    events: list[StoredEvent] = []
    for name in databases() if of is None else of:
        with node_session(name) as session:
            cursor = psycopg_connection(session).cursor(row_factory=class_row(StoredEvent))
            values = {"event": event, "tenant": tenant, "limit": limit}
            events += cursor.execute(_NEWEST, values).fetchall()
    return sorted(events, key=lambda each: each.id, reverse=True)[:limit]
