"""Stream the rows of Excel workbooks. Sizes are checked before anything is expanded.

A formula counts by the value that the workbook stores with it.
"""

from __future__ import annotations

import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import phrase
from tenants.imports.reading.file_kinds import DAMAGE
from tenants.imports.reading.merged_cells import MergedCellFiller, merged_ranges
from tenants.imports.reading.sources import MAX_RATIO, MIN_BOMB_BYTES, rejected
from tenants.imports.reading.values import Unreadable, clean
from tenants.imports.reading.workbook_parts import Book, Cell, SheetPart, soundness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tenants.imports.reading.sources import Source

HEADING_ROWS = 20
MAX_WIDTH = 500
MAX_ROWS = 1_048_576
MAX_EMPTY = 10_000
"""Most successive empty rows. No list has so many, but a damaged file may give a row a huge number."""
MERGED_ACROSS = Unreadable(
    "the cell is part of cells merged across columns", "unmerge them and fill in each cell by itself"
)


@dataclass(frozen=True, slots=True)
class Sheet:
    """An open sheet: its headings as written, and its rows with their numbers.

    Attributes:
        from_1904: the workbook counts days from 1904-01-01 (old Macintosh), not from 1900.
    """

    headings: list[str]
    rows: Iterator[tuple[int, list[Cell | Unreadable]]]
    from_1904: bool


def check_archive(source: Source) -> list[str]:
    """The names of the parts of an xlsx file, after checking that it is whole and expands within limits.

    Raises:
        Invalid: it is truncated, not a workbook, or expands beyond the limits.
    """
    again = "save the workbook again, as .xlsx without a password"
    try:
        with source.opener() as stream, zipfile.ZipFile(stream) as archive:
            infos = archive.infolist()
            names = [info.filename for info in infos]
            if "xl/workbook.bin" in names:
                raise rejected(
                    source.name, "the file is a binary workbook (.xlsb)", "save it as .xlsx (Excel Workbook), or as CSV"
                )
            if "[Content_Types].xml" not in names or not any(name.startswith("xl/") for name in names):
                raise rejected(
                    source.name, "the file is a zip archive, not a workbook", "give the .xlsx or .csv file itself"
                )
            total = sum(info.file_size for info in infos)
            packed = sum(info.compress_size for info in infos)
            if total > source.limits.workbook:
                problem = phrase("the workbook expands to {megabytes} MB", megabytes=total >> 20)
                raise rejected(source.name, problem, "export the table as CSV, which has no such limit")
            if total > MIN_BOMB_BYTES and total > packed * MAX_RATIO:
                raise rejected(
                    source.name, "the workbook expands beyond what a table does", "check where the file comes from"
                )
            return names
    except DAMAGE as error:
        raise rejected(source.name, "the workbook is cut off, damaged or locked", again) from error


@contextmanager
def open_sheet(
    source: Source,
    wanted: Callable[[Sequence[str]], bool],
    expected: str,
    *,
    name: str | None = None,
    otherwise: Callable[[Sequence[str]], bool] | None = None,
) -> Iterator[Sheet]:
    """Open the first sheet with a heading row near its top; hidden sheets come after visible ones.

    Args:
        source: the workbook.
        wanted: whether a row, as texts, is the heading row.
        expected: the required content of a heading row, for the message.
        name: look only at the sheet with this name.
        otherwise: a second test like ``wanted``, used if no sheet passes the first.

    Raises:
        Invalid: no sheet has a heading row, or the file is damaged.
    """
    with _opened(source) as book:
        for test in (wanted, otherwise):
            for sheet in book.sheets if test is not None else ():
                if name is not None and sheet.title != name:
                    continue
                rows = _sound(source, book, sheet)
                for number, cells in rows:
                    headings = [_heading(cell) for cell in cells]
                    if test is not None and test(headings):
                        yield Sheet(headings, rows, from_1904=book.from_1904)
                        return
                    if number >= HEADING_ROWS:
                        break
        problem = (
            phrase("it has no sheet {name!r} with headings", name=name)
            if name
            else "no sheet has the expected headings in one row"
        )
        raise rejected(source.name, problem, phrase("expected among them: {expected}", expected=expected))


def peek(source: Source, *, hidden: bool = True) -> tuple[tuple[str, ...], ...]:
    """The first rows of every sheet as texts, to detect the format by its headings.

    Args:
        source: the workbook.
        hidden: whether to include hidden sheets.

    Raises:
        Invalid: the workbook is damaged.
    """
    rows_of_sheets: list[tuple[str, ...]] = []
    with _opened(source) as book:
        for sheet in book.sheets:
            if sheet.hidden and not hidden:
                continue
            for number, cells in _sound(source, book, sheet):
                rows_of_sheets.append(tuple(_heading(cell) for cell in cells))
                if number >= HEADING_ROWS:
                    break
    return tuple(rows_of_sheets)


@contextmanager
def _opened(source: Source) -> Iterator[Book]:
    check_archive(source)
    with source.opener() as stream:
        with soundness(source):
            archive = zipfile.ZipFile(stream)
        with archive:
            with soundness(source):
                book = Book(source, archive)
            yield book


def _heading(cell: Cell | Unreadable) -> str:
    return "" if cell is None or isinstance(cell, Unreadable) else clean(str(cell))


def _sound(source: Source, book: Book, sheet: SheetPart) -> Iterator[tuple[int, list[Cell | Unreadable]]]:
    """Yield the rows of a sheet that are not empty, with their numbers; a damaged sheet is an error."""
    with soundness(source):
        with book.part(sheet.path) as part:
            merged = MergedCellFiller(merged_ranges(source, part), MERGED_ACROSS)
        sheet_rows = book.rows(sheet)
    last = 0
    while True:
        with soundness(source):
            row = next(sheet_rows, None)
        if row is None:
            return
        number, cells = row
        if number <= last and last:
            raise rejected(source.name, "the workbook is damaged", "open it in a spreadsheet program and save it again")
        if number > MAX_ROWS or number - last > MAX_EMPTY:
            problem = phrase(
                "the sheet has more than {most:,} empty rows in a run, or more rows than a workbook can have",
                most=MAX_EMPTY,
            )
            raise rejected(source.name, problem, "delete the empty rows and save it again, or export the table as CSV")
        if any(value is not None for value in cells):
            last = number
            yield number, merged.fill(number, cells)
