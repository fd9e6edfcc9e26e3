"""What one pass over a list says of it as a whole: order of day and month, unit of refills, latest day, rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from core.clock import now
from tenants.imports.formats.tables import Layout, open_list
from tenants.imports.reading import values
from tenants.imports.reading.numbered_dates import DAY_FIRST, MONTH_FIRST, NumberedDate, numbered
from tenants.imports.reading.values import BadValueError, Unreadable
from tenants.imports.reading.workbook import peek

if TYPE_CHECKING:
    from tenants.imports.formats.tables import ListRow
    from tenants.imports.reading.sources import Source

FORMS = ("iso", "dd-Mon-yyyy", "excel")
MONTHS_AT_MOST = 12
SAMPLE_ROWS = 2000
_DAYS_FROM_1900_TO_1904 = 1462
_MIDDLE = 12
"""The last number that may be a day or a month."""
_SWAPPED_AT_LEAST = 5
_MOST_REMEMBERED = 10_000
"""Distinct cells that are kept in memory; then memory begins anew."""


@dataclass(slots=True)
class ColumnProfile:
    """What a column of dates says.

    Attributes:
        day_first: texts that can only have the day first; ``month_first``, the month.
        open_line: the line of the first text that may be either; 0 where there is none.
        open_date: that text.
        early_days: real dates of a workbook on days up to 12; ``late_days``, on later days.
    """

    day_first: int = 0
    month_first: int = 0
    open_line: int = 0
    open_date: NumberedDate | None = None
    early_days: int = 0
    late_days: int = 0

    @property
    def orders(self) -> set[str]:
        """The orders that its texts show."""
        return {name for name, count in ((DAY_FIRST, self.day_first), (MONTH_FIRST, self.month_first)) if count}

    @property
    def swapped(self) -> bool:
        """Whether a spreadsheet seems to have read days for months: it made dates of those texts that it could."""
        return self.day_first > 0 and self.late_days == 0 and self.early_days >= _SWAPPED_AT_LEAST


@dataclass(slots=True)
class Profile:
    """What a list says as a whole.

    Attributes:
        rows: rows below the headings.
        columns: the fields that hold dates.
        refills: the first refills above none.
        sheets: sheets of the workbook that have the headings.
        latest: by field and order of day and month, the latest day that is not ahead; no order: of other dates.
    """

    rows: int = 0
    columns: dict[str, ColumnProfile] = field(default_factory=dict)
    refills: list[float] = field(default_factory=list)
    sheets: int = 1
    latest: dict[tuple[str, str], date] = field(default_factory=dict)

    def orders(self) -> dict[str, str]:
        """The order of each column that says it, or whose file says it; columns that speak both ways have none."""
        said = {name: column.orders for name, column in self.columns.items()}
        alone = {next(iter(orders)) for orders in said.values() if len(orders) == 1}
        decided = {name: next(iter(orders)) for name, orders in said.items() if len(orders) == 1}
        if len(alone) == 1 and all(len(orders) <= 1 for orders in said.values()):
            decided |= {name: next(iter(alone)) for name, orders in said.items() if not orders}
        return decided

    def take(self, name: str, days: dict[str, date], limit: date) -> None:
        """Note the day of a cell, by the order in which it is read, unless it lies after ``limit``."""
        for order, day in days.items():
            if day <= limit and day > self.latest.get((name, order), date.min):
                self.latest[name, order] = day

    def latest_day(self, told: str) -> date | None:
        """The latest day that is not ahead; ``told`` is the order that somebody gave, or empty."""
        orders = self.orders()
        days = [day for (name, order), day in self.latest.items() if order in ("", told or orders.get(name))]
        return max(days, default=None)


@lru_cache(maxsize=256)
def profile(source: Source, layout: ProfiledLayout, given: tuple[str, ...] | None) -> Profile:
    """The profile of a file, made in one pass and remembered.

    Args:
        source: the file.
        layout: of the list.
        given: the forms of dates that a mapping names; None where it names none.

    Raises:
        Invalid: the file cannot be read to its end.
    """
    found = Profile(columns={name: ColumnProfile() for name in layout.layout.dates})
    dates, limit = _Dates(given), now().date()
    with open_list(source, layout.layout) as rows:
        for row in rows:
            if row.left_out:
                continue
            found.rows += 1
            if row.rejection is None:
                _note(found, row, layout, dates, limit)
    if source.head().is_archive:
        found.sheets = sum(map(layout.layout.fits, peek(source, hidden=False)))
    return found


@dataclass(frozen=True)
class ProfiledLayout:
    """A list, as far as its profile needs it; each list has one, by which profiles are remembered."""

    layout: Layout = field(hash=False, compare=False)
    title: str
    dated_by: tuple[str, ...]
    refill: str | None


class _Seen(NamedTuple):
    """What one cell of a column of dates says.

    Attributes:
        early: whether it is a real date on a day up to 12; ``late``, on a later day.
        day_first: whether it can only have the day first; ``month_first``, the month.
        open_date: the date that may have either first.
        days: by the order of day and month; no order where its form says which it is.
    """

    early: bool
    late: bool
    day_first: bool
    month_first: bool
    open_date: NumberedDate | None
    days: dict[str, date]


class _Dates:
    """What the cells of dates of one file say; each distinct one is read once."""

    def __init__(self, given: tuple[str, ...] | None) -> None:
        self._given = given
        self._seen: dict[tuple[type, bool, object], _Seen] = {}

    def __call__(self, cell: object, *, from_1904: bool) -> _Seen:
        """What a cell says."""
        key = (type(cell), from_1904, cell)
        found = self._seen.get(key)
        if found is None:
            if len(self._seen) >= _MOST_REMEMBERED:
                self._seen.clear()
            found = self._seen[key] = self._look(cell, from_1904=from_1904)
        return found

    def _look(self, cell: object, *, from_1904: bool) -> _Seen:
        parts = numbered(cell) if self._given is None else None
        read = (
            {"": _read(cell, self._given, from_1904=from_1904)}
            if parts is None
            else {order: parts.read(order) for order in (DAY_FIRST, MONTH_FIRST)}
        )
        return _Seen(
            isinstance(cell, datetime) and cell.day <= _MIDDLE,
            isinstance(cell, datetime) and cell.day > _MIDDLE,
            parts is not None and parts.first > _MIDDLE >= parts.second,
            parts is not None and parts.second > _MIDDLE >= parts.first,
            parts if parts is not None and parts.is_open else None,
            {order: day for order, day in read.items() if day is not None},
        )


def _note(found: Profile, row: ListRow, layout: ProfiledLayout, dates: _Dates, limit: date) -> None:
    """Add a row to the profile; ``limit`` is today."""
    for name, column in found.columns.items():
        cell = row.cells.get(name)
        if cell is None or cell == "" or isinstance(cell, Unreadable):
            continue
        seen = dates(cell, from_1904=row.from_1904)
        column.early_days += seen.early
        column.late_days += seen.late
        column.day_first += seen.day_first
        column.month_first += seen.month_first
        if seen.open_date is not None and not column.open_line:
            column.open_line, column.open_date = row.line, seen.open_date
        if name in layout.dated_by:
            found.take(name, seen.days, limit)
    if layout.refill is not None and len(found.refills) < SAMPLE_ROWS:
        try:
            value = values.number(row.cells.get(layout.refill))
        except BadValueError:
            return
        if value > 0:
            found.refills.append(value)


def _read(cell: object, given: tuple[str, ...] | None, *, from_1904: bool) -> date | None:
    try:
        return read_day(cell, given or FORMS, from_1904=from_1904)
    except BadValueError:
        return None


def read_day(cell: object, formats: tuple[str, ...], *, from_1904: bool, born: bool = False) -> date:
    """The date in a cell of a list.

    Raises:
        BadValueError: it holds none.
    """
    if from_1904 and isinstance(cell, int | float) and not isinstance(cell, bool):
        return values.day(cell + _DAYS_FROM_1900_TO_1904, FORMS)
    return values.day(cell, formats, born=born)
