"""When a message may be sent: outside quiet hours and holidays, in the tenant's time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from tenants.messages.settings import MessageSettings

_FARTHEST: Final = 60


def next_allowed(moment: datetime, settings: MessageSettings, zone: str) -> datetime | None:
    """Return the first moment from ``moment`` on at which a message may be sent, in UTC.

    None if no day of the next 60 permits it.
    """
    place = ZoneInfo(zone)
    local = moment.astimezone(place)
    for ahead in range(_FARTHEST):
        day = local.date() + timedelta(days=ahead)
        if is_free_day(day, settings):
            continue
        opens, closes = (_at(day, hour, place) for hour in (settings.first_hour, settings.last_hour))
        if moment < closes:
            return max(moment, opens).astimezone(UTC)
    return None


def is_free_day(day: date, settings: MessageSettings) -> bool:
    """Return whether nothing is sent on a day."""
    return day in settings.holidays or day.isoweekday() in settings.free_weekdays


def _at(day: date, hour: int, place: ZoneInfo) -> datetime:
    """The instant of an hour of a day. Aware datetimes of one zone compare by their clocks, so it is in UTC."""
    following = day + timedelta(days=hour // 24)
    return datetime.combine(following, time(hour % 24), place).astimezone(UTC)
