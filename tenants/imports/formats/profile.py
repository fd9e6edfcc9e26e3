"""The profile of a list from one pass: order of day and month, unit of refills, latest day, number of rows."""

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
"""The largest number that may be a day or a month."""
_SWAPPED_AT_LEAST = 5
_MOST_REMEMBERED = 10_000
"""Most distinct cells in memory; then the memory restarts."""


@dataclass(slots=True)
class ColumnProfile:
    """The profile of a column of dates.

    Attributes:
        day_first: texts that can only have the day first.
        month_first: texts that can only have the month first.
        open_line: the line of the first ambiguous text; 0 if there is none.
        open_date: that text.
        early_days: real dates of a workbook on days of the month up to 12.
        late_days: real dates on later days.
    """

    day_first: int = 0
    month_first: int = 0
    open_line: int = 0
    open_date: NumberedDate | None = None
    early_days: int = 0
    late_days: int = 0

    @property
    def orders(self) -> set[str]:
        """The orders that its texts prove."""
        return {name for name, count in ((DAY_FIRST, self.day_first), (MONTH_FIRST, self.month_first)) if count}

    @property
    def swapped(self) -> bool:
        """Whether a spreadsheet seems to have swapped days and months: it turned the texts that it could into dates."""
        return self.day_first > 0 and self.late_days == 0 and self.early_days >= _SWAPPED_AT_LEAST


@dataclass(slots=True)
class Profile:
    """The profile of a whole list.

    Attributes:
        rows: number of rows below the headings.
        columns: profiles of the columns of dates, by field.
        refills: the first refills above zero.
        sheets: number of sheets of the workbook with the headings.
        latest: by field and order of day and month, the latest day that is not in the future. The empty order is for
            dates without a numbered month.
    """

    rows: int = 0
    columns: dict[str, ColumnProfile] = field(default_factory=dict)
    refills: list[float] = field(default_factory=list)
    sheets: int = 1
    latest: dict[tuple[str, str], date] = field(default_factory=dict)

    def orders(self) -> dict[str, str]:
        """Return the order of day and month of each column, as the column or its file proves it.

        A column that proves both orders has none.
        """
        orders_of = {name: column.orders for name, column in self.columns.items()}
        alone = {next(iter(orders)) for orders in orders_of.values() if len(orders) == 1}
        decided = {name: next(iter(orders)) for name, orders in orders_of.items() if len(orders) == 1}
        if len(alone) == 1 and all(len(orders) <= 1 for orders in orders_of.values()):
            decided |= {name: next(iter(alone)) for name, orders in orders_of.items() if not orders}
        return decided

    def take(self, name: str, days: dict[str, date], limit: date) -> None:
        """Record the day of a cell for each order of day and month. Days after ``limit`` are ignored."""
        for order, day in days.items():
            if day <= limit and day > self.latest.get((name, order), date.min):
                self.latest[name, order] = day

    def latest_day(self, mapped_order: str) -> date | None:
        """The latest day that is not in the future. ``mapped_order`` is the mapping's order of day and month."""
        orders = self.orders()
        days = [day for (name, order), day in self.latest.items() if order in ("", mapped_order or orders.get(name))]
        return max(days, default=None)


@lru_cache(maxsize=256)
def profile(source: Source, layout: ProfiledLayout, formats: tuple[str, ...] | None) -> Profile:
    """The profile of a file, computed in one pass and cached.

    Args:
        source: the file.
        layout: layout of the list.
        formats: the date formats of the mapping; None if it has none.

    Raises:
        Invalid: the file is not readable to its end.
    """
    list_profile = Profile(columns={name: ColumnProfile() for name in layout.layout.dates})
    dates, limit = _Dates(formats), now().date()
    with open_list(source, layout.layout) as rows:
        for row in rows:
            if row.left_out:
                continue
            list_profile.rows += 1
            if row.rejection is None:
                _note(list_profile, row, layout, dates, limit)
    if source.head().is_archive:
        list_profile.sheets = sum(map(layout.layout.fits, peek(source, hidden=False)))
    return list_profile


@dataclass(frozen=True)
class ProfiledLayout:
    """The part of a list's layout that its profile needs. Profiles are cached by it."""

    layout: Layout = field(hash=False, compare=False)
    title: str
    dated_by: tuple[str, ...]
    refill: str | None


class _CellProfile(NamedTuple):
    """The profile of one cell of a column of dates.

    Attributes:
        early: whether it is a real date on a day of the month up to 12.
        late: whether it is a real date on a later day.
        day_first: whether it can only have the day first.
        month_first: whether it can only have the month first.
        open_date: the ambiguous date.
        days: its day, by the order of day and month; under no order if its form is clear.
    """

    early: bool
    late: bool
    day_first: bool
    month_first: bool
    open_date: NumberedDate | None
    days: dict[str, date]


class _Dates:
    """The profiles of the date cells of one file; each distinct cell is read once."""

    def __init__(self, formats: tuple[str, ...] | None) -> None:
        self._formats = formats
        self._cell_profiles: dict[tuple[type, bool, object], _CellProfile] = {}

    def __call__(self, cell: object, *, from_1904: bool) -> _CellProfile:
        """Return the profile of a cell."""
        key = (type(cell), from_1904, cell)
        cell_profile = self._cell_profiles.get(key)
        if cell_profile is None:
            if len(self._cell_profiles) >= _MOST_REMEMBERED:
                self._cell_profiles.clear()
            cell_profile = self._cell_profiles[key] = self._look(cell, from_1904=from_1904)
        return cell_profile

    def _look(self, cell: object, *, from_1904: bool) -> _CellProfile:
        parts = numbered(cell) if self._formats is None else None
        read = (
            {"": _read(cell, self._formats, from_1904=from_1904)}
            if parts is None
            else {order: parts.read(order) for order in (DAY_FIRST, MONTH_FIRST)}
        )
        return _CellProfile(
            isinstance(cell, datetime) and cell.day <= _MIDDLE,
            isinstance(cell, datetime) and cell.day > _MIDDLE,
            parts is not None and parts.first > _MIDDLE >= parts.second,
            parts is not None and parts.second > _MIDDLE >= parts.first,
            parts if parts is not None and parts.is_open else None,
            {order: day for order, day in read.items() if day is not None},
        )


def _note(list_profile: Profile, row: ListRow, layout: ProfiledLayout, dates: _Dates, limit: date) -> None:
    """Add a row to the profile; ``limit`` is today."""
    for name, column in list_profile.columns.items():
        cell = row.cells.get(name)
        if cell is None or cell == "" or isinstance(cell, Unreadable):
            continue
        cell_profile = dates(cell, from_1904=row.from_1904)
        column.early_days += cell_profile.early
        column.late_days += cell_profile.late
        column.day_first += cell_profile.day_first
        column.month_first += cell_profile.month_first
        if cell_profile.open_date is not None and not column.open_line:
            column.open_line, column.open_date = row.line, cell_profile.open_date
        if name in layout.dated_by:
            list_profile.take(name, cell_profile.days, limit)
    if layout.refill is not None and len(list_profile.refills) < SAMPLE_ROWS:
        try:
            value = values.number(row.cells.get(layout.refill))
        except BadValueError:
            return
        if value > 0:
            list_profile.refills.append(value)


def _read(cell: object, formats: tuple[str, ...] | None, *, from_1904: bool) -> date | None:
    try:
        return read_day(cell, formats or FORMS, from_1904=from_1904)
    except BadValueError:
        return None


def read_day(cell: object, formats: tuple[str, ...], *, from_1904: bool, born: bool = False) -> date:
    """The date in a cell of a list.

    Raises:
        BadValueError: the cell has no date.
    """
    if from_1904 and isinstance(cell, int | float) and not isinstance(cell, bool):
        return values.day(cell + _DAYS_FROM_1900_TO_1904, FORMS)
    return values.day(cell, formats, born=born)
