"""Billing periods: whole days in the time zone of the account."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final, Literal
from zoneinfo import ZoneInfo

Interval = Literal["month", "quarter"]
Alignment = Literal["calendar", "anniversary"]

_MONTHS: Final = {"month": 1, "quarter": 3}
_YEAR: Final = 12


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """The days from ``start`` to the day before ``end``.

    Attributes:
        start: the first day.
        end: the first day after it.
    """

    start: date
    end: date

    @property
    def days(self) -> int:
        """The number of days; 0 if it is empty."""
        return max(0, (self.end - self.start).days)

    @property
    def last(self) -> date:
        """The last day, as invoices print it."""
        return date.fromordinal(self.end.toordinal() - 1)

    def within(self, other: Period) -> Period:
        """Return the days that both have; a period of 0 days if there are none."""
        start = max(self.start, other.start)
        return Period(start, max(start, min(self.end, other.end)))


def period_of(anchor: date, interval: Interval, alignment: Alignment, day: date) -> Period:
    """Return the whole period that contains ``day``.

    Calendar periods are months, or quarters that begin in January, April, July and October. Anniversary periods begin
    on the day of the month of ``anchor``, or on the last day of a month that is shorter. They are counted from the
    anchor, so after 31 January and 28 February comes 31 March.

    Args:
        anchor: the first day of the subscription's terms; calendar periods ignore it.
        interval: the length.
        alignment: whether periods follow the calendar or the anchor.
        day: a day of the period; not before the anchor if periods follow the anchor.

    Raises:
        ValueError: ``day`` is before the anchor.
    """
    months = _MONTHS[interval]
    if alignment == "calendar":
        first = date(day.year, (day.month - 1) // months * months + 1, 1)
        return Period(first, months_after(first, months))
    if day < anchor:
        message = f"{day} is before {anchor}, when the periods begin"
        raise ValueError(message)
    count = ((day.year - anchor.year) * _YEAR + day.month - anchor.month) // months
    if months_after(anchor, count * months) > day:
        count -= 1
    return Period(months_after(anchor, count * months), months_after(anchor, (count + 1) * months))


def months_after(day: date, months: int) -> date:
    """Return the same day of a later month, or the last day of that month if it is shorter."""
    index = day.year * _YEAR + day.month - 1 + months
    year, month = index // _YEAR, index % _YEAR + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def bounds(period: Period, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the instants in UTC at which the period begins and ends.

    Usage is summed by hours of UTC, and an hour belongs to the day in which it begins. Where midnight lies within an
    hour of UTC (India), the rest of that hour counts for the day before, at both ends of the period.
    """
    return midnight(period.start, zone), midnight(period.end, zone)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant in UTC at which a day begins in a time zone."""
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
