"""What the API and the command line both say of an answer, and how they read a question."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, get_args

from core.clock import today
from core.errors import FieldError, Invalid
from tenants.cohort.calendar import FIRST_YEAR, LAST_YEAR
from tenants.cohort.schemas import Dimension, IndicatorRow, Indicators

if TYPE_CHECKING:
    from core.database import TenantRef, TenantSession
    from tenants.cohort.service import IndicatorReport

_KNOWN: tuple[Dimension, ...] = get_args(Dimension)


def dimensions(text: str) -> list[Dimension]:
    """The dimensions of a comma-separated list, each once, in the order given.

    Raises:
        Invalid: one of them is not known.
    """
    found: list[Dimension] = []
    for word in (part.strip() for part in text.split(",") if part.strip()):
        known = next((name for name in _KNOWN if name == word), None)
        if known is None:
            remedy = f"choose among {', '.join(_KNOWN)}"
            raise Invalid("unknown dimension", remedy=remedy, errors=[FieldError("by", f"{word!r} is none", remedy)])
        if known not in found:
            found.append(known)
    return found


def as_of_day(session: TenantSession, as_of: date | None) -> date:
    """The day asked for, or today where the tenant is.

    Raises:
        Invalid: it is no day of care, before 1900 or after 2199.
    """
    return day_asked(session.tenant, as_of)


def day_asked(tenant: TenantRef, as_of: date | None) -> date:
    """As :func:`as_of_day`, where there is no session."""
    if as_of is not None and not FIRST_YEAR <= as_of.year <= LAST_YEAR:
        problem = f"{as_of} is no day of care"
        remedy = f"give a day from {FIRST_YEAR}-01-01 to {LAST_YEAR}-12-31"
        raise Invalid(problem, remedy=remedy, errors=[FieldError("as_of", problem, remedy)])
    return as_of or today(tenant.time_zone)


def indicators_out(report: IndicatorReport) -> Indicators:
    """A report in the words of the API."""
    return Indicators(
        start=report.period.start,
        end=report.period.end,
        by=dimensions(",".join(report.by)),
        rows=[IndicatorRow(group=group, counts=counts) for group, counts in report.rows],
        complete_through=report.complete_through,
        provisional=bool(report.provisional) or report.rebuilding,
        provisional_facilities=report.provisional,
        stale_facilities=report.stale,
        definition=report.definition,
    )
