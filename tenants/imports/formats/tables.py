"""Rows of a list with known headings, from csv or xlsx: cells by field, in any order of the columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from core.errors import phrase
from tenants.imports.reading.csv_blocks import BATCH_ROWS, batches
from tenants.imports.reading.csv_files import first_rows, open_table
from tenants.imports.reading.no_records import NoRecord, fold
from tenants.imports.reading.sources import rejected
from tenants.imports.reading.workbook import open_sheet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tenants.imports.facts import Rejection
    from tenants.imports.reading.sources import Head, Source

Cells = dict[str, Any]
_HINT = re.compile(r"\((?:yyyy|dd|mm)[^)]*\)", re.IGNORECASE)


def folded(heading: object) -> str:
    """A heading reduced to letters and digits, without a date format such as ``(yyyy-mm-dd)``."""
    return fold(_HINT.sub("", str(heading or "")))


@dataclass(frozen=True)
class Layout:
    """The columns of a list.

    Attributes:
        title: name of the list, for messages.
        columns: heading, as the list writes it -> field; other columns are not read.
        needed: fields whose columns distinguish the list from others.
        dates: fields with dates.
        also: further headings of fields, folded.
        contacts: fields with the day of a contact; if none is readable, an unread contact is added.
    """

    title: str
    columns: Mapping[str, str]
    needed: tuple[str, ...]
    dates: tuple[str, ...]
    also: Mapping[str, str] = field(default_factory=dict)
    contacts: tuple[str, ...] = ()

    @cached_property
    def essential(self) -> frozenset[str]:
        """The fields without which a row is rejected; a wrong value in any other is left out."""
        return frozenset(name for name in self.needed if name != "refill")

    @cached_property
    def field_of(self) -> dict[str, str]:
        """Field by folded heading."""
        return {folded(heading): name for heading, name in self.columns.items()} | dict(self.also)

    @cached_property
    def heading_of(self) -> dict[str, str]:
        """Field -> heading, as the list writes it and as reports show it."""
        return {name: heading for heading, name in reversed(list(self.columns.items()))}

    @property
    def expected(self) -> str:
        """The needed headings, for messages."""
        return ", ".join(self.heading_of[name] for name in self.needed)

    def fits(self, headings: Sequence[str]) -> bool:
        """Whether these headings include all that are needed."""
        return set(self.needed) <= {self.field_of.get(folded(heading)) for heading in headings}

    def fields(self, headings: Sequence[str], source: Source) -> list[str | None]:
        """The field of each column; None for a column that is not read.

        Raises:
            Invalid: a needed column is missing, or two columns have the same field.
        """
        field_of_column = [self.field_of.get(folded(heading)) for heading in headings]
        for name in self.needed:
            if name not in field_of_column:
                remedy = phrase("give a {title}, or name another format", title=self.title)
                raise rejected(
                    source.name, phrase("it has no column {heading!r}", heading=self.heading_of[name]), remedy
                )
        for name in {name for name in field_of_column if name is not None and field_of_column.count(name) > 1}:
            problem = phrase("the column {heading!r} appears twice", heading=self.heading_of[name])
            raise rejected(source.name, problem, "delete or rename the one that does not hold")
        return field_of_column


@dataclass(frozen=True, slots=True)
class ListRow:
    """One row: its line, and its cells by field, or why it is not readable.

    Attributes:
        from_1904: whether its numbers of days count from 1904-01-01.
        left_out: whether it is a total or repeats the headings.
    """

    line: int
    cells: Cells
    rejection: Rejection | None = None
    from_1904: bool = False
    left_out: bool = False


def recognised(layout: Layout, head: Head) -> bool:
    """Whether the beginning of a file has the headings of the list."""
    if head.is_archive:
        return any(layout.fits(row) for row in head.headings)
    return any(layout.fits(cells) for cells in first_rows(head))


@contextmanager
def open_list(source: Source, layout: Layout) -> Iterator[Iterator[ListRow]]:
    """Open a list, and yield its rows.

    Raises:
        Invalid: the file is no such list, or is not readable to its end.
    """
    if source.head().is_archive:
        with open_sheet(source, layout.fits, layout.expected) as sheet:
            fields = layout.fields(sheet.headings, source)
            no_record = _no_record(sheet.headings, fields, layout)
            yield (
                ListRow(
                    line,
                    _cells_by_field(fields, cells),
                    from_1904=sheet.from_1904,
                    left_out=no_record(cells),
                )
                for line, cells in sheet.rows
            )
        return
    with open_table(source, wanted=layout.fits) as table:
        fields = layout.fields(table.headings, source)
        no_record = _no_record(table.headings, fields, layout)
        yield (
            ListRow(
                line,
                _cells_by_field(fields, cells),
                rejection := batch.rejections.get(at),
                left_out=rejection is None and no_record(cells),
            )
            for batch in batches(table, skip=0, size=BATCH_ROWS)
            for at, (line, cells) in enumerate(zip(batch.lines, batch.rows, strict=True))
        )


def _no_record(headings: Sequence[str], fields: Sequence[str | None], layout: Layout) -> NoRecord:
    return NoRecord(
        headings,
        [at for at, name in enumerate(fields) if name == "patient_id"],
        [at for at, name in enumerate(fields) if name in layout.dates],
    )


def _cells_by_field(fields: Sequence[str | None], cells: Sequence[Any]) -> Cells:
    return {name: cell for name, cell in zip(fields, cells, strict=False) if name}
