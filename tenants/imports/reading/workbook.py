"""Excel workbooks as rows, streamed: bounded before they are expanded, formulas by the values stored with them."""

from __future__ import annotations

import lzma
import re
import struct
import xml.etree.ElementTree as ET
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import IO, TYPE_CHECKING, Any

from tenants.imports.reading.merged_cells import Merged, merged_ranges
from tenants.imports.reading.sources import MAX_RATIO, MIN_BOMB_BYTES, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from openpyxl.workbook import Workbook

    from tenants.imports.reading.sources import Source

Cell = str | int | float | bool | date | datetime | time | None
HEADING_ROWS = 20
MAX_WIDTH = 500
MAX_ROWS = 1_048_576
MAX_EMPTY = 10_000
"""Empty rows in a run: no list has them, and a row number that lies costs nothing to write."""
PROLOG_BYTES = 4096
DAMAGE: tuple[type[Exception], ...] = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    ArithmeticError,
    RuntimeError,
)
"""What reading a damaged archive raises: offsets that point nowhere, lengths that lie, methods that do not exist."""
_UNSOUND: tuple[type[Exception], ...] = (*DAMAGE, TypeError, AttributeError, SyntaxError)
_ENTITIES = re.compile(rb"<\s*!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_NOT_RECORDED = "#N/A"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A cell whose value is not in the file, or is none: why, and what to do."""

    problem: str
    remedy: str


NO_STORED_VALUE = Unreadable(
    "the cell holds a formula without a stored value",
    "open and save the workbook in a spreadsheet program, or replace formulas by their values (paste values)",
)
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


def is_workbook(source: Source) -> bool:
    """Whether a zip archive is meant as a workbook, sound or not."""
    try:
        with source.opener() as stream, zipfile.ZipFile(stream) as archive:
            return any(name.startswith("xl/") for name in archive.namelist())
    except DAMAGE:
        return source.name.casefold().endswith((".xlsx", ".xlsm"))


def check_archive(source: Source) -> list[str]:
    """Names inside an xlsx file, after checking that it is whole and expands within bounds.

    Raises:
        Invalid: it is truncated, no workbook, or a bomb.
    """
    again = "save the workbook again, as .xlsx without a password"
    try:
        with source.opener() as stream, zipfile.ZipFile(stream) as archive:
            infos = archive.infolist()
            names = [info.filename for info in infos]
            if "[Content_Types].xml" not in names or not any(name.startswith("xl/") for name in names):
                raise refused(
                    source.name, "the file is a zip archive, not a workbook", "give the .xlsx or .csv file itself"
                )
            total = sum(info.file_size for info in infos)
            packed = sum(info.compress_size for info in infos)
            strings = sum(info.file_size for info in infos if info.filename.endswith("sharedStrings.xml"))
            if total > source.limits.workbook or strings > source.limits.shared_strings:
                problem = f"the workbook expands to {total >> 20} MB"
                raise refused(source.name, problem, "export the table as CSV, which has no such limit")
            if total > MIN_BOMB_BYTES and total > packed * MAX_RATIO:
                raise refused(
                    source.name, "the workbook expands beyond what a table does", "check where the file comes from"
                )
            for info in infos:
                if info.filename.endswith((".xml", ".rels")):
                    with archive.open(info) as part:
                        _check_prolog(source, part.read(PROLOG_BYTES))
            return names
    except DAMAGE as error:
        raise refused(source.name, "the workbook is cut off, damaged or locked", again) from error


def _check_prolog(source: Source, start: bytes) -> None:
    """Refuse a part that declares entities; its first element must stand within the bytes looked at.

    Without the zeros, text in UTF-16 reads as if it were ASCII.
    """
    plain = start.replace(b"\x00", b"")
    if _ENTITIES.search(plain):
        raise refused(source.name, "the workbook declares XML entities", "check where the file comes from")
    if len(start) == PROLOG_BYTES and not re.search(rb"<[A-Za-z]", plain):
        raise refused(source.name, "the workbook is damaged", "open it in a spreadsheet program and save it again")


@contextmanager
def open_sheet(
    source: Source,
    wanted: Callable[[Sequence[str]], bool],
    expected: str,
    *,
    name: str | None = None,
) -> Iterator[Sheet]:
    """Open the first sheet that has a heading row within its first rows.

    Args:
        source: the workbook.
        wanted: whether a row, as texts, is the heading row.
        expected: what it must have, for the message.
        name: only the sheet of this name.

    Raises:
        Invalid: no sheet has one, or the file is damaged.
    """
    with _opened(source) as book:
        for sheet in book.worksheets:
            if name is not None and sheet.title != name:
                continue
            rows = _sound(source, book, sheet)
            for number, cells in rows:
                headings = [_heading(cell) for cell in cells]
                if wanted(headings):
                    yield Sheet(headings, rows, from_1904=_from_1904(book))
                    return
                if number >= HEADING_ROWS:
                    break
        problem = f"it has no sheet {name!r} with headings" if name else "no sheet has the expected headings"
        raise refused(source.name, problem, f"expected among them: {expected}")


def peek(source: Source) -> tuple[tuple[str, ...], ...]:
    """The first rows of every sheet as texts, to tell formats by their headings.

    Raises:
        Invalid: the workbook is damaged.
    """
    found: list[tuple[str, ...]] = []
    with _opened(source) as book:
        for sheet in book.worksheets:
            for number, cells in _sound(source, book, sheet):
                found.append(tuple(_heading(cell) for cell in cells))
                if number >= HEADING_ROWS:
                    break
    return tuple(found)


@contextmanager
def _opened(source: Source) -> Iterator[Workbook]:
    check_archive(source)
    from openpyxl import load_workbook

    with source.opener() as stream:
        with _soundness(source):
            # Stored values instead of formulas: nothing is ever calculated here.
            book = load_workbook(stream, read_only=True, data_only=True, keep_links=False)
        try:
            yield book
        finally:
            book.close()


def _heading(cell: Cell | Unreadable) -> str:
    return "" if cell is None or isinstance(cell, Unreadable) else str(cell).strip()


def _from_1904(book: Workbook) -> bool:
    return bool(book.epoch.year == 1904)  # noqa: PLR2004 - the name of the system


@contextmanager
def _soundness(source: Source) -> Iterator[None]:
    """What openpyxl raises on damaged parts is as varied as they are: all of it says that the workbook is not sound."""
    try:
        yield
    except _UNSOUND as error:
        raise refused(
            source.name, "the workbook is damaged", "open it in a spreadsheet program and save it again"
        ) from error


def _sound(source: Source, book: Workbook, sheet: Any) -> Iterator[tuple[int, list[Cell | Unreadable]]]:  # noqa: ANN401 - openpyxl's read-only sheet
    """The rows of a sheet that hold anything, by their numbers."""
    with _soundness(source):
        with sheet._get_source() as part:  # noqa: SLF001 - the stream of the sheet, which its own reader opens so too
            merged = Merged(merged_ranges(source, part), MERGED_ACROSS)
        found = _parsed(book, sheet)
    last = 0
    while True:
        with _soundness(source):
            row = next(found, None)
        if row is None:
            return
        number, cells = row
        if number <= last and last:
            raise refused(source.name, "the workbook is damaged", "open it in a spreadsheet program and save it again")
        if number > MAX_ROWS or number - last > MAX_EMPTY:
            problem = (
                f"the sheet has more than {MAX_EMPTY:,} empty rows in a run, or more rows than a workbook can have"
            )
            raise refused(source.name, problem, "delete the empty rows and save it again, or export the table as CSV")
        if any(value is not None for value in cells):
            last = number
            yield number, merged.fill(number, cells)


def _parsed(book: Any, sheet: Any) -> Iterator[tuple[int, list[Cell | Unreadable]]]:  # noqa: ANN401 - openpyxl's own
    """Rows as openpyxl parses them, without the cell objects and the missing rows that its sheets make up."""
    from openpyxl.worksheet._reader import FORMULA_TAG, WorkSheetParser

    class Parser(WorkSheetParser):
        """Tells a formula without a stored value from an empty cell."""

        def parse_cell(self, element: Any) -> dict[str, Any]:  # noqa: ANN401 - an XML element
            inline = element.get("t") == "inlineStr"
            if inline:
                element.set("t", "str")  # openpyxl makes ten objects of each inline text
            cell: dict[str, Any] = super().parse_cell(element)
            if inline:
                cell["value"] = _inline(element) or None
            if cell["value"] is None and element.find(FORMULA_TAG) is not None:
                cell["value"] = NO_STORED_VALUE
            elif cell["data_type"] == "e" and cell["value"] != _NOT_RECORDED:
                cell["value"] = Unreadable(
                    "the cell holds an error of the spreadsheet program", "correct the formula, or type the value"
                )
            return cell

    with sheet._get_source() as part:  # noqa: SLF001 - as the sheet's own reader does
        parser = Parser(
            part,
            sheet._shared_strings,  # noqa: SLF001
            data_only=True,
            epoch=book.epoch,
            date_formats=book._date_formats,  # noqa: SLF001
            timedelta_formats=book._timedelta_formats,  # noqa: SLF001
        )
        for number, row in _row_elements(part, parser):
            cells: list[Cell | Unreadable] = []
            for cell in row:
                at = cell["column"] - 1
                if cell["value"] is None or not 0 <= at < MAX_WIDTH:
                    continue
                if at >= len(cells):
                    cells.extend([None] * (at + 1 - len(cells)))
                cells[at] = cell["value"]
            yield number, cells


def _inline(element: Any) -> str:  # noqa: ANN401 - an XML element
    """The text written in a cell itself: its runs, without the readings of East Asian words."""
    return "".join(
        part.text or ""
        for child in element
        if child.tag.endswith("}is")
        for run in child
        if not run.tag.endswith("}rPh")
        for part in run.iter()
        if part.tag.endswith("}t")
    )


def _row_elements(part: IO[bytes], parser: Any) -> Iterator[tuple[int, list[dict[str, Any]]]]:  # noqa: ANN401 - openpyxl's
    """The rows of a sheet's XML, parsed in C and forgotten one by one.

    openpyxl parses through defusedxml, in Python and several times slower, for fear of entities: here a part that
    declares any was refused before (``_check_prolog``), and none can be declared behind the first element.
    """
    from openpyxl.worksheet._reader import DATA_TAG, ROW_TAG

    rows = None
    for event, element in ET.iterparse(part, events=("start", "end")):  # noqa: S314 - see above
        if event == "start":
            if element.tag == DATA_TAG:
                rows = element
        elif element.tag == ROW_TAG:
            yield parser.parse_row(element)
            if rows is not None:
                rows.clear()
        elif element.tag == DATA_TAG:
            return


def fold(heading: object) -> str:
    """A heading without what people vary: case, spaces, dots, underscores, dashes."""
    return "".join(character for character in str(heading or "").casefold() if character.isalnum())
