"""Months, ages and reporting periods on day numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from core.errors import FieldError, Invalid, phrase
from core.web.days import FIRST_YEAR, LAST_YEAR, check_order
from tenants.cohort.timelines import NO_DAY, IntArray, day_number

if TYPE_CHECKING:
    import numpy.typing as npt

NOT_RECORDED: Final = "not recorded"
AGE_BANDS: Final = ("<1", "1-4", *(f"{low}-{low + 4}" for low in range(5, 65, 5)), "65+")
_AGE_STARTS: Final = np.array([0, 1, *range(5, 70, 5)])
TIME_BANDS: Final = ("<3 months", "3-5 months", "6-11 months", "12-23 months", "24+ months")
_TIME_STARTS: Final = np.array([0, 3, 6, 12, 24])
INTERRUPTION_BANDS: Final = ("lt3", "3to5", "6plus")
"""Completed months: fewer than 3, 3 to 5, 6 or more."""
_INTERRUPTION_STARTS: Final = np.array([0, 3, 6])

_QUARTER: Final = 3
_YEAR: Final = 12
_FISCAL_MONTH: Final = 10

_FORMS: Final = (
    re.compile(r"(?P<year>\d{4})Q(?P<quarter>[1-4])"),
    re.compile(r"FY(?P<fiscal>\d{2}|\d{4})Q(?P<quarter>[1-4])"),
    re.compile(r"FY(?P<fiscal>\d{2}|\d{4})"),
    re.compile(r"(?P<year>\d{4})-?(?P<month>0[1-9]|1[0-2])"),
    re.compile(r"(?P<year>\d{4})"),
)


@dataclass(frozen=True, slots=True)
class Period:
    """A reporting period. It includes its first and its last day."""

    start: date
    end: date

    def __post_init__(self) -> None:
        check_order("start", self.start, "end", self.end)

    @property
    def days(self) -> tuple[int, int]:
        """First and last day number."""
        return day_number(self.start), day_number(self.end)


def period_of(text: str | None, start: date | None = None, end: date | None = None) -> Period:
    """Return the period that a text, or a first and a last day, names.

    Args:
        text: a calendar quarter (2026Q3), a PEPFAR fiscal quarter (FY26Q4; the year begins in October), a month
            (2026-08), a year (2026) or a PEPFAR fiscal year (FY26).
        start: first day. Give it together with ``end`` instead of a text.
        end: last day.

    Raises:
        Invalid: the text has none of these forms, or neither or both of text and (start, end) are given.
    """
    if text is None:
        if start is None or end is None:
            raise _wrong("period", "no period is given", "give period=2026Q3, or start and end")
        for field, day in (("start", start), ("end", end)):
            _check_year(field, day.year)
        return Period(start, end)
    if start is not None or end is not None:
        raise _wrong("period", "period and start or end are given", "give one or the other")
    for form in _FORMS:
        match = form.fullmatch(text.strip().upper())
        if match:
            return _period_of_parts({name: int(value) for name, value in match.groupdict().items()})
    raise _wrong("period", "is not a period", "write 2026Q3, FY26Q4, 2026-08, 2026 or FY26")


def _period_of_parts(part: dict[str, int]) -> Period:
    if "fiscal" in part:
        year = part["fiscal"] if part["fiscal"] > 99 else 2000 + part["fiscal"]  # noqa: PLR2004 - two digits
        if "quarter" not in part:
            return _months(year - 1, 10, 12)
        first = part["quarter"] * 3 - 5
        return _months(year if first > 0 else year - 1, first if first > 0 else first + 12, 3)
    if "quarter" in part:
        return _months(part["year"], part["quarter"] * 3 - 2, 3)
    return _months(part["year"], part.get("month", 1), 1 if "month" in part else 12)


def _months(year: int, month: int, count: int) -> Period:
    _check_year("period", year)
    after = year * 12 + month - 1 + count
    return Period(date(year, month, 1), date(after // 12, after % 12 + 1, 1) - timedelta(days=1))


def quarter_of(day: date) -> Period:
    """The calendar quarter of a day, which is a quarter of PEPFAR too."""
    return period_of(f"{day.year:04}Q{(day.month + 2) // 3}")


def preceding(period: Period, count: int) -> list[Period]:
    """``count`` periods of the same length that follow each other, the oldest first; the last one is ``period``.

    A period of whole calendar months is as many months long; any other as many days.
    """
    months = _whole_months(period)
    periods = [period]
    while len(periods) < count:
        first = periods[-1].start
        if months:
            begin = first.year * 12 + first.month - 1 - months
            periods.append(_months(begin // 12, begin % 12 + 1, months))
        else:
            length = period.end - period.start
            periods.append(Period(first - timedelta(days=1) - length, first - timedelta(days=1)))
    return periods[::-1]


def name_of(period: Period) -> str:
    """The name of a period, as :func:`period_of` reads it. Without a name: its first and last day."""
    months, start = _whole_months(period), period.start
    if months == 1:
        return f"{start.year:04}-{start.month:02}"
    if months == _QUARTER and start.month % _QUARTER == 1:
        return f"{start.year:04}Q{start.month // _QUARTER + 1}"
    if months == _YEAR and start.month == 1:
        return f"{start.year:04}"
    if months == _YEAR and start.month == _FISCAL_MONTH:
        return f"FY{start.year + 1}"
    return f"{start} to {period.end}"


def _whole_months(period: Period) -> int:
    """The calendar months of a period; 0 if it has a part of one."""
    after = period.end + timedelta(days=1)
    if period.start.day != 1 or after.day != 1:
        return 0
    return (after.year - period.start.year) * 12 + after.month - period.start.month


def _check_year(field: str, year: int) -> None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise _wrong(
            field,
            phrase("{year} is not a year of care", year=year),
            phrase("give a year from {first} to {last}", first=FIRST_YEAR, last=LAST_YEAR),
        )


def _wrong(field: str, problem: str, remedy: str) -> Invalid:
    return Invalid("the period cannot be used", remedy=remedy, errors=[FieldError(field, problem, remedy)])


def months_between(first: npt.ArrayLike, second: npt.ArrayLike) -> IntArray:
    """Completed calendar months from one day to another; -1 where either is not recorded or the second is earlier."""
    # A single day is converted one time, not for each person. NO_DAY converts too; its months are not used.
    start, stop = np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64)
    begin, finish = start.astype("datetime64[D]"), stop.astype("datetime64[D]")
    begin_month, finish_month = begin.astype("datetime64[M]"), finish.astype("datetime64[M]")
    months = finish_month.astype(np.int64) - begin_month.astype(np.int64)
    months = months - ((finish - finish_month) < (begin - begin_month))
    return np.where((start != NO_DAY) & (stop != NO_DAY) & (stop >= start), months, -1)


def age_band(birth: npt.ArrayLike, day: npt.ArrayLike) -> IntArray:
    """Index into AGE_BANDS of the age in completed years; -1 where the birth is not recorded."""
    months = months_between(birth, day)
    return np.where(months < 0, -1, np.searchsorted(_AGE_STARTS, months // 12, side="right") - 1)


def time_band(months: IntArray) -> IntArray:
    """Index into TIME_BANDS of completed months; -1 stays -1."""
    return np.where(months < 0, -1, np.searchsorted(_TIME_STARTS, months, side="right") - 1)


def interruption_band(months: IntArray) -> IntArray:
    """Index into INTERRUPTION_BANDS of completed months; -1 stays -1."""
    return np.where(months < 0, -1, np.searchsorted(_INTERRUPTION_STARTS, months, side="right") - 1)
