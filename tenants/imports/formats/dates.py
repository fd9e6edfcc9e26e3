"""Dates of a list. The whole file, or the mapping, decides whether numbered months or days come first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import phrase
from tenants.imports.formats.profile import FORMS, read_day
from tenants.imports.reading.numbered_dates import DAY_FIRST, MONTH_FIRST, numbered
from tenants.imports.reading.values import BadValueError, UnknownFormError

if TYPE_CHECKING:
    from datetime import date

    from tenants.imports.formats.profile import Profile
    from tenants.imports.mapping import Mapping


class Dates:
    """Reads the dates of one file of a list.

    Dates with a numbered month are decided per column over the whole file. If a first number is over 12, days come
    first; if a second one is, months do. A column with neither follows the other columns of its file if they agree. If
    a date stays ambiguous, its cell is rejected: nothing is guessed.

    Args:
        profile: profile of the file.
        mapping: the mapping; its ``dates`` decide the order, and its ``date_formats``, if given, are the only formats.
    """

    def __init__(self, profile: Profile, mapping: Mapping) -> None:
        self._formats = formats_of_mapping(mapping)
        self._order = mapping.dates
        self._orders = profile.orders()

    def read(self, name: str, cell: object, *, from_1904: bool = False) -> date:
        """Return the date in a cell of the field ``name``.

        Raises:
            BadValueError: the cell has no date, or the order of day and month is unknown.
        """
        born = name == "birthdate"
        parts = numbered(cell) if self._formats is None else None
        if parts is None:
            try:
                return read_day(cell, self._formats or FORMS, from_1904=from_1904, born=born)
            except UnknownFormError as error:
                if self._formats is not None:
                    raise
                raise BadValueError(NO_DATE, NO_DATE_REMEDY) from error
        order = self._order or self._orders.get(name)
        if order is None:
            if parts.is_open:
                problem = "it is unclear which number of this date is the day, and which the month"
                raise BadValueError(problem, OPEN_REMEDY)
            order = parts.order
        return parts.needed(order, born=born)


NO_DATE = phrase("not a date in a form that can be read")
NO_DATE_REMEDY = phrase("correct the cell: write the date as yyyy-mm-dd, such as 2026-06-30")
OPEN_REMEDY = phrase("import the file again with dates 'day-first' or 'month-first', or export the dates as yyyy-mm-dd")


def formats_of_mapping(mapping: Mapping) -> tuple[str, ...] | None:
    """The date formats of the mapping; None if it has none."""
    return tuple(mapping.date_formats) if "date_formats" in mapping.model_fields_set else None


def questions(profile: Profile, headings: dict[str, str], mapping: Mapping) -> list[str]:
    """The questions to answer before all dates of a file are readable, each with two readings of an example cell."""
    if mapping.dates or formats_of_mapping(mapping) is not None:
        return []
    questions_found, orders = [], profile.orders()
    for name, column in profile.columns.items():
        if column.open_date is None or name in orders:
            continue
        born = name == "birthdate"
        first, second = (column.open_date.read(order, born=born) for order in (DAY_FIRST, MONTH_FIRST))
        questions_found.append(
            phrase(
                "does the day or the month come first in {heading!r}? Line {line} is {first} with the day first,"
                " {second} with the month first; rows with such dates are not read until 'dates' is given",
                heading=headings[name],
                line=column.open_line,
                first=first,
                second=second,
            )
        )
    return questions_found
