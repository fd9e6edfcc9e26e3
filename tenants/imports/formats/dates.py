"""Days of a list: those with numbered months are read as the file as a whole says, or as somebody says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenants.imports.formats.profile import FORMS, read_day
from tenants.imports.reading.numbered_dates import DAY_FIRST, MONTH_FIRST, numbered
from tenants.imports.reading.values import BadValueError

if TYPE_CHECKING:
    from datetime import date

    from tenants.imports.formats.profile import Profile
    from tenants.imports.mapping import Mapping


class Dates:
    """Reads the dates of one file of a list.

    Dates with a numbered month are decided for each column over the whole file: a first number over 12 says that days
    come first, a second one that months do. A column that has neither follows the others of its file where these
    agree. A date that stays open costs its cell: no row is guessed at.

    Args:
        profile: of the file.
        mapping: whose ``dates`` decide, and whose ``date_formats``, where given, stand alone.
    """

    def __init__(self, profile: Profile, mapping: Mapping) -> None:
        self._given = given_formats(mapping)
        self._told = mapping.dates
        self._orders = profile.orders()

    def read(self, name: str, cell: object, *, from_1904: bool = False) -> date:
        """The date in a cell of the field ``name``.

        Raises:
            BadValueError: it holds none, or nothing says whether the day or the month comes first.
        """
        born = name == "birthdate"
        parts = numbered(cell) if self._given is None else None
        if parts is None:
            return read_day(cell, self._given or FORMS, from_1904=from_1904, born=born)
        order = self._told or self._orders.get(name)
        if order is None:
            if parts.is_open:
                problem = "it is unclear which number of this date is the day, and which the month"
                raise BadValueError(problem, OPEN_REMEDY)
            order = parts.order
        return parts.needed(order, born=born)


OPEN_REMEDY = "import the file again with dates 'day-first' or 'month-first', or export the dates as yyyy-mm-dd"


def given_formats(mapping: Mapping) -> tuple[str, ...] | None:
    """The forms of dates that the mapping names; None where it names none."""
    return tuple(mapping.date_formats) if "date_formats" in mapping.model_fields_set else None


def questions(profile: Profile, headings: dict[str, str], mapping: Mapping) -> list[str]:
    """What has to be answered before all dates of a file can be read: each with the two readings of a first cell."""
    if mapping.dates or given_formats(mapping) is not None:
        return []
    found, orders = [], profile.orders()
    for name, column in profile.columns.items():
        if column.open_date is None or name in orders:
            continue
        born = name == "birthdate"
        first, second = (column.open_date.read(order, born=born) for order in (DAY_FIRST, MONTH_FIRST))
        found.append(
            f"does the day or the month come first in {headings[name]!r}? Line {column.open_line} is {first} with the"
            f" day first, {second} with the month first; rows with such dates are not read until 'dates' is given"
        )
    return found
