"""Whether a facility's records reach a day, and which days can be scored."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from core.clock import today
from core.errors import FieldError, Invalid, phrase
from tenants.cohort.presenting import as_of_day
from tenants.cohort.service import cohort_settings
from tenants.risk import repository

if TYPE_CHECKING:
    from datetime import date

    from core.database import TenantSession


def is_stale(complete_through: date | None, as_of: date, stale_after_days: int) -> bool:
    """Whether a facility's records end too long before the date to trust its lists."""
    return complete_through is None or (as_of - complete_through).days > stale_after_days


def stale_days(session: TenantSession) -> int:
    """The days after which a facility without newer records is stale."""
    return cohort_settings(session).completeness.stale_after_days


def day_to_score(session: TenantSession, as_of: date | None) -> date:
    """The day to score: today in the tenant's time zone, or an earlier one that the records reach.

    Raises:
        Invalid: the day lies ahead, or so far behind all facilities' records that every list would be empty.
    """
    day = as_of_day(session, as_of)
    latest = today(session.tenant.time_zone)
    if day > latest:
        raise _no_day(
            phrase("{day} lies ahead: its records do not exist yet", day=day),
            phrase("score as of {latest} or an earlier day", latest=latest),
        )
    complete_days = _complete_days(session)
    limits = stale_days(session)
    if complete_days and all(is_stale(until, day, limits) for until in complete_days):
        ends = max(complete_days)
        problem = phrase(
            "the records of all facilities end more than {limits} days before {day}, the last on {ends}",
            limits=limits,
            day=day,
            ends=ends,
        )
        raise _no_day(
            problem,
            phrase("import newer records, or score as of a day up to {last}", last=ends + timedelta(days=limits)),
        )
    return day


def latest_day_to_score(session: TenantSession) -> date:
    """The newest day that ``day_to_score`` accepts: today, or the last day that the records of a facility reach."""
    latest = today(session.tenant.time_zone)
    complete_days = _complete_days(session)
    if not complete_days:
        return latest
    return min(latest, max(complete_days) + timedelta(days=stale_days(session)))


def _complete_days(session: TenantSession) -> list[date]:
    return [fact["complete_through"] for fact in repository.facility_facts(session) if fact["complete_through"]]


def _no_day(problem: str, remedy: str) -> Invalid:
    return Invalid(problem, remedy=remedy, errors=[FieldError("as_of", problem, remedy)])
