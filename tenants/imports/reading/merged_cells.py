"""Fill merged cells: a cell merged over rows counts for each of them; one merged over columns is rejected.

The ranges follow the rows in the file, so they are read before the rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.errors import phrase
from tenants.imports.reading.sources import rejected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from tenants.imports.reading.sources import Source

MAX_MERGED = 10_000
_CHUNK = 1 << 20
_LONGEST = 512
_RANGE = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]{0,200}?ref=[\"']([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})[\"']")


@dataclass(frozen=True, slots=True)
class Range:
    """A range of merged cells. Rows count from 1 and columns from 0; the range includes both ends."""

    first_row: int
    last_row: int
    first_column: int
    last_column: int


def merged_ranges(source: Source, part: IO[bytes]) -> list[Range]:
    """The merged ranges of a sheet's XML.

    Raises:
        Invalid: there are more than ``MAX_MERGED``, which no real list has.
    """
    ranges: list[Range] = []
    tail = b""
    while block := part.read(_CHUNK):
        window = tail + block
        end = 0
        for match in _RANGE.finditer(window):
            end = match.end()
            ranges.append(Range(int(match[2]), int(match[4]), _column(match[1]), _column(match[3])))
        if len(ranges) > MAX_MERGED:
            raise rejected(
                source.name,
                phrase("the sheet has more than {most:,} merged cells", most=MAX_MERGED),
                "unmerge them, or export it as CSV",
            )
        tail = window[max(end, len(window) - _LONGEST) :]
    return sorted(ranges, key=lambda item: item.first_row)


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number - 1


@dataclass(slots=True)
class MergedCellFiller:
    """Fills merged cells as rows are read in order.

    Args:
        ranges: the merged ranges, sorted by first row.
        across: the value to put into cells that are merged over several columns.
    """

    ranges: list[Range]
    across: Any
    _next: int = 0
    _open: list[tuple[Range, Any]] = field(default_factory=list)

    def fill(self, number: int, cells: list[Any]) -> list[Any]:
        """Return the cells of row ``number`` after filling in the merged ones. Call it for each row in order."""
        if not self.ranges:
            return cells
        for item in self._beginning(number):
            at = item.first_column
            value = cells[at] if number == item.first_row and at < len(cells) else None
            self._open.append((item, value))
        self._open = [(item, value) for item, value in self._open if item.last_row >= number]
        for item, value in self._open:
            if item.last_column > item.first_column:
                self._reject(item, cells)
            elif value is not None:
                if item.first_column >= len(cells):
                    cells.extend([None] * (item.first_column + 1 - len(cells)))
                cells[item.first_column] = value
        return cells

    def _beginning(self, number: int) -> Iterator[Range]:
        while self._next < len(self.ranges) and self.ranges[self._next].first_row <= number:
            yield self.ranges[self._next]
            self._next += 1

    def _reject(self, item: Range, cells: list[Any]) -> None:
        """Mark cells merged over columns as unreadable, unless the row has no other cell: then it may be a title."""
        others = [at for at in range(len(cells)) if not item.first_column <= at <= item.last_column]
        if not any(cells[at] is not None for at in others):
            return
        for at in range(item.first_column, min(item.last_column + 1, len(cells))):
            cells[at] = self.across
