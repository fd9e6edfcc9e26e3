"""Read a sheet of a workbook like a CSV file, for the generic reader: headings, and rows of texts."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from core.errors import phrase
from tenants.imports.facts import Rejection
from tenants.imports.reading import values
from tenants.imports.reading.long_numbers import LOST_DIGITS
from tenants.imports.reading.sources import rejected
from tenants.imports.reading.table import MAX_FIELD, Row, Table, check_headings
from tenants.imports.reading.values import BadValueError, Unreadable
from tenants.imports.reading.workbook import Sheet, open_sheet
from tenants.records.storable import has_control

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tenants.imports.reading.sources import Source


@contextmanager
def open_book_table(
    source: Source, sheet: str | None, wanted: Callable[[Sequence[str]], bool] = any
) -> Iterator[Table]:
    """Open a sheet of a workbook as a table.

    Args:
        source: the workbook.
        sheet: name of the sheet; None for the first one with the headings.
        wanted: whether a row has the headings. If no row does, the first row that is not empty has them.

    Raises:
        Invalid: the workbook is damaged, or has no such sheet.
    """
    with open_sheet(source, wanted, "a row of column names", name=sheet, otherwise=any) as sheet_open:
        headings = list(sheet_open.headings)
        while headings and not headings[-1]:
            headings.pop()
        check_headings(headings, source)
        if sheet_open.from_1904:
            _reject_plain_numbers(source)
        yield Table(headings, "xlsx", "", _rows(sheet_open, headings))


def _reject_plain_numbers(source: Source) -> None:
    """Reject a workbook that counts days from 1904: only list formats know which of its numbers are dates."""
    problem = "the workbook counts days from 1904: a number in a column of dates would be read four years too early"
    raise rejected(source.name, problem, "save it with the 1900 date system, or as CSV with dates as yyyy-mm-dd")


def _rows(sheet: Sheet, headings: list[str]) -> Iterator[Row]:
    width = len(headings)
    for line, cells in sheet.rows:
        texts = [_cell(cell) for cell in cells]
        while len(texts) > width and texts[-1] == "":
            texts.pop()
        if len(texts) > width:
            problem = phrase("the row has {cells} cells under {width} headings", cells=len(texts), width=width)
            yield Row(line, [], Rejection("row", problem, "give these columns a heading, or delete them"))
        else:
            yield Row(line, texts + [""] * (width - len(texts)))


def _cell(cell: object) -> str | Unreadable:
    """A cell as text, or ``Unreadable``. An unreadable cell matters only to records that read its column."""
    if isinstance(cell, Unreadable):
        return cell
    if isinstance(cell, int | float) and not isinstance(cell, bool) and abs(cell) >= LOST_DIGITS:
        try:
            values.identifier(cell)
        except BadValueError as bad:
            return Unreadable(bad.problem, bad.remedy)
    text = values.text(cell)
    if len(text) > MAX_FIELD or has_control(text):
        return Unreadable("the cell is too long or holds a control character", "type the cell again")
    return text
