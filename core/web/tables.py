"""Rows as CSV, NDJSON and xlsx, streamed: memory does not grow with the list."""

from __future__ import annotations

import csv
import io
import re
from contextlib import ExitStack
from datetime import date
from math import isfinite
from typing import TYPE_CHECKING, Any, Final, Self

import orjson

from core.scratch import temporary
from core.web.spreadsheets import guarded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import BinaryIO

Cell = str | int | float | bool | date | None

MEDIA_TYPES: Final[Mapping[str, str]] = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
SHEET_ROWS: Final = 1_000_000
"""Rows of a sheet before the next one is begun; a sheet ends at 1,048,576."""
_LONGEST_TEXT: Final = 32_767
_FIRST_DAY: Final = date(1900, 3, 1)
"""The first day that every spreadsheet counts alike: Excel has a 29 February 1900."""
_OPTIONS: Final[Mapping[str, Any]] = {
    "constant_memory": True,
    "default_date_format": "yyyy-mm-dd",
    # Text stays text, whatever it begins with.
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
    "use_zip64": True,
}
_UNFIT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def safe(cell: Cell) -> Cell:
    """Return a cell that is safe in a spreadsheet: formulas guarded, characters that XML forbids removed."""
    return guarded(_UNFIT.sub("", cell)) if isinstance(cell, str) else cell


def csv_lines(rows: Iterable[Sequence[Cell]]) -> bytes:
    """Yield rows as CSV by RFC 4180, but with LF as line end. Dates are in ISO form, booleans ``true`` or ``false``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_plain(safe(cell)) for cell in row] for row in rows)
    return text.getvalue().encode()


def _plain(cell: Cell) -> object:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return f"{cell:.15g}"
    return cell.isoformat() if isinstance(cell, date) else cell


def json_lines(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """Yield rows as JSON objects, one a line."""
    return b"".join(orjson.dumps(dict(zip(columns, row, strict=True))) + b"\n" for row in rows)


class Workbook:
    """An xlsx written row by row, with its parts in a temporary folder. Use it as a context manager, and save in it."""

    def __enter__(self) -> Self:
        from xlsxwriter import Workbook as Book

        with ExitStack() as stack:
            folder = stack.enter_context(temporary("xlsx-"))
            self._book: Any = Book(None, {**_OPTIONS, "tmpdir": str(folder)})
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()

    def sheet(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> int:
        """Add a sheet, or several numbered ones if the rows do not fit into one; return the number of rows."""
        written, sheet = 0, self._begun(title, columns)
        for row in rows:
            place = written % SHEET_ROWS
            if written and not place:
                sheet = self._begun(f"{title} {written // SHEET_ROWS + 1}", columns)
            sheet.write_row(place + 1, 0, [_fitted(cell) for cell in row])
            written += 1
        return written

    def _begun(self, title: str, columns: Sequence[str]) -> Any:  # noqa: ANN401 - xlsxwriter types none of its sheets
        sheet = self._book.add_worksheet(title)
        sheet.freeze_panes(1, 0)
        sheet.write_row(0, 0, [safe(column) for column in columns])
        return sheet

    def save(self, file: BinaryIO) -> None:
        """Write the workbook to ``file``; it takes no more sheets."""
        self._book.filename = file
        self._book.close()


def _fitted(cell: Cell) -> Cell:
    """A cell as a workbook can store it: text of at most 32,767 characters, no day before 1900, no infinity."""
    if isinstance(cell, str):
        return str(safe(cell))[:_LONGEST_TEXT]
    if isinstance(cell, float):
        return cell if isfinite(cell) else None
    return cell.isoformat() if isinstance(cell, date) and cell < _FIRST_DAY else cell
