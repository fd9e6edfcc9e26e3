"""Usage of all partners for the explorer: by partner, by day and by dimension."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from core.database import psycopg_connection
from core.metering import hours, meters

if TYPE_CHECKING:
    from uuid import UUID

    from sqlmodel import Session

MOST_TENANTS: Final = 200
_ADDED: Final = (
    "SELECT meter, sum(total) FROM platform.usage_hours WHERE hour >= %s AND hour < %s AND meter = ANY(%s) GROUP BY 1"
)
_TENANTS: Final = (
    "SELECT DISTINCT tenant_id FROM platform.usage_hours WHERE hour >= %s AND hour < %s AND meter = %s LIMIT %s"
)


@dataclass(frozen=True, slots=True)
class MeterUse:
    """The use of one meter in a span of days (UTC).

    Attributes:
        by_tenant: quantity by partner, the largest first.
        by_day: quantity by day, of one partner; empty for all.
        by_dimension: dimension -> value -> quantity, of one partner; empty for all.
    """

    meter: str
    aggregation: str
    by_tenant: list[tuple[UUID, Decimal]]
    by_day: dict[date, Decimal]
    by_dimension: dict[str, dict[str, Decimal]]


def totals_by_meter(session: Session, start: date, end: date) -> dict[str, Decimal]:
    """Return the quantities of all partners together, of meters whose uses add up.

    A meter of different values, such as active people, is the sum over the partners: nobody is in two of them.
    """
    added = [name for name, meter in meters().items() if meter.aggregation == "sum"]
    values = (_midnight(start), _midnight(end), added)
    totals = {name: Decimal(total) for name, total in psycopg_connection(session).execute(_ADDED, values)}
    for name, meter in meters().items():
        if meter.aggregation.startswith("unique:"):
            totals[name] = sum((quantity for _, quantity in _by_tenant(session, name, start, end)), Decimal(0))
    return totals


def use_of(session: Session, meter: str, start: date, end: date, tenant_id: UUID | None = None) -> MeterUse:
    """Return the use of a meter by partner; of one partner, by day and by dimension too."""
    declared, batch = meters()[meter], hours.newest_batch(session)
    aggregation = declared.aggregation
    begin, until = _midnight(start), _midnight(end)
    by_day: dict[date, Decimal] = {}
    by_dimension: dict[str, dict[str, Decimal]] = {}
    by_tenant = _by_tenant(session, meter, start, end)
    if tenant_id is not None:
        by_tenant = [each for each in by_tenant if each[0] == tenant_id]
        days = hours.by_day(session, tenant_id, begin, until, {meter: aggregation}, zone="UTC", as_of=batch)
        by_day = dict(sorted(days[meter].items()))
        for dimension in declared.dimensions:
            if f"unique:{dimension}" != aggregation:
                by_dimension[dimension] = hours.by_dimension(
                    session, tenant_id, meter, dimension, begin, until, aggregation, as_of=batch
                )
    return MeterUse(meter, aggregation, by_tenant, by_day, by_dimension)


def _by_tenant(session: Session, meter: str, start: date, end: date) -> list[tuple[UUID, Decimal]]:
    begin, until = _midnight(start), _midnight(end)
    aggregation, batch = meters()[meter].aggregation, hours.newest_batch(session)
    ids = [row[0] for row in psycopg_connection(session).execute(_TENANTS, (begin, until, meter, MOST_TENANTS))]
    by_tenant = [(each, hours.quantity(session, each, meter, begin, until, aggregation, as_of=batch)) for each in ids]
    return sorted(by_tenant, key=lambda each: (-each[1], str(each[0])))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
