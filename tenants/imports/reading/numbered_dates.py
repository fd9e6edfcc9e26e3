"""Dates with numbered months: whether 03/04/2024 is in March or April, the text alone cannot say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tenants.imports.reading.values import BadValueError, clean, day, short_year

if TYPE_CHECKING:
    from datetime import date

DAY_FIRST, MONTH_FIRST = "day-first", "month-first"
_NUMBERED = re.compile(
    r"(\d{1,2})(?:[/.-](\d{1,2})[/.-](\d{4})|[/.](\d{1,2})[/.](\d{2}))(?: \d{1,2}:\d{2}(?::\d{2})?)?$"
)
_LAST_MONTH = 12


@dataclass(frozen=True, slots=True)
class NumberedDate:
    """The three numbers of a date that gives its month as a number.

    Attributes:
        short: whether its year has two digits.
    """

    first: int
    second: int
    year: int
    short: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it has two readings."""
        return self.first <= _LAST_MONTH and self.second <= _LAST_MONTH and self.first != self.second

    @property
    def order(self) -> str:
        """The only order in which it is a date; day first if both orders give one."""
        return DAY_FIRST if self.second <= _LAST_MONTH else MONTH_FIRST

    def read(self, order: str, *, born: bool = False) -> date | None:
        """The date in an order; None if it is not a date."""
        try:
            return self.needed(order, born=born)
        except BadValueError:
            return None

    def needed(self, order: str, *, born: bool = False) -> date:
        """The date in an order, as in ``read``, but an error instead of None.

        Raises:
            BadValueError: it is not a date.
        """
        number, month = (self.first, self.second) if order == DAY_FIRST else (self.second, self.first)
        if self.short:
            return short_year(number, month, self.year, born=born)
        return day(f"{self.year:04d}-{month:02d}-{number:02d}", ("iso",))


def numbered(cell: object) -> NumberedDate | None:
    """The numbers of a date such as 03/04/2024 or 3/4/24, or None."""
    match = _NUMBERED.match(clean(cell)) if isinstance(cell, str) else None
    if match is None:
        return None
    if match[5] is not None:
        return NumberedDate(int(match[1]), int(match[4]), int(match[5]), short=True)
    return NumberedDate(int(match[1]), int(match[2]), int(match[3]))


def order_formats(order: str) -> tuple[str, ...]:
    """The date formats of an order, for mappings; none without an order."""
    if not order:
        return ()
    parts = ("%d", "%m") if order == DAY_FIRST else ("%m", "%d")
    return tuple(f"{separator.join((*parts, year))}" for separator in "/.-" for year in ("%Y", "%y"))
