"""Rows as CSV, NDJSON and xlsx, streamed: memory does not grow with the list."""

from __future__ import annotations

import csv
import io
import re
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import orjson

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
    """An xlsx written row by row. Used as a context manager; ``save`` ends it."""

    def __init__(self) -> None:
        from openpyxl import Workbook as Book

        self._book = Book(write_only=True)

    def sheet(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> int:
        """Add a sheet, or several numbered ones if the rows do not fit into one; return the number of rows."""
        written, sheet = 0, self._begun(title, columns)
        for row in rows:
            if written and written % SHEET_ROWS == 0:
                sheet = self._begun(f"{title} {written // SHEET_ROWS + 1}", columns)
            sheet.append([safe(cell) for cell in row])
            written += 1
        return written

    def _begun(self, title: str, columns: Sequence[str]) -> Any:  # noqa: ANN401 - openpyxl types none of its write-only sheets
        sheet = self._book.create_sheet(title)
        sheet.freeze_panes = "A2"
        sheet.append([safe(column) for column in columns])
        return sheet

    def save(self, file: BinaryIO) -> None:
        """Write the workbook to ``file``."""
        self._book.save(file)
