"""The part of a period that the records cover: figures of a period that still runs stop at the data date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.clock import today
from core.errors import FieldError, Invalid, phrase
from tenants.cohort import repository
from tenants.cohort.calendar import Period, name_of, preceding, quarter_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from core.database import TenantSession


def data_date(session: TenantSession) -> date:
    """The day to which the tenant's records run: the latest data date of its facilities, or today where none has one.

    It is the same for every reader, whatever their reach, and never lies ahead.
    """
    now = today(session.tenant.time_zone)
    return min(repository.latest_data_date(session) or now, now)


def covered_parts(session: TenantSession, periods: Sequence[Period]) -> list[Period]:
    """Each period up to its end, or to the data date if the records end before.

    A status after the data date says only that nobody has recorded a contact yet: whoever is due by then would count
    as lost.

    Raises:
        Invalid: a period begins after the data date.
    """
    until = data_date(session)
    return [covered_by(period, until) for period in periods]


def covered_part(session: TenantSession, period: Period) -> Period:
    """The period up to its end, or to the data date, as :func:`covered_parts`.

    Raises:
        Invalid: the period begins after the data date.
    """
    return covered_parts(session, [period])[0]


def last_ended(period: Period, until: date) -> Period:
    """The latest period of the same length that had ended by a day: ``period`` itself, or one before it."""
    while period.end > until:
        period = preceding(period, 2)[0]
    return period


def covered_by(period: Period, until: date) -> Period:
    """The period up to its end, or to the day ``until`` if that is earlier.

    Raises:
        Invalid: the period begins after ``until``.
    """
    if period.start > until:
        problem = phrase(
            "the period begins on {start}, after the records end on {day}",
            start=period.start,
            day=until,
        )
        remedy = phrase(
            "choose an earlier period, such as {period}, or import newer records",
            period=name_of(last_ended(quarter_of(until), until)),
        )
        raise Invalid(problem, remedy=remedy, errors=[FieldError("period", problem, remedy)])
    return Period(period.start, min(period.end, until))
