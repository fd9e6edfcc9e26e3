"""What a tenant used in a span of days: of each meter, in all or by day or hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal
from zoneinfo import ZoneInfo

from core.clock import today
from core.database import platform_session, psycopg_connection
from core.errors import FieldError, Invalid, NotFound, phrase
from core.metering import hours
from core.metering.service import meters
from core.web.days import check_order

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantRef
    from core.feature_registry import Meter

By = Literal["period", "day", "hour"]

LONGEST: Final[dict[str, int]] = {"period": 800, "day": 400, "hour": 31}
"""Most days of a span, by what its figures are divided by."""


@dataclass(frozen=True, slots=True)
class Span:
    """Days ``[since, until)`` in a tenant's time zone, as instants."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class MeterUsage:
    """The use of a meter.

    Attributes:
        rows: begin of each day or hour with use -> quantity; empty when the figures are not divided.
    """

    meter: Meter
    quantity: Decimal
    rows: dict[datetime, Decimal]


@dataclass(frozen=True, slots=True)
class UsageFigures:
    """The use of a span.

    Attributes:
        complete_until: every use that was recorded before it is contained; None before the first roll-up.
        batch: the newest batch that is contained. As of this batch the figures never change.
    """

    span: Span
    time_zone: str
    complete_until: datetime | None
    batch: int
    meters: list[MeterUsage]


@dataclass(frozen=True, slots=True)
class LedgerState:
    """How far the ledger of a data database is rolled up; ``error`` says why the last roll-up failed."""

    database: str
    complete_until: datetime | None
    checked_at: datetime | None
    failed_at: datetime | None
    error: str | None


def span_of(time_zone: str, since: date | None, until: date | None, by: By = "period") -> Span:
    """Return the days from ``since`` to before ``until``; by default the present month up to today.

    Raises:
        Invalid: it ends before it starts, or has too many days to be divided so.
    """
    present = today(time_zone)
    last = until or present + timedelta(days=1)
    first = since or (last - timedelta(days=1)).replace(day=1)
    check_order("since", first, "until", last)
    if (last - first).days > LONGEST[by]:
        problem = phrase("has more than {most} days", most=LONGEST[by])
        raise Invalid(phrase("the span is too long"), errors=[FieldError("since", problem)])
    zone = ZoneInfo(time_zone)
    begin, end = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (first, last))
    return Span(begin, end)


def usage(tenant: TenantRef, span: Span, *, by: By = "period", meter: str | None = None) -> UsageFigures:
    """Return what a tenant used, as of the newest batch.

    Raises:
        NotFound: no feature declares the meter.
    """
    wanted = hours.default_aggregations() if meter is None else {known(meter).name: known(meter).aggregation}
    begin, end = span.since, span.until
    with platform_session() as session:
        batch, complete = hours.newest_batch(session), hours.complete_until(session)
        totals = hours.quantities(session, tenant.id, begin, end, wanted, as_of=batch)
        rows: dict[str, dict[datetime, Decimal]] = {}
        if by == "hour":
            rows = hours.by_hour(session, tenant.id, begin, end, wanted, as_of=batch)
        elif by == "day":
            zone = ZoneInfo(tenant.time_zone)
            days = hours.by_day(session, tenant.id, begin, end, wanted, zone=tenant.time_zone, as_of=batch)
            rows = {
                name: {datetime.combine(day, time(), zone): quantity for day, quantity in sorted(figures.items())}
                for name, figures in days.items()
            }
    figures = [
        MeterUsage(meters()[name], totals[name], dict(sorted(rows.get(name, {}).items()))) for name in sorted(wanted)
    ]
    return UsageFigures(span, tenant.time_zone, None if complete == hours.NEVER else complete, batch, figures)


def known(meter: str) -> Meter:
    """Return a meter.

    Raises:
        NotFound: no feature declares it.
    """
    declared = meters().get(meter)
    if declared is None:
        detail = phrase("there is no meter {meter}", meter=repr(meter))
        raise NotFound(detail, remedy=phrase("The meters are {names}.", names=", ".join(sorted(meters()))))
    return declared


def totals_of_tenants(since: datetime, until: datetime) -> dict[UUID, dict[str, Decimal]]:
    """Return the quantities of every tenant that used anything, by meter, as of the newest batch."""
    with platform_session() as session:
        batch = hours.newest_batch(session)
        query = "SELECT DISTINCT tenant_id FROM platform.usage_hours WHERE hour >= %s AND hour < %s"
        ids = [row[0] for row in psycopg_connection(session).execute(query, (since, until))]
        wanted = hours.default_aggregations()
        return {each: hours.quantities(session, each, since, until, wanted, as_of=batch) for each in ids}


def ledgers() -> list[LedgerState]:
    """Return how far each ledger is rolled up, by the name of its database."""
    query = (
        "SELECT database, complete_until, checked_at, failed_at, error FROM platform.usage_ledgers ORDER BY database"
    )
    with platform_session() as session:
        return [LedgerState(*row) for row in psycopg_connection(session).execute(query)]
