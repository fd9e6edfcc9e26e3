"""Read CSV files as a stream of rows, with the encoding and delimiter given or detected.

A broken row is a rejected row; a broken file is an error.
"""

from __future__ import annotations

import codecs
import csv
import io
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING

from core.errors import phrase
from tenants.imports.facts import Rejection
from tenants.imports.reading.sources import rejected
from tenants.imports.reading.table import MAX_FIELD, Row, Table, check_headings, undecoded
from tenants.imports.reading.values import clean
from tenants.imports.reading.workbook import HEADING_ROWS
from tenants.records.storable import has_control

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tenants.imports.reading.sources import Head, Source

DELIMITERS = ",;\t|"
MAX_LINES = 200
"""Number of lines that one row may span, by line breaks inside quotation marks."""
REPLACED = ("cp1252", "utf-16")
"""Encodings in which undecodable bytes cannot be preserved: a replacement character takes their place."""
MAX_LINE = MAX_FIELD * 16


def find_encoding(head: bytes) -> str:
    """The encoding of a file, from its first kilobytes: ``utf-8-sig``, ``utf-8`` (also for ASCII) or ``cp1252``."""
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=False)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def find_delimiter(line: str) -> str:
    """The most frequent of comma, semicolon, tab and bar outside quotes; a comma if there is none of them."""
    outside = "".join(part for index, part in enumerate(line.split('"')) if index % 2 == 0)
    best = max(DELIMITERS, key=outside.count)
    return best if outside.count(best) else ","


@contextmanager
def open_table(
    source: Source,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    sheet: str | None = None,
    wanted: Callable[[Sequence[str]], bool] = any,
) -> Iterator[Table]:
    """Open a CSV file (also gzip), or a sheet of a workbook, for streaming.

    Args:
        source: the file.
        encoding: the encoding in the mapping; None to detect it.
        delimiter: the delimiter in the mapping; None to detect it.
        sheet: the sheet that the mapping names; None for the first that is not empty.
        wanted: whether a row has the headings, below any titles. If no row near the beginning does, the first row that
            is not empty has the headings.

    Raises:
        Invalid: the file has no usable heading, is damaged or is not text.
    """
    head = source.head()
    if head.container == "workbook":
        from tenants.imports.reading.workbook_table import open_book_table

        with open_book_table(source, sheet, wanted) as table:
            yield table
        return
    if head.is_archive:
        raise rejected(
            source.name, "the file is a workbook or archive, not CSV", "save the table as CSV, or name its format"
        )
    if b"\x00" in head.data:
        raise rejected(source.name, "the file holds binary data, not a table", "give a CSV file")
    file_encoding = encoding or head.encoding or find_encoding(head.data)
    with source.expanded() as stream:
        text = io.TextIOWrapper(
            stream,
            encoding=file_encoding,
            errors="replace" if file_encoding in REPLACED else "surrogateescape",
            newline="",
        )
        lines = _bounded_lines(text, source)
        beginning = _beginning(lines)
        headings, used, taken = _find_headings(beginning, delimiter, wanted)
        check_headings(headings, source)
        rest = chain(beginning[taken:], lines)
        rows = read_rows(rest, len(headings), used, file_encoding, first=taken + 1)
        yield Table(headings, file_encoding, used, rows, rest, taken + 1)


def first_rows(head: Head) -> list[list[str]]:
    """The first rows of a text file, any of which may be the headings, to detect its format."""
    text = head.data.decode(find_encoding(head.data), errors="replace").lstrip("\ufeff")
    lines = list(io.StringIO(text, newline=""))[: HEADING_ROWS + 1]
    return [cells for cells, _, _ in _candidates(lines, None)]


def _bounded_lines(text: io.TextIOWrapper, source: Source) -> Iterator[str]:
    while line := text.readline(MAX_LINE):
        if len(line) >= MAX_LINE and not line.endswith("\n"):
            raise rejected(
                source.name,
                phrase("a line of more than {megabytes} MB", megabytes=MAX_LINE >> 20),
                "this is not a table of rows; export it again",
            )
        yield line


def _beginning(lines: Iterator[str]) -> list[str]:
    """The first lines, among which the headings are."""
    lines_at_start: list[str] = []
    for line in lines:
        lines_at_start.append(line)
        if len(lines_at_start) > HEADING_ROWS:
            break
    return lines_at_start


def _candidates(lines: list[str], delimiter: str | None) -> Iterator[tuple[list[str], str, int]]:
    """Yield the rows that may be the headings: cells, delimiter, and the number of lines up to the row's end.

    A first line such as ``sep=;`` is a spreadsheet program's statement of the delimiter.
    """
    at = 0
    if lines and len(hint := lines[0].strip().strip('"')) == len("sep=;") and hint.casefold().startswith("sep="):
        delimiter, at = delimiter or hint[-1], 1
    while at < len(lines):
        used = delimiter or find_delimiter(lines[at])
        reader = csv.reader(lines[at:], delimiter=used)
        try:
            cells = [clean(cell) for cell in next(reader, [])]
        except csv.Error:
            cells = []
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield cells, used, at + reader.line_num
        at += 1


def _find_headings(
    lines: list[str], delimiter: str | None, wanted: Callable[[Sequence[str]], bool]
) -> tuple[list[str], str, int]:
    first: tuple[list[str], str, int] | None = None
    for candidate in _candidates(lines, delimiter):
        first = first or candidate
        if wanted(candidate[0]):
            return candidate
    return first or ([], delimiter or ",", min(1, len(lines)))


def read_rows(
    lines: Iterator[str], width: int, delimiter: str, encoding: str, *, first: int = 2, most: int | None = None
) -> Iterator[Row]:
    """Yield the rows in the lines below the headings.

    Args:
        lines: the lines; none is read before its row is requested.
        width: the number of cells in a row.
        delimiter: the delimiter between cells.
        encoding: the encoding, for messages and for detecting characters that could not be decoded.
        first: the number of the first line.
        most: after this many lines, begin no further row.
    """
    before = csv.field_size_limit(MAX_FIELD)
    try:
        yield from _joined_up(_raw_rows(lines, width, delimiter, encoding, first, most), width)
    finally:
        csv.field_size_limit(before)


class _RowLines:
    """The lines of the rows, counted per row. A row with too many lines or characters is an error."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.taken = self.quotes = self.characters = 0
        self.ended = True

    def begin(self) -> None:
        """Begin a row: the next line is its first."""
        self.taken = self.quotes = self.characters = 0

    def __iter__(self) -> _RowLines:
        return self

    def __next__(self) -> str:
        if self.taken > MAX_LINES or self.characters > MAX_LINE:
            message = "the row does not end"
            raise csv.Error(message)
        line = next(self._lines)
        self.taken += 1
        self.characters += len(line)
        self.quotes += line.count('"')
        self.ended = line.endswith(("\n", "\r"))
        return line


def _raw_rows(
    lines: Iterator[str], width: int, delimiter: str, encoding: str, first: int, most: int | None
) -> Iterator[Row]:
    """Yield the rows; a row with too few cells stays as it is."""
    source = _RowLines(lines)
    reader = csv.reader(source, delimiter=delimiter)
    while most is None or reader.line_num < most:
        line, unclosed = reader.line_num + first, False
        source.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            problem = phrase(
                "the row cannot be read: a cell is too long, goes over more than {most} lines, or a quote never closes",
                most=MAX_LINES,
            )
            row, unclosed = Row(line, [], Rejection("row", problem, "close the quote")), True
        else:
            if not any(cells):
                continue
            row = checked(line, cells, width, encoding, ended=source.ended)
        yield row
        if row.rejection is not None and (unclosed or source.quotes % 2):
            yield from _swallowed(line, reader.line_num + first - 1)


def _joined_up(rows: Iterator[Row], width: int) -> Iterator[Row]:
    """Yield the rows, filling up those with too few cells: spreadsheets leave out empty cells at the end of a row.

    Two successive short rows may look like one row that a line break cut inside a cell. Then both are rejected, in
    tables of more than ``MOST_AMBIGUOUS`` columns.
    """
    short: Row | None = None
    for row in rows:
        if short is not None:
            broken = (
                row.rejection is None and 0 < len(row.cells) < width and len(short.cells) + len(row.cells) == width + 1
            )
            if broken and width > MOST_AMBIGUOUS:
                yield from (_cut(short, width), _cut(row, width))
                short = None
                continue
            yield filled(short, width)
            short = None
        if row.rejection is None and len(row.cells) < width:
            short = row
        else:
            yield row
    if short is not None:
        yield filled(short, width)


MOST_AMBIGUOUS = 4
"""Most columns of a table in which two short rows are both filled up: they may only look like one row cut in two."""


def filled(row: Row, width: int) -> Row:
    """A row with empty cells in place of missing ones."""
    return Row(row.line, [*row.cells, *[""] * (width - len(row.cells))])


def _cut(row: Row, width: int) -> Row:
    problem = phrase(
        "the row has {cells} cells under {width} headings: it looks cut in two by a line break",
        cells=len(row.cells),
        width=width,
    )
    return Row(row.line, [], Rejection("row", problem, "quote cells that hold line breaks"))


def _swallowed(first: int, last: int) -> Iterator[Row]:
    """Yield each further line of a row with an unclosed quote as a rejected row, so that none is lost silently."""
    why = phrase("it follows the quotation mark that was opened in line {first} and never closed", first=first)
    remedy = phrase("close or double the quotation mark in line {first} and import the file again", first=first)
    for line in range(first + 1, last + 1):
        yield Row(line, [], Rejection("row", why, remedy))


def checked(line: int, cells: list[str], width: int, encoding: str, *, ended: bool) -> Row:
    """The row of these cells, or a rejected row: too many cells, cut off, or with unreadable characters.

    Args:
        line: the line on which the row begins.
        cells: the cells; the caller fills up a row with fewer than ``width``.
        width: the number of cells in a row.
        encoding: the encoding of the file.
        ended: whether the row's last line has a line end. The last line of a truncated file has none.
    """
    while len(cells) > width and not cells[-1].strip():
        cells.pop()
    if len(cells) > width or (len(cells) < width and not ended):
        problem = phrase("the row has {cells} cells under {width} headings", cells=len(cells), width=width)
        return Row(line, [], Rejection("row", problem, "quote cells that hold the delimiter, and close every quote"))
    whole = "".join(cells)
    if not whole.isascii() and (undecoded(whole) or (encoding in REPLACED and "\ufffd" in whole)):
        problem = phrase("a character is not valid {encoding}", encoding=encoding)
        return Row(line, [], Rejection("row", problem, "save the file as 'CSV UTF-8', and import it again"))
    if has_control(whole):
        return Row(
            line,
            [],
            Rejection("row", "a cell holds a control character", "export the file again, or type the cell again"),
        )
    return Row(line, cells)


def fitted(rows: Iterable[Row], width: int) -> list[Row]:
    """Do the same as ``_joined_up`` for rows in memory."""
    return list(_joined_up(iter(rows), width))
