"""What the API and the command line both say of an answer, and how they read a question."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, get_args

from core.clock import today
from core.errors import FieldError, Invalid
from tenants.cohort.schemas import Dimension, IndicatorRow, Indicators

if TYPE_CHECKING:
    from core.database import TenantSession
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
        Invalid: it is before 1900, where nothing is known.
    """
    if as_of is not None and not 1900 <= as_of.year <= 9000:  # noqa: PLR2004 - what day numbers are used for
        remedy = "write the year with four digits"
        raise Invalid("the day cannot be used", remedy=remedy, errors=[FieldError("as_of", "no day of care", remedy)])
    return as_of or today(session.tenant.time_zone)


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
