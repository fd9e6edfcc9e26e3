"""The SQL of costs: what was metered by day, from the rolled-up ledger."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

from billing.costs.pricing import GAUGES, METERS, DayUse
from core.database import psycopg_connection

if TYPE_CHECKING:
    from uuid import UUID

    from sqlmodel import Session

_USES: Final = """
SELECT tenant_id, (hour AT TIME ZONE 'UTC')::date AS day, meter, dimensions,
    CASE WHEN meter = ANY(%(gauges)s) THEN (array_agg(latest ORDER BY latest_at DESC, batch DESC))[1]
    ELSE sum(total) END AS quantity
FROM platform.usage_hours
WHERE hour >= %(start)s AND hour < %(end)s AND meter = ANY(%(meters)s)
    AND (%(tenant)s::uuid IS NULL OR tenant_id = %(tenant)s)
GROUP BY tenant_id, 2, meter, dimensions
"""


def day_uses(session: Session, start: date, end: date, *, tenant_id: UUID | None = None) -> list[DayUse]:
    """Return what was used by partner, day (UTC), meter and dimensions.

    Args:
        session: a session of the control database.
        start: the first day.
        end: the first day after the last one.
        tenant_id: one partner; all when None.
    """
    values = {
        "gauges": sorted(GAUGES),
        "meters": list(METERS),
        "start": _midnight(start),
        "end": _midnight(end),
        "tenant": tenant_id,
    }
    rows = psycopg_connection(session).execute(_USES, values).fetchall()
    return [DayUse(*row) for row in rows]


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
