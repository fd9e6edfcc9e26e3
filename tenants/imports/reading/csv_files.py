"""CSV files as rows, streamed: encoding and delimiter found or given, broken rows told apart from broken files."""

from __future__ import annotations

import codecs
import csv
import io
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tenants.imports.facts import Rejection
from tenants.imports.reading.sources import refused
from tenants.imports.reading.workbook import is_workbook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenants.imports.reading.sources import Source

DELIMITERS = ",;\t|"
MAX_FIELD = 65536
MAX_COLUMNS = 2000
MAX_LINES = 200
"""Lines that one row may go over, by line breaks inside quotation marks."""
REPLACED = ("cp1252", "utf-16")
"""Encodings whose undecodable bytes cannot be kept apart: a replacement character stands for them."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line it begins on, its cells, or why it cannot be read."""

    line: int
    cells: list[str]
    rejection: Rejection | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """An open CSV file: its rows, or its ``lines`` (not both: they are read once). A workbook has no lines."""

    headings: list[str]
    encoding: str
    delimiter: str
    rows: Iterator[Row]
    lines: Iterator[str] | None = None


def find_encoding(head: bytes) -> str:
    """``utf-8-sig``, ``utf-8`` or ``cp1252``, from the first kilobytes; UTF-8 when they are plain ASCII."""
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=False)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def find_delimiter(line: str) -> str:
    """The most frequent of comma, semicolon, tab and bar outside quotes; a comma for a single column."""
    outside = "".join(part for index, part in enumerate(line.split('"')) if index % 2 == 0)
    best = max(DELIMITERS, key=outside.count)
    return best if outside.count(best) else ","


@contextmanager
def open_table(
    source: Source, *, encoding: str | None = None, delimiter: str | None = None, sheet: str | None = None
) -> Iterator[Table]:
    """Open a CSV file (also gzip), or a sheet of a workbook, for streaming.

    Args:
        source: the file.
        encoding: as the mapping gives it; found when None.
        delimiter: as the mapping gives it; found when None.
        sheet: of a workbook, as the mapping gives it; the first that is not empty when None.

    Raises:
        Invalid: the file has no usable heading, is damaged or is no text.
    """
    head = source.head()
    if head.container == "zip" and is_workbook(source):
        from tenants.imports.reading.workbook_table import open_book_table

        with open_book_table(source, sheet) as table:
            yield table
        return
    if head.container not in ("text", "gzip"):
        raise refused(
            source.name, "the file is a workbook or archive, not CSV", "save the table as CSV, or name its format"
        )
    if b"\x00" in head.data:
        raise refused(source.name, "the file holds binary data, not a table", "give a CSV file")
    found = encoding or head.encoding or find_encoding(head.data)
    with source.expanded() as stream:
        text = io.TextIOWrapper(
            stream, encoding=found, errors="replace" if found in REPLACED else "surrogateescape", newline=""
        )
        lines = _bounded_lines(text, source)
        first = next(lines, "")
        used = delimiter or find_delimiter(first)
        headings = _headings(first, used, source)
        yield Table(headings, found, used, read_rows(lines, len(headings), used, found), lines)


def _bounded_lines(text: io.TextIOWrapper, source: Source) -> Iterator[str]:
    limit = MAX_FIELD * 16
    while line := text.readline(limit):
        if len(line) >= limit and not line.endswith("\n"):
            raise refused(
                source.name, f"a line of more than {limit >> 20} MB", "this is no table of rows; export it again"
            )
        yield line


def _headings(first: str, delimiter: str, source: Source) -> list[str]:
    try:
        cells = next(csv.reader([first], delimiter=delimiter), [])
    except csv.Error:
        cells = []
    headings = [cell.strip() for cell in cells]
    while headings and not headings[-1]:
        headings.pop()
    check_headings(headings, source)
    return headings


def check_headings(headings: list[str], source: Source) -> None:
    """Refuse headings that cannot name the columns.

    Raises:
        Invalid: there are none, too many, two alike, or some that cannot be read.
    """
    if not headings:
        raise refused(source.name, "the first line holds no headings", "begin the file with a line of column names")
    if len(headings) > MAX_COLUMNS:
        raise refused(source.name, f"more than {MAX_COLUMNS} columns", "check that it is the right file")
    if any(_undecoded(heading) for heading in headings):
        raise refused(
            source.name, "the headings are not valid UTF-8", "save it as 'CSV UTF-8', or give 'encoding' in the mapping"
        )
    repeated = sorted({heading for heading in headings if heading and headings.count(heading) > 1})
    if repeated:
        raise refused(source.name, f"the heading {repeated[0]!r} stands twice", "give every column a name of its own")


def read_rows(
    lines: Iterator[str], width: int, delimiter: str, encoding: str, *, first: int = 2, most: int | None = None
) -> Iterator[Row]:
    """The rows of lines below a heading.

    Args:
        lines: read one by one, none ahead of the row that is asked for.
        width: how many cells a row has.
        delimiter: between them.
        encoding: for messages, and for what a character that could not be decoded looks like.
        first: number of the first line.
        most: begin no row when this many lines were read.
    """
    before = csv.field_size_limit(MAX_FIELD)
    try:
        quotes = 0

        def counted() -> Iterator[str]:
            nonlocal quotes
            for text in lines:
                quotes += text.count('"')
                yield text

        reader = csv.reader(counted(), delimiter=delimiter)
        while most is None or reader.line_num < most:
            line, quotes, unclosed = reader.line_num + first, 0, False
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                why = "the row cannot be read: a cell is too long, or a quote never closes"
                row, unclosed = Row(line, [], Rejection("row", why, "close the quote")), True
            else:
                if not any(cells):
                    continue
                row = checked(line, cells, width, encoding)
                if reader.line_num + first - 1 - line > MAX_LINES:
                    why = f"a cell goes over more than {MAX_LINES} lines: a quote never closes"
                    row, unclosed = Row(line, [], Rejection("row", why, "close the quote")), True
            yield row
            if row.rejection is not None and (unclosed or quotes % 2):
                yield from _swallowed(line, reader.line_num + first - 1)
    finally:
        csv.field_size_limit(before)


def _swallowed(first: int, last: int) -> Iterator[Row]:
    """The lines that a refused row took along, each refused by itself, so that none is lost unsaid."""
    why = f"it stands behind the quotation mark that was opened in line {first} and never closed"
    remedy = f"close or double the quotation mark in line {first} and import the file again"
    for line in range(first + 1, last + 1):
        yield Row(line, [], Rejection("row", why, remedy))


def checked(line: int, cells: list[str], width: int, encoding: str) -> Row:
    """A row, or why it is refused: too many or too few cells, characters that could not be read."""
    if len(cells) != width:
        while len(cells) > width and not cells[-1].strip():
            cells.pop()
        if len(cells) != width:
            problem = f"the row has {len(cells)} cells under {width} headings"
            return Row(
                line, [], Rejection("row", problem, "quote cells that hold the delimiter, and close every quote")
            )
    whole = "".join(cells)
    if not whole.isascii() and (_undecoded(whole) or (encoding in REPLACED and "\ufffd" in whole)):
        problem = f"a character is not valid {encoding}"
        return Row(
            line, [], Rejection("row", problem, "save the file as 'CSV UTF-8', or give 'encoding' in the mapping")
        )
    if has_control(whole):
        return Row(
            line,
            [],
            Rejection("row", "a cell holds a control character", "export the file again, or type the cell again"),
        )
    return Row(line, cells)


def has_control(text: str) -> bool:
    """Whether a cell holds a control character other than tab and line break."""
    return not text.isprintable() and _CONTROL.search(text) is not None


def _undecoded(found: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in found)
