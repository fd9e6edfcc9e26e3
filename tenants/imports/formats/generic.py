"""The generic reader: any set of tables (CSV, also gzip, and workbooks), read as a mapping says."""

from __future__ import annotations

from contextlib import contextmanager
from fnmatch import fnmatch
from typing import TYPE_CHECKING, ClassVar
from zoneinfo import ZoneInfo

from core.clock import now
from core.errors import FieldError, Invalid
from tenants.imports.facts import Reading
from tenants.imports.mapping import DataDate
from tenants.imports.reading.blocks import chunks
from tenants.imports.reading.column_reader import FileColumns
from tenants.imports.reading.columns import Columns
from tenants.imports.reading.csv_blocks import BATCH_ROWS, batches, read_blocks
from tenants.imports.reading.csv_files import find_delimiter, find_encoding
from tenants.imports.reading.plans import FilePlan, check_columns, needed_columns, open_file
from tenants.imports.reading.reader import NO, Position, Reader, without_rows
from tenants.imports.reading.sources import refused
from tenants.imports.reading.table import Row
from tenants.imports.reading.values import BadValueError, day

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from tenants.imports.mapping import Mapping
    from tenants.imports.reading.blocks import Block, PortionLimits
    from tenants.imports.reading.sources import Head, Source
    from tenants.imports.reading.table import Table

POSSIBLE = 0.5


class GenericCsv(Reader):
    """Reads CSV files by a mapping."""

    name: ClassVar[str] = "csv"
    description: ClassVar[str] = "CSV files (also .gz) and workbooks (.xlsx) by a mapping"
    mapping_needed: ClassVar[bool] = True

    def detect(self, head: Head) -> float:
        """A text with headings may be CSV: any format that knows its headings is surer."""
        if head.is_archive:
            return NO
        first = head.data.split(b"\n", 1)[0].decode(find_encoding(head.data), errors="replace")
        if first.lstrip("\ufeff").lstrip()[:1] in ("{", "[", "<"):
            return NO
        return POSSIBLE if first.strip() and find_delimiter(first) else NO

    def notes(self, sources: Sequence[Source], mapping: Mapping) -> list[str]:
        """What a person should know of how the files are read."""
        return without_rows(sources, self.read(sources, mapping))

    def data_date(self, sources: Sequence[Source], mapping: Mapping) -> date | None:
        """The constant of the mapping, or what the column says that it names.

        Raises:
            Invalid: the column is absent, no row or more than one value fits, or none is a date.
        """
        spec = mapping.data_date
        if not isinstance(spec, DataDate):
            return spec
        file = mapping.files[spec.file]
        found: set[date] = set()
        limit = now().date()
        for number in self._assign(sources, mapping).get(spec.file, []):
            source = sources[number]
            with open_file(source, file, [spec.column, *spec.where]) as table:
                columns = Columns(table.headings, mapping)
                check_columns(columns, [spec.column, *spec.where], source, "data_date of the mapping")
                get, test = columns.raw(spec.column), columns.test(spec.where)
                for row in table.rows:
                    if row.rejection is not None:
                        continue
                    try:
                        if test is not None and not test(row.cells):
                            continue
                        value = day(get(row.cells) or "", columns.formats)
                    except BadValueError:
                        continue
                    if spec.latest:
                        found = {max({value, *found})} if value <= limit else found
                    else:
                        found.add(value)
        if len(found) != 1:
            problem = "no row gives a date" if not found else "several rows give different dates"
            remedy = "correct data_date in the mapping (file, column, where), or give the import a data date"
            message = f"the data date cannot be read from {file.name}, column {spec.column}: {problem}"
            raise Invalid(message, remedy=remedy, errors=[FieldError("data_date", problem, remedy)])
        return found.pop()

    def read(self, sources: Sequence[Source], mapping: Mapping, *, after: Position | None = None) -> Iterator[Reading]:
        """One reading per row, file by file: those with patients first, else in the order of the mapping.

        Raises:
            Invalid: a file is absent, cannot be read, or lacks a column that the mapping names.
        """
        assigned = self._assign(sources, mapping)
        for alias, number, skip in self._order(mapping, assigned, after):
            with self._open(sources, number, alias, mapping, assigned) as (table, plan):
                yield from _readings(table, plan, number, skip)

    def read_blocks(
        self,
        sources: Sequence[Source],
        mapping: Mapping,
        *,
        after: Position | None,
        data_date: date,
        limits: PortionLimits,
    ) -> Iterator[Block]:
        """The same rows in blocks: of a table whose records are all events, as columns.

        Args:
            sources: the files.
            mapping: with its time zone.
            after: rows up to here were taken.
            data_date: nothing can have happened after it.
            limits: how large a portion may be.

        Raises:
            Invalid: as ``read``.
        """
        assigned = self._assign(sources, mapping)
        for alias, number, skip in self._order(mapping, assigned, after):
            with self._open(sources, number, alias, mapping, assigned) as (table, plan):
                if FileColumns.can_read(plan):
                    columns = FileColumns(plan, data_date, now().date(), ZoneInfo(mapping.time_zone))
                    yield from read_blocks(table, plan, columns, number, skip=skip, size=limits.block)
                else:
                    yield from chunks(_readings(table, plan, number, skip), limits)

    @staticmethod
    def _order(
        mapping: Mapping, assigned: dict[str, list[int]], after: Position | None
    ) -> Iterator[tuple[str, int, int]]:
        """The files in the order in which they are read: alias, number, and the line up to which it was read."""
        order = [
            (alias, number)
            for alias in _in_order(mapping)
            if _used(alias, mapping)
            for number in assigned.get(alias, [])
        ]
        if after is not None:
            order = order[[number for _, number in order].index(after.file) :]
        for alias, number in order:
            yield alias, number, after.line if after is not None and number == after.file else 0

    @contextmanager
    def _open(
        self, sources: Sequence[Source], number: int, alias: str, mapping: Mapping, assigned: dict[str, list[int]]
    ) -> Iterator[tuple[Table, FilePlan]]:
        file, source = mapping.files[alias], sources[number]
        join_sources = [sources[n] for n in assigned[file.join.file]] if file.join else []
        with open_file(source, file, needed_columns(mapping, alias)) as table:
            yield table, FilePlan(alias, table.headings, source, mapping, join_sources)

    def _assign(self, sources: Sequence[Source], mapping: Mapping) -> dict[str, list[int]]:
        assigned: dict[str, list[int]] = {}
        owner: dict[int, str] = {}
        for alias, file in mapping.files.items():
            for number, source in enumerate(sources):
                if not _matches(source.name, file.name):
                    continue
                if number in owner:
                    raise refused(
                        source.name,
                        f"it fits both files.{owner[number]} and files.{alias}",
                        "make the names in the mapping apart",
                    )
                owner[number] = alias
                assigned.setdefault(alias, []).append(number)
            if alias not in assigned and not file.optional:
                given = ", ".join(source.name for source in sources)
                message = f"the mapping needs a file named {file.name} (files.{alias}); the files given are: {given}"
                remedy = "give the file too, correct files.<alias>.name, or mark it 'optional: true'"
                raise Invalid(
                    message, remedy=remedy, errors=[FieldError(f"files.{alias}", "no file has this name", remedy)]
                )
        return assigned


def _matches(name: str, pattern: str) -> bool:
    plain, wanted = name.casefold().removesuffix(".gz"), pattern.casefold().removesuffix(".gz")
    return fnmatch(plain, wanted)


def _readings(table: Table, plan: FilePlan, number: int, skip: int) -> Iterator[Reading]:
    for batch in batches(table, skip=skip, size=BATCH_ROWS):
        for at, (line, cells) in enumerate(zip(batch.lines, batch.rows, strict=True)):
            if (rejection := batch.rejections.get(at)) is not None:
                yield Reading(number, line, rejections=[rejection])
            else:
                yield plan.read(number, Row(line, cells))


def _in_order(mapping: Mapping) -> list[str]:
    """The files' aliases: those with patients first, since events that name no facility are at their patient's."""
    people = {record.file for record in mapping.records if record.into == "patients"}
    return sorted(mapping.files, key=lambda alias: alias not in people)


def _used(alias: str, mapping: Mapping) -> bool:
    return any(record.file == alias for record in mapping.records)
