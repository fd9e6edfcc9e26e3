"""CSV files as blocks of rows: the lines of a block are told apart by the CSV library in one call.

Where a row of the block goes over several lines, or anything in it is not as it should be, the block's rows are read
one by one by ``tabular``, which says what is wrong.
"""

from __future__ import annotations

import csv
from itertools import chain
from typing import TYPE_CHECKING, Any

from tenants.imports.facts import Reading
from tenants.imports.reading.column_reader import Block
from tenants.imports.reading.csv_files import MAX_FIELD, REPLACED, Row, checked, fitted, read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tenants.imports.reading.column_reader import FileColumns
    from tenants.imports.reading.csv_files import Table
    from tenants.imports.reading.plans import FilePlan

_CONTROL = bytes(code for code in range(32) if code not in b"\t\n\r") + b"\x7f"
_END = "x"
MOST_CHARACTERS = 16 << 20
"""Characters of the lines that are held at once."""


def read_blocks(
    table: Table, plan: FilePlan, columns: FileColumns, number: int, *, skip: int, size: int
) -> Iterator[Block]:
    """The rows of an open file, block by block.

    Args:
        table: the file, of which no row was read.
        plan: reads a row by itself.
        columns: reads many.
        number: of the file among the sources.
        skip: rows up to this line were taken before.
        size: lines of a block.
    """
    if table.lines is None:
        message = "a workbook has no lines"
        raise ValueError(message)
    lines, line = table.lines, table.first
    before = csv.field_size_limit(MAX_FIELD)
    try:
        while chunk := _chunk(lines, size):
            taken = len(chunk)
            cells = _split(chunk, table)
            if cells is not None and line > skip and _whole(cells, len(table.headings)):
                yield _block(range(line, line + taken), cells, plan, columns, number)
                line += taken
                continue
            if cells is not None:
                found = _checked(cells, line, table, ended=chunk[-1].endswith(("\n", "\r")))
            else:
                counted = _Counted(chain(chunk, lines))
                found = list(
                    read_rows(counted, len(table.headings), table.delimiter, table.encoding, first=line, most=taken)
                )
                taken = counted.count
            line += taken
            if rest := [row for row in found if row.line > skip]:
                yield _block_of_rows(rest, plan, columns, number)
    finally:
        csv.field_size_limit(before)


def _chunk(lines: Iterator[str], size: int) -> list[str]:
    """So many lines, or fewer where they are long: what is held at once is bounded."""
    found: list[str] = []
    characters = 0
    for line in lines:
        found.append(line)
        characters += len(line)
        if len(found) >= size or characters >= MOST_CHARACTERS:
            break
    return found


class _Counted:
    """Lines, and how many were taken."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.count = 0

    def __iter__(self) -> _Counted:
        return self

    def __next__(self) -> str:
        found = next(self._lines)
        self.count += 1
        return found


def _split(chunk: list[str], table: Table) -> list[list[str]] | None:
    """The cells of lines that are a row each; None where they are not, or hold characters to be looked at singly."""
    whole = "".join(chunk)
    try:
        plain = whole.encode()
    except UnicodeEncodeError:
        return None
    if len(plain.translate(None, _CONTROL)) != len(plain) or (table.encoding in REPLACED and "\ufffd" in whole):
        return None
    try:
        # The last line would be swallowed by a quotation mark that is still open.
        rows = list(csv.reader([*chunk, _END], delimiter=table.delimiter))
    except csv.Error:
        return None
    if len(rows) != len(chunk) + 1 or rows.pop() != [_END]:
        return None
    return rows


def _whole(cells: list[list[str]], width: int) -> bool:
    """Whether every row has a cell under each heading, and something in one of them."""
    return set(map(len, cells)) == {width} and all(map(any, cells))


def _checked(cells: list[list[str]], first: int, table: Table, *, ended: bool) -> list[Row]:
    """Rows that are not all whole, each with what is wrong with it; empty ones are none."""
    width, last = len(table.headings), first + len(cells) - 1
    found = (
        Row(line, row) if len(row) == width else checked(line, row, width, table.encoding, ended=ended or line < last)
        for line, row in enumerate(cells, start=first)
        if any(row)
    )
    return fitted(found, width)


def _block(lines: Sequence[int], rows: Sequence[list[str]], plan: FilePlan, columns: FileColumns, number: int) -> Block:
    """A block of whole rows."""
    if plan.joins:
        return _block_of_rows(list(map(Row, lines, rows)), plan, columns, number)
    block = Block(number, lines, lines[-1])
    columns.read(block, rows, lambda at: plan.read(number, Row(lines[at], rows[at])))
    return block


def _block_of_rows(rows: Sequence[Row], plan: FilePlan, columns: FileColumns, number: int) -> Block:
    block = Block(number, [row.line for row in rows], rows[-1].line)
    cells: list[Any] = []
    for at, row in enumerate(rows):
        joined = None if row.rejection is not None else plan.joined(row.cells)
        if joined is None:
            refused = Reading(number, row.line, rejections=[row.rejection]) if row.rejection else plan.read(number, row)
            block.odd.append((at, refused))
        cells.append(joined or ())
    columns.read(block, cells, lambda at: plan.read(number, rows[at]))
    return block
