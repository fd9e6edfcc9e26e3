"""Days in a tenant's time zone, and what "as of a day" means for versioned rows."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement
from sqlmodel import and_, col, or_

from core.database import TenantRef
from core.errors import Invalid, phrase
from core.web.days import DAY_REMEDY, plausible
from tenants.records.versioned import Versioned


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
        detail = phrase("a day (such as as_of or date_to) is out of range: {error}", error=error)
        raise Invalid(detail, remedy=DAY_REMEDY) from error


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
