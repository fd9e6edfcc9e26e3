"""Read the parts of an xlsx file from their XML: sheets, shared texts and styles, each element within a limit.

Elements are recognised by their local names, so strict workbooks and those with prefixes read the same. openpyxl only
converts number formats and days. Its readers load whole parts, which a small file can expand to gigabytes.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import IO, TYPE_CHECKING

from core.errors import phrase
from tenants.imports.reading.bounded_xml import Element, elements, local
from tenants.imports.reading.file_kinds import DAMAGE
from tenants.imports.reading.sources import rejected
from tenants.imports.reading.values import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenants.imports.reading.sources import Source

Cell = str | int | float | bool | date | datetime | time | timedelta | None
MAX_WIDTH = 500
MAX_SMALL = 4 << 20
"""Bytes of the parts that list sheets and relations."""
MAX_STYLES = 16 << 20
MAX_FORMATS = 200_000
MAX_STRINGS = 5_000_000
"""Shared texts: a table with more is exported as CSV."""
_UNSOUND: tuple[type[Exception], ...] = (*DAMAGE, TypeError, AttributeError, SyntaxError)
_NOT_RECORDED = "#N/A"
_ESCAPED = re.compile(r"_x00(?:0D|0A|09)_")
_DIGITS = "0123456789"

NO_STORED_VALUE = Unreadable(
    "the cell holds a formula without a stored value",
    "open and save the workbook in a spreadsheet program, or replace formulas by their values (paste values)",
)
_ERROR = Unreadable("the cell holds an error of the spreadsheet program", "correct the formula, or type the value")
_NO_DATE = Unreadable("the cell holds a number that is not a spreadsheet date", "format the column as a date")


@contextmanager
def soundness(source: Source) -> Iterator[None]:
    """Turn errors from damaged parts into the error that the workbook is damaged."""
    try:
        yield
    except _UNSOUND as error:
        raise rejected(
            source.name, "the workbook is damaged", "open it in a spreadsheet program and save it again"
        ) from error


@dataclass(frozen=True, slots=True)
class SheetPart:
    """A sheet of a workbook: its name, its part, and whether the workbook hides it."""

    title: str
    path: str
    hidden: bool


class Book:
    """An open workbook.

    Args:
        source: the file, for messages and limits.
        archive: the file as an archive.

    Attributes:
        sheets: the visible ones first.
        from_1904: the workbook counts days from 1904-01-01 (old Macintosh), not from 1900.
    """

    def __init__(self, source: Source, archive: zipfile.ZipFile) -> None:
        self._source, self._archive = source, archive
        self._names = {name.casefold(): name for name in archive.namelist()}
        main = next(
            (target for kind, _, target in self._relations("_rels/.rels", "") if kind == "officeDocument"),
            "xl/workbook.xml",
        )
        folder, name = posixpath.split(main)
        relations = list(self._relations(f"{folder}/_rels/{name}.rels", folder))
        by_id = {identifier: target for kind, identifier, target in relations if kind == "worksheet"}
        self.from_1904 = False
        sheet_parts: list[SheetPart] = []
        with self._small(main) as part:
            for _, element in elements(source, part, {"workbookPr", "sheet"}):
                if local(element.tag) == "workbookPr":
                    self.from_1904 = element.get("date1904") in ("1", "true")
                    continue
                target = by_id.get(next((v for k, v in element.items() if local(k) == "id" and k != "id"), ""))
                if target is not None:
                    hidden = element.get("state", "visible") != "visible"
                    sheet_parts.append(SheetPart(element.get("name", ""), target, hidden))
        self.sheets = sorted(sheet_parts, key=lambda sheet: sheet.hidden)
        parts = {kind: target for kind, _, target in relations}
        self._dates, self._spans = self._styles(parts.get("styles"))
        self._strings_part = parts.get("sharedStrings")
        self._strings: list[str] | None = None

    @contextmanager
    def part(self, path: str) -> Iterator[IO[bytes]]:
        """Open a part as a stream."""
        with self._archive.open(self._names[path.casefold()]) as stream:
            yield stream

    @contextmanager
    def _small(self, path: str, most: int = MAX_SMALL) -> Iterator[IO[bytes]]:
        if self._archive.getinfo(self._names[path.casefold()]).file_size > most:
            raise rejected(
                self._source.name,
                phrase("a part of the workbook expands to over {megabytes} MB", megabytes=most >> 20),
                "export it as CSV",
            )
        with self.part(path) as stream:
            yield stream

    def _relations(self, path: str, folder: str) -> Iterator[tuple[str, str, str]]:
        """Yield the kind, identifier and part of each relation."""
        if path.casefold() not in self._names:
            return
        with self._small(path) as part:
            for _, element in elements(self._source, part, {"Relationship"}):
                target = element.get("Target", "")
                full = target.lstrip("/") if target.startswith("/") else posixpath.join(folder, target)
                kind = element.get("Type", "").rpartition("/")[2]
                yield kind, element.get("Id", ""), posixpath.normpath(full)

    def _styles(self, path: str | None) -> tuple[frozenset[int], frozenset[int]]:
        """The numbers of the styles that show dates, and of those that show durations."""
        from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format, is_timedelta_format

        if path is None or path.casefold() not in self._names:
            return frozenset(), frozenset()
        formats: dict[int, str] = dict(BUILTIN_FORMATS)
        used: list[int] = []
        with self._small(path, MAX_STYLES) as part:
            for parent, element in elements(self._source, part, {"numFmt", "xf"}):
                if parent == "numFmts":
                    formats[int(element.get("numFmtId", "0"))] = element.get("formatCode", "")[:255]
                elif parent == "cellXfs":
                    used.append(int(element.get("numFmtId", "0")))
                if len(used) > MAX_FORMATS or len(formats) > MAX_FORMATS:
                    raise rejected(
                        self._source.name,
                        phrase("the workbook has over {most:,} formats", most=MAX_FORMATS),
                        "export it as CSV",
                    )
        dates = {number for number in set(used) if is_date_format(formats.get(number))}
        spans = {number for number in dates if is_timedelta_format(formats.get(number))}
        return (
            frozenset(at for at, number in enumerate(used) if number in dates - spans),
            frozenset(at for at, number in enumerate(used) if number in spans),
        )

    def _shared(self, at: int) -> str:
        if self._strings is None:
            self._strings = self._load_strings()
        if at < 0:
            raise IndexError(at)
        return self._strings[at]

    def _load_strings(self) -> list[str]:
        strings: list[str] = []
        if self._strings_part is None or self._strings_part.casefold() not in self._names:
            return strings
        with self._small(self._strings_part, self._source.limits.shared_strings) as part:
            for _, element in elements(self._source, part, {"si"}):
                strings.append(_text_of(element))
                if len(strings) > MAX_STRINGS:
                    problem = phrase("the workbook has more than {most:,} different texts", most=MAX_STRINGS)
                    raise rejected(self._source.name, problem, "export the table as CSV, which has no such limit")
        return strings

    def rows(self, sheet: SheetPart) -> Iterator[tuple[int, list[Cell | Unreadable]]]:
        """Yield the rows of a sheet with their numbers, also the empty rows that the file has."""
        columns: dict[str, int] = {}
        number = 0
        with self.part(sheet.path) as part:
            for _, row in elements(self._source, part, {"row"}, inside="sheetData"):
                row_number = row.get("r")
                number = int(row_number) if row_number is not None else number + 1
                cells: list[Cell | Unreadable] = []
                at = -1
                for element in row:
                    place = element.get("r")
                    if place is None:
                        at += 1
                    else:
                        letters = place.rstrip(_DIGITS)
                        at = columns[letters] if letters in columns else columns.setdefault(letters, _column(letters))
                    value = self._value(element)
                    if value is None or not 0 <= at < MAX_WIDTH:
                        continue
                    if at >= len(cells):
                        cells.extend([None] * (at + 1 - len(cells)))
                    cells[at] = value
                yield number, cells

    def _value(self, cell: Element) -> Cell | Unreadable:
        kind = cell.get("t", "n")
        parts = {local(child.tag): child for child in cell}
        if kind == "inlineStr":
            return _text_of(parts["is"]) or None if "is" in parts else None
        stored = parts["v"].text if "v" in parts else None
        if stored is not None:
            return self._number(stored, cell.get("s")) if kind == "n" else self._stored(kind, stored)
        empty_text = "v" in parts and kind == "str"
        return NO_STORED_VALUE if "f" in parts and not empty_text else None

    def _stored(self, kind: str, text: str) -> Cell | Unreadable:
        if kind == "s":
            cell_value: Cell | Unreadable = self._shared(int(text)) or None
        elif kind == "b":
            cell_value = text.strip() in ("1", "true")
        elif kind == "e":
            cell_value = _NOT_RECORDED if text == _NOT_RECORDED else _ERROR
        elif kind == "d":
            cell_value = datetime.fromisoformat(text.strip()).replace(tzinfo=None)
        else:
            cell_value = _unescaped(text)
        return cell_value

    def _number(self, text: str, style: str | None) -> Cell | Unreadable:
        number = float(text) if "." in text or "e" in text or "E" in text else int(text)
        shown = int(style) if style is not None else 0
        if shown not in self._dates and shown not in self._spans:
            return number
        from openpyxl.utils.datetime import MAC_EPOCH, WINDOWS_EPOCH, from_excel

        epoch = MAC_EPOCH if self.from_1904 else WINDOWS_EPOCH
        try:
            cell_value: Cell = from_excel(number, epoch, timedelta=shown in self._spans)
        except (OverflowError, ValueError):
            return _NO_DATE
        return cell_value


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + "ABCDEFGHIJKLMNOPQRSTUVWXYZ".index(letter) + 1
        if number > 1 << 20:
            raise ValueError(letters[:8])
    return number - 1


def _text_of(element: Element) -> str:
    """The text of a shared or inline string: its runs, without the phonetic readings of East Asian words."""
    pieces: list[str] = []
    for run in element:
        name = local(run.tag)
        if name == "t":
            pieces.append(run.text or "")
        elif name == "r":
            pieces += [part.text or "" for part in run if local(part.tag) == "t"]
    return _unescaped("".join(pieces))


def _unescaped(text: str) -> str:
    """The text with spaces in place of line breaks, which Excel writes as ``_x000D_``."""
    return _ESCAPED.sub(" ", text) if "_x00" in text else text
