"""The uses behind a figure: the rows of the ledger, as the tenant's own role sees them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from uuid import UUID

from psycopg.rows import class_row

if TYPE_CHECKING:
    from core.database import TenantSession
    from core.web.cursors import Key
    from core.web.paging import PageRequest

_ROWS: Final = """
SELECT id, meter, value, key, coalesce(occurred_at, recorded_at) AS occurred_at, recorded_at, dimensions, corrects,
    reason
FROM node.usage_events
WHERE tenant_role = current_user AND meter = %(meter)s
    AND coalesce(occurred_at, recorded_at) >= %(start)s AND coalesce(occurred_at, recorded_at) < %(end)s
"""
_AFTER: Final = " AND (coalesce(occurred_at, recorded_at), id) > (%(at)s, %(id)s)"
_BEFORE: Final = " AND (coalesce(occurred_at, recorded_at), id) < (%(at)s, %(id)s)"
_OLDEST: Final = " ORDER BY coalesce(occurred_at, recorded_at), id LIMIT %(limit)s OFFSET %(offset)s"
_NEWEST: Final = " ORDER BY coalesce(occurred_at, recorded_at) DESC, id DESC LIMIT %(limit)s OFFSET %(offset)s"


@dataclass(frozen=True, slots=True)
class RecordedUse:
    """A row of the ledger.

    Attributes:
        key: the name of the use, such as the id of the import.
        corrects: the use that this counter-entry takes off again; its value is negative.
        reason: why it was corrected.
    """

    id: UUID
    meter: str
    value: Decimal
    key: str
    occurred_at: datetime
    recorded_at: datetime
    dimensions: dict[str, str]
    corrects: UUID | None
    reason: str | None


def uses(
    session: TenantSession, meter: str, start: datetime, end: datetime, *, limit: int = 100, offset: int = 0
) -> list[RecordedUse]:
    """Return the uses of a meter that occurred in ``[start, end)``, by time; also those not rolled up yet."""
    values = {"meter": meter, "start": start, "end": end, "limit": limit, "offset": offset}
    session.flush()
    with session.cursor().connection.cursor(row_factory=class_row(RecordedUse)) as cursor:
        return cursor.execute(_ROWS + _OLDEST, values).fetchall()


def page_of_uses(
    session: TenantSession, meter: str, start: datetime, end: datetime, paging: PageRequest
) -> tuple[list[RecordedUse], Key | None]:
    """Return a page of the uses of a meter, and the key of its last row if more follow."""
    descending = paging.sort is not None and paging.sort.descending
    values: dict[str, object] = {
        "meter": meter,
        "start": start,
        "end": end,
        "limit": paging.limit + 1,
        "offset": paging.offset,
    }
    after = ""
    if paging.key is not None:
        values |= {"at": paging.key[0], "id": paging.key[1]}
        after = _BEFORE if descending else _AFTER
    query = _ROWS + after + (_NEWEST if descending else _OLDEST)
    session.flush()
    with session.cursor().connection.cursor(row_factory=class_row(RecordedUse)) as cursor:
        rows = cursor.execute(query, values).fetchall()
    shown = rows[: paging.limit]
    return shown, (shown[-1].occurred_at, shown[-1].id) if len(rows) > len(shown) else None


def count_uses(session: TenantSession, meter: str, start: datetime, end: datetime) -> int:
    """Return how many uses of a meter occurred in ``[start, end)``."""
    with session.cursor() as cursor:
        row = cursor.execute(_COUNT, {"meter": meter, "start": start, "end": end}).fetchone()
    return 0 if row is None else int(row[0])


_COUNT: Final = """
SELECT count(*) FROM node.usage_events
WHERE tenant_role = current_user AND meter = %(meter)s
    AND coalesce(occurred_at, recorded_at) >= %(start)s AND coalesce(occurred_at, recorded_at) < %(end)s
"""
