"""What a tenant has used so far: rolled-up usage, and the uses that are not rolled up yet."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final
from uuid import UUID

from core.database import platform_session, psycopg_connection, tenant_session
from core.metering import hours

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from core.database import TenantRef

ACTOR: Final = "system:metering"
_POSITION: Final = (
    "SELECT transaction_id, last_id, EXISTS (SELECT FROM platform.moved_uses WHERE tenant_id = %s)"
    " FROM platform.usage_ledgers WHERE database = %s"
)
_COUNTED: Final = "SELECT use_id FROM platform.moved_uses WHERE use_id = ANY(%s) AND counts_in IS NULL"
_PENDING: Final = """
SELECT id, meter, value, dimensions, corrects IS NOT NULL FROM node.usage_events
WHERE tenant_role = current_user AND (transaction_id, id) > (%s, %s) AND meter = ANY(%s)
    AND coalesce(occurred_at, recorded_at) >= %s AND coalesce(occurred_at, recorded_at) < %s
ORDER BY coalesce(occurred_at, recorded_at), id
"""


def used_so_far(
    tenant: TenantRef, start: datetime, end: datetime, aggregations: Mapping[str, str]
) -> dict[str, Decimal]:
    """Return the quantities of meters in a span, with the uses that are not rolled up yet.

    The values that are rolled up and those that are not may have the same value of a dimension; ``unique`` counts it
    once. It opens transactions of its own.

    Args:
        tenant: whose use.
        start: begin of the span.
        end: end of the span, which is not part of it.
        aggregations: meter -> aggregation, as ``core.metering.hours`` has them.

    Raises:
        Unavailable: the tenant's database cannot be reached.
    """
    if not aggregations:
        return {}
    with platform_session() as session:
        batch = hours.newest_batch(session)
        used = hours.quantities(session, tenant.id, start, end, aggregations, as_of=batch)
        known = {
            meter: set(hours.by_dimension(session, tenant.id, meter, of, start, end, "count", as_of=batch))
            for meter, of in _unique(aggregations).items()
        }
        row = psycopg_connection(session).execute(_POSITION, (tenant.id, tenant.database)).fetchone()
    position = (0, UUID(int=0)) if row is None else row[:2]
    with tenant_session(tenant, actor=ACTOR, readonly=True) as session, session.cursor() as cursor:
        uses = cursor.execute(_PENDING, (*position, list(aggregations), start, end)).fetchall()
    if row is not None and row[2] and uses:
        with platform_session() as session:
            ids = [use[0] for use in uses]
            counted = {each[0] for each in psycopg_connection(session).execute(_COUNTED, (ids,))}
        uses = [use for use in uses if use[0] not in counted]
    for _, meter, value, dimensions, is_correction in uses:
        aggregation, values = aggregations[meter], known.get(meter)
        if values is not None:
            used[meter] += _new(values, dimensions.get(aggregation.partition(":")[2]), correct=is_correction)
        else:
            used[meter] = _with(used[meter], aggregation, value, correct=is_correction)
    return used


def _unique(aggregations: Mapping[str, str]) -> dict[str, str]:
    """Return the meters whose different values count, with the dimension."""
    parts = {meter: aggregation.partition(":") for meter, aggregation in aggregations.items()}
    return {meter: of for meter, (_, _, of) in parts.items() if of}


def _new(known: set[str], value: str | None, *, correct: bool) -> int:
    """Return 1 if a value of a dimension is new, and remember it."""
    if value is None or value in known or correct:
        return 0
    known.add(value)
    return 1


def _with(used: Decimal, aggregation: str, value: Decimal, *, correct: bool) -> Decimal:
    """Return a quantity with one more use, or counter-entry."""
    if aggregation == "sum":
        return used + value
    if aggregation == "count":
        return used - 1 if correct else used + 1
    if correct:
        return used
    return value if aggregation == "latest" else max(used, value)
