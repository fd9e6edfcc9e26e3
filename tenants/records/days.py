"""Days in a tenant's time zone, and what "as of a day" means for versioned rows."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement
from sqlmodel import and_, col, or_

from core.database import TenantRef
from core.errors import Invalid
from tenants.records.versioned import Versioned

YEARS = range(1900, 2201)
"""Years that a caller may ask about. Outside them, computing with instants may overflow."""


class ImplausibleError(ValueError):
    """The day or instant is out of range. ``remedy`` goes into the API's answer."""

    remedy = f"Send a day from {YEARS[0]}-01-01 to {YEARS[-1]}-12-31."


def plausible(day: date) -> date:
    """Return ``day`` if its year is plausible.

    Raises:
        ImplausibleError: its year is not plausible.
    """
    if day.year not in YEARS:
        message = f"the year must be from {YEARS[0]} to {YEARS[-1]}"
        raise ImplausibleError(message)
    return day


def reckonable(moment: datetime) -> datetime:
    """Return ``moment`` in UTC.

    Raises:
        ImplausibleError: the instant is out of range in UTC.
    """
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        message = "the instant is out of range"
        raise ImplausibleError(message) from error


def plausible_moment(moment: datetime) -> datetime:
    """Return ``moment`` if it is in range in UTC and its year is plausible.

    Raises:
        ImplausibleError: it is not.
    """
    plausible(reckonable(moment).date())
    return moment


def start_of_day(tenant: TenantRef, day: date) -> datetime:
    """The first instant of ``day`` in the tenant's time zone."""
    return datetime.combine(day, time.min, ZoneInfo(tenant.time_zone))


def end_of_day(tenant: TenantRef, day: date) -> datetime:
    """Return the first instant after ``day`` in the tenant's time zone.

    Facts known before that instant are known as of ``day``.

    Raises:
        Invalid: the year of ``day`` is not plausible (422).
    """
    try:
        return start_of_day(tenant, plausible(day) + timedelta(days=1))
    except ValueError as error:
        detail = f"a day (such as as_of or date_to) is out of range: {error}"
        raise Invalid(detail, remedy=f"Send a day from {YEARS[0]} to {YEARS[-1]}.") from error


def visible(model: type[Versioned], tenant: TenantRef, as_of: date | None) -> ColumnElement[bool]:
    """The condition for the versions that are open now, or were known as of a day, without voided ones."""
    if as_of is None:
        return and_(col(model.known_to).is_(None), ~col(model.voided))
    instant = end_of_day(tenant, as_of)
    return and_(
        col(model.known_from) < instant,
        or_(col(model.known_to).is_(None), col(model.known_to) >= instant),
        ~col(model.voided),
    )
