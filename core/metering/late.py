"""Use that was rolled up late: after the invoice of its period, say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from core.database import psycopg_connection

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel import Session

_LATE: Final = """
WITH late AS MATERIALIZED (
    SELECT hour FROM platform.usage_hours WHERE tenant_id = %s AND hour < %s AND batch > %s AND batch <= %s
)
SELECT min(hour), max(hour) FROM late
"""
"""Materialized: for ``min`` and ``max`` alone, PostgreSQL walks the index of hours through the rows of all tenants."""


def late_hours(
    session: Session, tenant_id: UUID, before: datetime, *, after: int, as_of: int
) -> tuple[datetime, datetime] | None:
    """Return the first and the last hour of use that later batches brought; None if they brought none.

    Args:
        session: of the platform.
        tenant_id: the tenant's.
        before: only hours before this instant.
        after: the number of the batch that was the newest.
        as_of: the number of the newest batch to look at.
    """
    first, last = psycopg_connection(session).execute(_LATE, (tenant_id, before, after, as_of)).fetchall()[0]
    return None if first is None else (first, last)
