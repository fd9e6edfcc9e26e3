"""Excel workbooks as rows, streamed: bounded before they are expanded, formulas told from values."""

from __future__ import annotations

import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from tenants.imports.sources import MAX_RATIO, MIN_BOMB_BYTES, refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tenants.imports.sources import Source

Cell = str | int | float | bool | date | datetime | time | None
HEADING_ROWS = 20
MAX_WIDTH = 500
MAX_ROWS = 1_048_576
MAX_EMPTY = 10_000
"""Empty rows in a run: the library makes every row that is missing, so a row number may cost minutes."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A cell that holds a formula: what it shows is not in the file for certain."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """An open sheet: its headings, and its rows with their numbers."""

    headings: list[str]
    rows: Iterator[tuple[int, list[Cell | Formula]]]


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
                        if b"<!DOCTYPE" in part.read(4096):
                            raise refused(
                                source.name, "the workbook declares XML entities", "check where the file comes from"
                            )
            return names
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise refused(source.name, "the workbook is cut off, damaged or locked", again) from error


@contextmanager
def open_sheet(source: Source, wanted: Sequence[str]) -> Iterator[Sheet]:
    """Open the first sheet that has the wanted headings within its first rows.

    Args:
        source: the workbook.
        wanted: headings, as ``fold`` writes them, that the heading row must have.

    Raises:
        Invalid: no sheet has them, or the file is damaged.
    """
    check_archive(source)
    from openpyxl import load_workbook

    with source.opener() as stream:
        with _soundness(source):
            book = load_workbook(stream, read_only=True, data_only=False, keep_links=False)
        try:
            for sheet in book.worksheets:
                rows = _sound(source, sheet)
                for number, cells in rows:
                    headings = [fold(cell) for cell in cells]
                    if set(wanted) <= set(headings):
                        yield Sheet(headings, rows)
                        return
                    if number >= HEADING_ROWS:
                        break
            raise refused(
                source.name, "no sheet has the expected headings", f"expected among them: {', '.join(wanted)}"
            )
        finally:
            book.close()


@contextmanager
def _soundness(source: Source) -> Iterator[None]:
    """What openpyxl raises on damaged parts is as varied as they are: all of it says that the workbook is not sound."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
        SyntaxError,
        OSError,
    ) as error:
        raise refused(
            source.name, "the workbook is damaged", "open it in a spreadsheet program and save it again"
        ) from error


def _sound(source: Source, sheet: Any) -> Iterator[tuple[int, list[Cell | Formula]]]:  # noqa: ANN401 - openpyxl's read-only sheet
    with _soundness(source):
        sheet.reset_dimensions()
        found = enumerate(sheet.iter_rows(max_col=MAX_WIDTH), start=1)
    last = 0
    while True:
        with _soundness(source):
            number, cells = next(found, (0, ()))
            values: list[Cell | Formula] = [Formula() if cell.data_type == "f" else cell.value for cell in cells]
        if not number:
            return
        while values and values[-1] is None:
            values.pop()
        if any(value is not None for value in values):
            last = number
            yield number, values
        if number > MAX_ROWS or number - last > MAX_EMPTY:
            problem = (
                f"the sheet has more than {MAX_EMPTY:,} empty rows in a run, or more rows than a workbook can have"
            )
            raise refused(source.name, problem, "delete the empty rows and save it again, or export the table as CSV")


def fold(heading: object) -> str:
    """A heading without what people vary: case, spaces, dots, underscores, dashes."""
    return "".join(character for character in str(heading or "").casefold() if character.isalnum())
