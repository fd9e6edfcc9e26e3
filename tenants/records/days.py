"""Days in a tenant's time zone, and what "as of a day" means for versioned rows."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from core.database import TenantRef


def start_of_day(tenant: TenantRef, day: date) -> datetime:
    """The first instant of ``day`` where the tenant is."""
    return datetime.combine(day, time.min, ZoneInfo(tenant.time_zone))


def end_of_day(tenant: TenantRef, day: date) -> datetime:
    """The first instant after ``day`` where the tenant is: what was known before it was known as of ``day``."""
    return start_of_day(tenant, day + timedelta(days=1))
