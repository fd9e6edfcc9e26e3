"""The generic reader: tables in CSV (also gzip) or workbooks, read by a mapping."""

from __future__ import annotations

from contextlib import contextmanager
from fnmatch import fnmatch
from typing import TYPE_CHECKING, ClassVar
from zoneinfo import ZoneInfo

from core.clock import now
from core.errors import FieldError, Invalid, phrase
from tenants.imports.facts import Reading
from tenants.imports.mapping import DataDate
from tenants.imports.reading.blocks import chunks
from tenants.imports.reading.column_reader import FileColumns
from tenants.imports.reading.columns import Columns
from tenants.imports.reading.csv_blocks import BATCH_ROWS, batches, read_blocks
from tenants.imports.reading.csv_files import find_delimiter, find_encoding
from tenants.imports.reading.plans import FilePlan, check_columns, needed_columns, open_file
from tenants.imports.reading.reader import NO, InputFile, Position, Reader, without_rows
from tenants.imports.reading.sources import rejected
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
    description: ClassVar[str] = phrase("CSV files (also .gz) and workbooks (.xlsx) by a mapping")
    mapping_needed: ClassVar[bool] = True

    def detect(self, head: Head) -> float:
        """Return a low confidence for any text with headings. A format that knows its headings is more certain."""
        if head.is_archive:
            return NO
        first = head.data.split(b"\n", 1)[0].decode(find_encoding(head.data), errors="replace")
        if first.lstrip("\ufeff").lstrip()[:1] in ("{", "[", "<"):
            return NO
        return POSSIBLE if first.strip() and find_delimiter(first) else NO

    def notes(self, sources: Sequence[Source], mapping: Mapping) -> list[str]:
        """Notes for the report on how the files are read."""
        return without_rows(sources, self.read(sources, mapping))

    def data_date(self, sources: Sequence[Source], mapping: Mapping) -> date | None:
        """The data date of the mapping, which is a constant or comes from a column.

        Raises:
            Invalid: the column is missing, or its selected rows do not have exactly one date.
        """
        spec = mapping.data_date
        if not isinstance(spec, DataDate):
            return spec
        file = mapping.files[spec.file]
        dates: set[date] = set()
        limit = now().date()
        for number in self.shared(sources, mapping).get(spec.file, []):
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
                        dates = {max({value, *dates})} if value <= limit else dates
                    else:
                        dates.add(value)
        if len(dates) != 1:
            problem = "no row gives a date" if not dates else "several rows give different dates"
            remedy = "correct data_date in the mapping (file, column, where), or give the import a data date"
            message = phrase(
                "the data date cannot be read from {name}, column {column}: {problem}",
                name=file.name,
                column=spec.column,
                problem=problem,
            )
            raise Invalid(message, remedy=remedy, errors=[FieldError("data_date", problem, remedy)])
        return dates.pop()

    def files(self, sources: Sequence[Source], mapping: Mapping, after: Position | None) -> Iterator[InputFile]:
        """Yield the files that the mapping uses: first those with patients, then the others in the mapping's order."""
        assigned = self.shared(sources, mapping)
        order = [
            number
            for alias in _in_order(mapping)
            if any(record.file == alias for record in mapping.records)
            for number in assigned.get(alias, [])
        ]
        if after is not None:
            order = order[order.index(after.file) :]
        for number in order:
            line = after.line if after is not None and number == after.file else 0
            yield InputFile(number, sources, mapping, line, assigned)

    def rows(self, file: InputFile) -> Iterator[Reading]:
        """Yield one reading per row of a file that the mapping uses.

        Raises:
            Invalid: the file is not readable, or lacks a column that the mapping names.
        """
        with self._open(file) as (table, plan):
            yield from _readings(table, plan, file.number, file.after)

    def read_blocks(
        self,
        sources: Sequence[Source],
        mapping: Mapping,
        *,
        after: Position | None,
        data_date: date,
        limits: PortionLimits,
    ) -> Iterator[Block]:
        """Yield the rows as ``rows`` does, but in blocks; rows of a table whose records are all events come as columns.

        Args:
            sources: the files.
            mapping: the mapping, with its time zone set.
            after: rows up to this position were taken.
            data_date: no event can be later.
            limits: the limits of a portion.

        Raises:
            Invalid: as ``read``.
        """
        for file in self.files(sources, mapping, after):
            with self._open(file) as (table, plan):
                if FileColumns.can_read(plan):
                    columns = FileColumns(plan, data_date, now().date(), ZoneInfo(mapping.time_zone))
                    yield from read_blocks(table, plan, columns, file.number, skip=file.after, size=limits.block)
                else:
                    yield from chunks(_readings(table, plan, file.number, file.after), limits)

    @contextmanager
    def _open(self, file: InputFile) -> Iterator[tuple[Table, FilePlan]]:
        assigned: dict[str, list[int]] = file.shared
        alias = next(alias for alias, numbers in assigned.items() if file.number in numbers)
        form, mapping = file.mapping.files[alias], file.mapping
        join_sources = [file.sources[n] for n in assigned[form.join.file]] if form.join else []
        with open_file(file.source, form, needed_columns(mapping, alias)) as table:
            yield table, FilePlan(alias, table.headings, file.source, mapping, join_sources)

    def shared(self, sources: Sequence[Source], mapping: Mapping) -> dict[str, list[int]]:
        """Return, for each file name in the mapping, the numbers of the files that match it.

        Raises:
            Invalid: a required file is missing, or a file matches two names.
        """
        assigned: dict[str, list[int]] = {}
        owner: dict[int, str] = {}
        for alias, file in mapping.files.items():
            for number, source in enumerate(sources):
                if not _matches(source.name, file.name):
                    continue
                if number in owner:
                    raise rejected(
                        source.name,
                        phrase("it matches both files.{first} and files.{second}", first=owner[number], second=alias),
                        "change one of the names in the mapping, so that each file matches one",
                    )
                owner[number] = alias
                assigned.setdefault(alias, []).append(number)
            if alias not in assigned and not file.optional:
                names = ", ".join(source.name for source in sources)
                message = phrase(
                    "the mapping needs a file named {name} (files.{alias}); the files given are: {names}",
                    name=file.name,
                    alias=alias,
                    names=names,
                )
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
    """Return the files' aliases, those with patients first, because an event without a facility is at its patient's."""
    people = {record.file for record in mapping.records if record.into == "patients"}
    return sorted(mapping.files, key=lambda alias: alias not in people)
