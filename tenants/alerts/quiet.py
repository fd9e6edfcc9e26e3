"""Quiet hours and holidays, in the tenant's time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from tenants.alerts.settings import minutes

if TYPE_CHECKING:
    from tenants.alerts.settings import AlertSettings

MOST_DAYS: Final = 400
"""Days that are looked at for the end of holidays."""
_SATURDAY: Final = 5


def quiet_until(settings: AlertSettings, zone: str, moment: datetime) -> datetime | None:
    """Return when the quiet time ends that a moment lies in, in UTC; None if it lies in none.

    Times of day are wall-clock times: a clock change moves the end with the clock.
    """
    if not settings.quiet_hours:
        return None
    local = moment.astimezone(ZoneInfo(zone))
    begin, end = minutes(settings.quiet_from), minutes(settings.quiet_until)
    present, day = local.hour * 60 + local.minute, local.date()
    if _is_off(settings, day):
        ends = _first_working_day(settings, day)
        return _instant(ends, end if begin > end else 0, zone)
    if begin == end:
        return None
    over_midnight = begin > end
    if over_midnight and present >= begin:
        day += timedelta(days=1)
        return _instant(_first_working_day(settings, day) if _is_off(settings, day) else day, end, zone)
    if (over_midnight and present < end) or (not over_midnight and begin <= present < end):
        return _instant(day, end, zone)
    return None


def at_minute(day: date, minute: int, zone: str) -> datetime:
    """Return the instant of a minute of a day in a time zone, in UTC."""
    return _instant(day, minute, zone)


def _instant(day: date, minute: int, zone: str) -> datetime:
    return datetime.combine(day, time(minute // 60, minute % 60), tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _is_off(settings: AlertSettings, day: date) -> bool:
    return day in settings.holidays or (settings.quiet_weekends and day.weekday() >= _SATURDAY)


def _first_working_day(settings: AlertSettings, day: date) -> date:
    for _ in range(MOST_DAYS):
        if not _is_off(settings, day):
            break
        day += timedelta(days=1)
    return day
