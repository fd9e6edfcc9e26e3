"""Tables as batches of rows: one call of the CSV library splits a batch of lines.

If a row of the batch spans several lines or has any fault, ``csv_files`` reads the batch's rows one by one, and says
what is wrong.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING

from tenants.imports.facts import Reading
from tenants.imports.reading.blocks import Block
from tenants.imports.reading.csv_files import REPLACED, checked, fitted, read_rows
from tenants.imports.reading.table import MAX_FIELD, Row
from tenants.imports.reading.values import BadValueError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tenants.imports.facts import Rejection
    from tenants.imports.reading.column_reader import FileColumns
    from tenants.imports.reading.columns import Cells
    from tenants.imports.reading.plans import FilePlan
    from tenants.imports.reading.table import Table

_CONTROL = bytes(code for code in range(32) if code not in b"\t\n\r") + b"\x7f"
_END = "x"
BATCH_ROWS = 1000
"""Rows of a batch. If one of them has a fault, all of them are read one by one."""
MOST_CHARACTERS = 16 << 20
"""Number of characters of lines in memory at one time."""


@dataclass(slots=True)
class Batch:
    """Consecutive rows of a table.

    Attributes:
        lines: the line on which each row begins.
        rows: the cells of each row; empty for a row that is not readable.
        rejections: by the row's place in the batch, why the row is not readable.
    """

    lines: Sequence[int]
    rows: Sequence[Cells]
    rejections: dict[int, Rejection]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Batch:
        """Rows as a batch."""
        rejections = {at: row.rejection for at, row in enumerate(rows) if row.rejection is not None}
        return cls([row.line for row in rows], [row.cells for row in rows], rejections)


def batches(table: Table, *, skip: int, size: int) -> Iterator[Batch]:
    """Yield the rows of an open table in batches.

    Args:
        table: the table, of which no row was read yet.
        skip: skip rows up to this line.
        size: number of lines in a batch.
    """
    if table.lines is not None:
        yield from _of_lines(table, table.lines, skip, size)
        return
    rows = (row for row in table.rows if row.line > skip)
    while rows_of_batch := list(islice(rows, size)):
        yield Batch.of(rows_of_batch)


def _of_lines(table: Table, lines: Iterator[str], skip: int, size: int) -> Iterator[Batch]:
    line = table.first
    before = csv.field_size_limit(MAX_FIELD)
    try:
        while chunk := _chunk(lines, size):
            taken = len(chunk)
            cells = _split(chunk, table)
            if cells is not None and line > skip and _whole(cells, len(table.headings)):
                yield Batch(range(line, line + taken), cells, {})
                line += taken
                continue
            if cells is not None:
                rows_of_chunk = _checked(cells, line, table, ended=chunk[-1].endswith(("\n", "\r")))
            else:
                counted = _LineCounter(chain(chunk, lines))
                rows_of_chunk = list(
                    read_rows(counted, len(table.headings), table.delimiter, table.encoding, first=line, most=taken)
                )
                taken = counted.count
            line += taken
            if rest := [row for row in rows_of_chunk if row.line > skip]:
                yield Batch.of(rest)
    finally:
        csv.field_size_limit(before)


def read_blocks(
    table: Table, plan: FilePlan, columns: FileColumns, number: int, *, skip: int, size: int
) -> Iterator[Block]:
    """Yield the rows of an open table in blocks.

    Args:
        table: the table, of which no row was read yet.
        plan: reads a single row.
        columns: reads many rows as columns.
        number: number of the file among the sources.
        skip: skip rows up to this line, which were read before.
        size: number of lines in a block.
    """
    for batch in batches(table, skip=skip, size=size):
        yield _block(batch, plan, columns, number)


def _block(batch: Batch, plan: FilePlan, columns: FileColumns, number: int) -> Block:
    block = Block(number, batch.lines[-1])

    def careful(at: int) -> Reading:
        return plan.read(number, Row(batch.lines[at], batch.rows[at]))

    rows = batch.rows
    block.readings += [
        (at, Reading(number, batch.lines[at], rejections=[rejection])) for at, rejection in batch.rejections.items()
    ]
    if plan.joins:
        rows = [() if at in batch.rejections else _joined(plan, cells) for at, cells in enumerate(batch.rows)]
        block.readings += [
            (at, careful(at)) for at, cells in enumerate(rows) if cells == () and at not in batch.rejections
        ]
    columns.read(block, batch.lines, rows, careful)
    return block


def _joined(plan: FilePlan, cells: Cells) -> Cells:
    """Return a row's cells with the joined ones; empty if required ones are missing, or the key is faulty."""
    try:
        return plan.joined(cells) or ()
    except BadValueError:
        return ()


def _chunk(lines: Iterator[str], size: int) -> list[str]:
    """The next lines, fewer if they are long, so that memory is bounded."""
    lines_of_chunk: list[str] = []
    characters = 0
    for line in lines:
        lines_of_chunk.append(line)
        characters += len(line)
        if len(lines_of_chunk) >= size or characters >= MOST_CHARACTERS:
            break
    return lines_of_chunk


class _LineCounter:
    """An iterator of lines that counts those it has read."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.count = 0

    def __iter__(self) -> _LineCounter:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.count += 1
        return line


def _split(chunk: list[str], table: Table) -> list[list[str]] | None:
    """The cells of lines that are one row each; None if some are not, or have characters that need a closer look."""
    whole = "".join(chunk)
    try:
        plain = whole.encode()
    except UnicodeEncodeError:
        return None
    if len(plain.translate(None, _CONTROL)) != len(plain) or (table.encoding in REPLACED and "\ufffd" in whole):
        return None
    try:
        # A quotation mark that is still open would swallow the last line.
        rows = list(csv.reader([*chunk, _END], delimiter=table.delimiter))
    except csv.Error:
        return None
    if len(rows) != len(chunk) + 1 or rows.pop() != [_END]:
        return None
    return rows


def _whole(cells: list[list[str]], width: int) -> bool:
    """Whether every row has a cell under each heading, and at least one that is not empty."""
    return set(map(len, cells)) == {width} and all(map(any, cells))


def _checked(cells: list[list[str]], first: int, table: Table, *, ended: bool) -> list[Row]:
    """The rows, those with a fault as rejected rows; empty rows are skipped."""
    width, last = len(table.headings), first + len(cells) - 1
    checked_rows = (
        Row(line, row) if len(row) == width else checked(line, row, width, table.encoding, ended=ended or line < last)
        for line, row in enumerate(cells, start=first)
        if any(row)
    )
    return fitted(checked_rows, width)
