"""A workbook as the generic reader sees a CSV file: headings and rows of texts."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tenants.imports.facts import Rejection
from tenants.imports.reading import values
from tenants.imports.reading.csv_files import MAX_FIELD, Row, Table, check_headings, has_control
from tenants.imports.reading.sources import refused
from tenants.imports.reading.workbook import Sheet, Unreadable, open_sheet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenants.imports.reading.sources import Source


@contextmanager
def open_book_table(source: Source, sheet: str | None) -> Iterator[Table]:
    """Open a sheet of a workbook; its first row that holds anything is its headings.

    Args:
        source: the workbook.
        sheet: name of the sheet; the first one that is not empty when None.

    Raises:
        Invalid: the workbook is damaged, or has no such sheet.
    """
    with open_sheet(source, any, "a row of column names", name=sheet) as found:
        headings = list(found.headings)
        while headings and not headings[-1]:
            headings.pop()
        check_headings(headings, source)
        if found.from_1904:
            _refuse_plain_numbers(source)
        yield Table(headings, "xlsx", "", _rows(found, headings))


def _refuse_plain_numbers(source: Source) -> None:
    """A workbook that counts days from 1904 is read by list formats, which know which columns are dates; not here."""
    problem = "the workbook counts days from 1904: a number in a column of dates would be read four years too early"
    raise refused(source.name, problem, "save it with the 1900 date system, or as CSV with dates as yyyy-mm-dd")


def _rows(sheet: Sheet, headings: list[str]) -> Iterator[Row]:
    width = len(headings)
    for line, cells in sheet.rows:
        wrong = next(((at, cell) for at, cell in enumerate(cells) if isinstance(cell, Unreadable)), None)
        if wrong is not None:
            at, cell = wrong
            name = headings[at] if at < width else "row"
            yield Row(line, [], Rejection(name or "row", cell.problem, cell.remedy))
            continue
        texts = [values.text(cell) for cell in cells]
        while len(texts) > width and not texts[-1]:
            texts.pop()
        if len(texts) > width:
            problem = f"the row has {len(texts)} cells under {width} headings"
            yield Row(line, [], Rejection("row", problem, "give every column a heading, or delete what has none"))
        elif any(len(text) > MAX_FIELD or has_control(text) for text in texts):
            problem = "a cell is too long or holds a control character"
            yield Row(line, [], Rejection("row", problem, "type the cell again"))
        else:
            yield Row(line, texts + [""] * (width - len(texts)))
