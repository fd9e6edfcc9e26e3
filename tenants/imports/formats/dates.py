"""Days with numbered months: whether 03/04/2024 is in March or April is said by the file as a whole, or not at all."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

from tenants.imports.formats.tables import Layout, open_list
from tenants.imports.reading import values
from tenants.imports.reading.sources import refused
from tenants.imports.reading.values import BadValueError

if TYPE_CHECKING:
    from tenants.imports.mapping import Mapping
    from tenants.imports.reading.sources import Source

FORMS = ("iso", "dd-Mon-yyyy", "excel")
_NUMBERED = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?: \d{1,2}:\d{2}(?::\d{2})?)?$")
_MONTHS = 12
_DAYS_FROM_1900_TO_1904 = 1462
DAY_FIRST, MONTH_FIRST = "day first", "month first"


def numbered(cell: object) -> tuple[int, int, int] | None:
    """The three numbers of a date such as 03/04/2024, or None."""
    match = _NUMBERED.match(cell.strip()) if isinstance(cell, str) else None
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


class Dates:
    """Reads the dates of one file of a list.

    Dates with a numbered month are decided for each column over the whole file: a first number over 12 says that days
    come first, a second one that months do. A column that has neither follows the others of its file where these
    agree. What stays undecided, or speaks both ways, refuses the file: no row is guessed at.

    Args:
        source: the file; read once more when a date needs deciding.
        layout: of the list.
        mapping: whose ``date_formats``, where given, stand alone.
    """

    def __init__(self, source: Source, layout: Layout, mapping: Mapping) -> None:
        self._source = source
        self._layout = layout
        self._given = tuple(mapping.date_formats) if "date_formats" in mapping.model_fields_set else None
        self._orders: dict[str, str] | None = None

    def read(self, name: str, cell: object, *, from_1904: bool = False) -> date:
        """The date in a cell of the field ``name``.

        Raises:
            BadValueError: it holds none.
            Invalid: the file does not say whether days or months come first.
        """
        if isinstance(cell, int | float) and not isinstance(cell, bool) and from_1904:
            return values.day(cell + _DAYS_FROM_1900_TO_1904, FORMS)
        if self._given is not None:
            return values.day(cell, self._given)
        parts = numbered(cell)
        if parts is None:
            return values.day(cell, FORMS)
        first, second, year = parts
        day, month = (first, second) if self._order(name) == DAY_FIRST else (second, first)
        try:
            found = date(year, month, day)
        except ValueError:
            problem = "not a day of the calendar"
            raise BadValueError(problem, "correct the date") from None
        return values.day(found, FORMS)

    def _order(self, name: str) -> str:
        if self._orders is None:
            self._orders = self._decided()
        if name not in self._orders:
            heading = self._layout.heading_of[name]
            problem = (
                f"the dates in {heading!r} may have the day or the month first, and nothing in the file says which"
            )
            remedy = (
                "say it in a mapping: 'date_formats: [iso, \"%d/%m/%Y\"]' or '[iso, \"%m/%d/%Y\"]';"
                " or export dates as yyyy-mm-dd"
            )
            raise refused(self._source.name, problem, remedy)
        return self._orders[name]

    def _decided(self) -> dict[str, str]:
        """The order of each column that has numbered dates and says it."""
        said: dict[str, set[str]] = {}
        with open_list(self._source, self._layout) as rows:
            for row in rows:
                for name in self._layout.dates:
                    parts = numbered(row.cells.get(name))
                    if parts is None:
                        continue
                    orders = said.setdefault(name, set())
                    if parts[0] > _MONTHS >= parts[1]:
                        orders.add(DAY_FIRST)
                    elif parts[1] > _MONTHS >= parts[0]:
                        orders.add(MONTH_FIRST)
        alone = {next(iter(orders)) for orders in said.values() if len(orders) == 1}
        whole = next(iter(alone)) if len(alone) == 1 else None
        decided = {name: next(iter(orders)) for name, orders in said.items() if len(orders) == 1}
        if whole is not None and all(len(orders) < 2 for orders in said.values()):  # noqa: PLR2004 - both ways
            decided |= {name: whole for name, orders in said.items() if not orders}
        return decided
