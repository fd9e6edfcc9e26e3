"""Days in a tenant's time zone, and what "as of a day" means for versioned rows."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement
from sqlmodel import and_, col, or_

from core.database import TenantRef
from tenants.records.versioned import Versioned


def start_of_day(tenant: TenantRef, day: date) -> datetime:
    """The first instant of ``day`` where the tenant is."""
    return datetime.combine(day, time.min, ZoneInfo(tenant.time_zone))


def end_of_day(tenant: TenantRef, day: date) -> datetime:
    """The first instant after ``day`` where the tenant is: what was known before it was known as of ``day``."""
    return start_of_day(tenant, day + timedelta(days=1))


def visible(model: type[Versioned], tenant: TenantRef, as_of: date | None) -> ColumnElement[bool]:
    """The versions that hold now, or that were known as of a day; none that is voided."""
    if as_of is None:
        return and_(col(model.known_to).is_(None), ~col(model.voided))
    instant = end_of_day(tenant, as_of)
    return and_(
        col(model.known_from) < instant,
        or_(col(model.known_to).is_(None), col(model.known_to) >= instant),
        ~col(model.voided),
    )
