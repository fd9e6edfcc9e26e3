"""Quantities of rolled-up usage: what a tenant used of a meter in a span of time, as of a batch.

Batches never change, so a quantity as of a batch can be computed again at any time, and is the same. A span is
``[start, end)``; an hour belongs to the span that contains its begin.

Aggregations: ``sum`` of the values, ``count`` of the uses, ``max``, ``latest`` (of gauges) and ``unique:<dimension>``,
the number of different values of a dimension.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, LiteralString

from core.database import databases, psycopg_connection
from core.metering.service import meters

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from sqlmodel import Session

NEVER: Final = datetime.min.replace(tzinfo=UTC)
"""Until when usage is complete as long as a ledger was never rolled up."""

_UNIQUE: Final = "unique:"
_COMPLETE: Final = """
SELECT min(coalesce(ledgers.complete_until, '-infinity')) = '-infinity',
    nullif(least(min(coalesce(ledgers.complete_until, '-infinity')),
        (SELECT min(recorded_at) FROM platform.moved_uses WHERE counts_in IS NOT NULL)), '-infinity')
FROM unnest(%s::text[]) AS serving LEFT JOIN platform.usage_ledgers AS ledgers ON ledgers.database = serving
"""
_FIGURES: Final = {
    "sum": "sum(total)",
    "count": "sum(uses)",
    "max": "max(maximum)",
    "latest": "(array_agg(latest ORDER BY latest_at DESC, batch DESC) FILTER (WHERE latest_at IS NOT NULL))[1]",
}
_RANGE: Final = (
    " FROM platform.usage_hours WHERE tenant_id = %(tenant)s AND hour >= %(start)s AND hour < %(end)s"
    " AND batch <= %(as_of)s"
)


@dataclass(frozen=True, slots=True)
class Figure:
    """The quantity of a meter under one value of what it is grouped by, such as a day or a dimension."""

    meter: str
    group: str
    quantity: Decimal


def complete_until(session: Session) -> datetime:
    """Return until when usage is complete: every use that was recorded before it, in any database, is rolled up.

    While a data database is away, it stays where it was. It is ``NEVER`` if a ledger was never rolled up.
    """
    never, until = psycopg_connection(session).execute(_COMPLETE, (list(databases()),)).fetchall()[0]
    return NEVER if never or until is None else until


def newest_batch(session: Session) -> int:
    """Return the number of the newest batch; 0 if there is none. All batches up to it are committed."""
    query: LiteralString = "SELECT coalesce(max(number), 0) FROM platform.usage_batches"
    return int(psycopg_connection(session).execute(query).fetchall()[0][0])


def quantity(
    session: Session, tenant_id: UUID, meter: str, start: datetime, end: datetime, aggregation: str, *, as_of: int
) -> Decimal:
    """Return the quantity of a meter in a span, as of a batch; 0 if nothing was used.

    Args:
        session: of the platform.
        tenant_id: the tenant's.
        meter: its name.
        start: begin of the span, aware.
        end: end of the span, which is not part of it.
        aggregation: how uses make a quantity.
        as_of: the number of the newest batch to count.

    Raises:
        ValueError: the aggregation is unknown, or a time has no zone.
    """
    return quantities(session, tenant_id, start, end, {meter: aggregation}, as_of=as_of)[meter]


def quantities(
    session: Session, tenant_id: UUID, start: datetime, end: datetime, aggregations: Mapping[str, str], *, as_of: int
) -> dict[str, Decimal]:
    """Return the quantities of meters in a span, as of a batch. ``aggregations`` maps each meter to its aggregation.

    Raises:
        ValueError: an aggregation is unknown, or a time has no zone.
    """
    result = dict.fromkeys(aggregations, Decimal(0))
    for each in _grouped(session, tenant_id, start, end, aggregations, as_of, "''"):
        result[each.meter] = each.quantity
    return result


def by_day(
    session: Session,
    tenant_id: UUID,
    start: datetime,
    end: datetime,
    aggregations: Mapping[str, str],
    *,
    zone: str,
    as_of: int,
) -> dict[str, dict[date, Decimal]]:
    """Return the quantities of each meter by day, in a time zone such as ``Africa/Lagos``; days without use are absent.

    Raises:
        ValueError: an aggregation is unknown, or a time has no zone.
    """
    quantities_of: dict[str, dict[date, Decimal]] = {meter: {} for meter in aggregations}
    for each in _grouped(
        session, tenant_id, start, end, aggregations, as_of, "(hour AT TIME ZONE %(group)s)::date::text", zone
    ):
        quantities_of[each.meter][date.fromisoformat(each.group)] = each.quantity
    return quantities_of


def by_hour(
    session: Session, tenant_id: UUID, start: datetime, end: datetime, aggregations: Mapping[str, str], *, as_of: int
) -> dict[str, dict[datetime, Decimal]]:
    """Return the quantities of each meter by hour; hours without use are absent.

    Raises:
        ValueError: an aggregation is unknown, or a time has no zone.
    """
    quantities_of: dict[str, dict[datetime, Decimal]] = {meter: {} for meter in aggregations}
    group: LiteralString = "to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS+00:00')"
    for each in _grouped(session, tenant_id, start, end, aggregations, as_of, group):
        quantities_of[each.meter][datetime.fromisoformat(each.group)] = each.quantity
    return quantities_of


def by_dimension(
    session: Session,
    tenant_id: UUID,
    meter: str,
    dimension: str,
    start: datetime,
    end: datetime,
    aggregation: str,
    *,
    as_of: int,
) -> dict[str, Decimal]:
    """Return the quantity of a meter under each value of a dimension; uses without one are under ``""``.

    Raises:
        ValueError: the aggregation is unknown, or a time has no zone.
    """
    group: LiteralString = "coalesce(dimensions ->> %(group)s, '')"
    figures = _grouped(session, tenant_id, start, end, {meter: aggregation}, as_of, group, dimension)
    return {each.group: each.quantity for each in figures}


def default_aggregations() -> dict[str, str]:
    """Return every declared meter with its usual aggregation."""
    return {name: meter.aggregation for name, meter in meters().items()}


def _grouped(
    session: Session,
    tenant_id: UUID,
    start: datetime,
    end: datetime,
    aggregations: Mapping[str, str],
    as_of: int,
    group: LiteralString,
    grouped_by: str = "",
) -> list[Figure]:
    if start.tzinfo is None or end.tzinfo is None:
        message = "the bounds of a span of usage need a time zone"
        raise ValueError(message)
    shared: dict[str, Any] = {
        "tenant": tenant_id,
        "start": start,
        "end": end,
        "as_of": as_of,
        "group": grouped_by,
    }
    connection, figures = psycopg_connection(session), []
    for aggregation, names in _by_aggregation(aggregations.items()).items():
        if aggregation.startswith(_UNIQUE):
            query = (
                "SELECT meter, grouped, count(*) FROM (SELECT meter, "  # noqa: S608 - literals of this module
                + group
                + " AS grouped, dimensions ->> %(dimension)s"
                + _RANGE
                + " AND meter = ANY(%(meters)s) AND dimensions ->> %(dimension)s IS NOT NULL"
                " GROUP BY 1, 2, 3 HAVING sum(uses) > 0) AS different GROUP BY 1, 2"
            )
        else:
            figure = _FIGURES[aggregation]
            query = "SELECT meter, " + group + ", " + figure + _RANGE + " AND meter = ANY(%(meters)s) GROUP BY 1, 2"
        values = {**shared, "meters": names, "dimension": aggregation.removeprefix(_UNIQUE)}
        figures += [
            Figure(row[0], row[1], Decimal(row[2])) for row in connection.execute(query, values) if row[2] is not None
        ]
    return figures


def _by_aggregation(aggregations: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Group the meters by their aggregation.

    Raises:
        ValueError: an aggregation is unknown.
    """
    grouped: dict[str, list[str]] = {}
    for meter, aggregation in aggregations:
        if aggregation not in _FIGURES and (not aggregation.startswith(_UNIQUE) or aggregation == _UNIQUE):
            known = ", ".join((*_FIGURES, "unique:<dimension>"))
            message = f"the meter {meter!r} has the aggregation {aggregation!r}: known are {known}"
            raise ValueError(message)
        grouped.setdefault(aggregation, []).append(meter)
    return grouped
