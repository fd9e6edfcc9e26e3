"""Convert parameters and answers, for the API and the command line alike."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, get_args

from core.clock import today
from core.errors import FieldError, Invalid, phrase
from core.web.days import DAY_REMEDY, ImplausibleError, plausible
from tenants.cohort.calendar import name_of
from tenants.cohort.schemas import Dimension, IndicatorRow, Indicators, IndicatorTrend, PeriodCounts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.database import TenantRef, TenantSession
    from tenants.cohort.calendar import Period
    from tenants.cohort.service import Coverage, IndicatorReport

_KNOWN: tuple[Dimension, ...] = get_args(Dimension)


def dimensions(text: str) -> list[Dimension]:
    """The dimensions of a comma-separated list, without repeats, in their order.

    Raises:
        Invalid: a dimension is unknown.
    """
    result: list[Dimension] = []
    for word in (part.strip() for part in text.split(",") if part.strip()):
        dimension = next((name for name in _KNOWN if name == word), None)
        if dimension is None:
            remedy = phrase("choose among {listed}", listed=", ".join(_KNOWN))
            raise Invalid(
                "unknown dimension", remedy=remedy, errors=[FieldError("by", "names an unknown dimension", remedy)]
            )
        if dimension not in result:
            result.append(dimension)
    return result


def as_of_day(session: TenantSession, as_of: date | None) -> date:
    """The given day, or today in the tenant's time zone.

    Raises:
        Invalid: the day is before 1900 or after 2199.
    """
    return day_asked(session.tenant, as_of)


def day_asked(tenant: TenantRef, as_of: date | None) -> date:
    """The given day, or today in the tenant's time zone, as :func:`as_of_day`, but without a session.

    Raises:
        Invalid: the day is before 1900 or after 2199.
    """
    if as_of is None:
        return today(tenant.time_zone)
    try:
        return plausible(as_of)
    except ImplausibleError as error:
        detail = "the day is out of range"
        raise Invalid(detail, remedy=DAY_REMEDY, errors=[FieldError("as_of", str(error), DAY_REMEDY)]) from error


def trend_out(periods: Sequence[Period], counts: Sequence[Mapping[str, int]], complete: Coverage) -> IndicatorTrend:
    """Return the counts of several periods as the API shows them; ``complete`` is of the last one."""
    return IndicatorTrend(
        periods=[
            PeriodCounts(
                period=name_of(period),
                start=period.start,
                end=period.end,
                as_of=min(period.end, complete.as_of),
                counts=dict(row),
            )
            for period, row in zip(periods, counts, strict=True)
        ],
        complete_through=complete.complete_through,
        provisional=bool(complete.provisional) or complete.rebuilding,
        definition=complete.definition,
    )


def indicators_out(report: IndicatorReport) -> Indicators:
    """Return a report as the API shows it."""
    return Indicators(
        start=report.period.start,
        end=report.period.end,
        as_of=report.as_of,
        by=dimensions(",".join(report.by)),
        rows=[IndicatorRow(group=group, counts=counts) for group, counts in report.rows],
        complete_through=report.complete_through,
        provisional=bool(report.provisional) or report.rebuilding,
        provisional_facilities=report.provisional,
        stale_facilities=report.stale,
        definition=report.definition,
    )
