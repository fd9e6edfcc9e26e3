"""The generic CSV reader: any set of tables (also gzip), read as a mapping says."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import TYPE_CHECKING, ClassVar

from core.clock import now
from core.errors import FieldError, Invalid
from tenants.imports.columns import Columns
from tenants.imports.facts import Reading
from tenants.imports.mapping import DataDate
from tenants.imports.plans import FilePlan
from tenants.imports.reader import NO, Position
from tenants.imports.sources import refused
from tenants.imports.tabular import find_delimiter, find_encoding, open_table
from tenants.imports.values import BadValueError, day

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from tenants.imports.mapping import Mapping
    from tenants.imports.sources import Head, Source

POSSIBLE = 0.5


class GenericCsv:
    """Reads CSV files by a mapping."""

    name: ClassVar[str] = "csv"
    description: ClassVar[str] = "CSV files (also .gz) by a mapping"
    mapping_needed: ClassVar[bool] = True

    def detect(self, head: Head) -> float:
        """A text with headings may be CSV: any format that knows its headings is surer."""
        if head.container not in ("text", "gzip"):
            return NO
        first = head.data.split(b"\n", 1)[0].decode(find_encoding(head.data), errors="replace")
        if first.lstrip("\ufeff").lstrip()[:1] in ("{", "[", "<"):
            return NO
        return POSSIBLE if first.strip() and find_delimiter(first) else NO

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
            with open_table(source, encoding=file.encoding, delimiter=file.delimiter) as table:
                columns = Columns(table.headings, mapping)
                _need(source, columns, [spec.column, *spec.where], "data_date")
                get, test = columns.raw(spec.column), columns.test(spec.where)
                for row in table.rows:
                    if row.rejection is not None or (test is not None and not test(row.cells)):
                        continue
                    try:
                        value = day(get(row.cells) or "", columns.formats)
                    except BadValueError:
                        continue
                    if spec.latest:
                        found = {max({value, *found})} if value <= limit else found
                    else:
                        found.add(value)
        if len(found) != 1:
            problem = "no row gives a date" if not found else "several rows give different dates"
            remedy = "correct data_date in the mapping (file, column, where), or give --data-date"
            message = f"the data date cannot be read from {file.name}, column {spec.column}: {problem}"
            raise Invalid(message, remedy=remedy, errors=[FieldError("data_date", problem, remedy)])
        return found.pop()

    def read(self, sources: Sequence[Source], mapping: Mapping, *, after: Position | None = None) -> Iterator[Reading]:
        """One reading per row, file by file in the order of the mapping.

        Raises:
            Invalid: a file is absent, cannot be read, or lacks a column that the mapping names.
        """
        assigned = self._assign(sources, mapping)
        order = [
            (alias, number) for alias in mapping.files if _used(alias, mapping) for number in assigned.get(alias, [])
        ]
        if after is not None:
            done = [number for _, number in order].index(after.file)
            order = order[done:]
        for alias, number in order:
            skip = after.line if after is not None and number == after.file else 0
            yield from self._read_file(sources, number, alias, mapping, assigned, skip)

    def _read_file(
        self,
        sources: Sequence[Source],
        number: int,
        alias: str,
        mapping: Mapping,
        assigned: dict[str, list[int]],
        skip: int,
    ) -> Iterator[Reading]:
        file, source = mapping.files[alias], sources[number]
        join_sources = [sources[n] for n in assigned[file.join.file]] if file.join else []
        with open_table(source, encoding=file.encoding, delimiter=file.delimiter) as table:
            plan = FilePlan(alias, table.headings, source, mapping, join_sources)
            for row in table.rows:
                if row.line <= skip:
                    continue
                if row.rejection is not None:
                    yield Reading(number, row.line, rejections=[row.rejection])
                else:
                    yield plan.read(number, row)

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


def _used(alias: str, mapping: Mapping) -> bool:
    return any(record.file == alias for record in mapping.records)


def _need(source: Source, columns: Columns, names: Sequence[str], key: str) -> None:
    for name in names:
        if name not in columns.index:
            problem = f"it has no column {name!r}, which {key} of the mapping names"
            raise refused(source.name, problem, f"correct the mapping; the file has: {', '.join(columns.index)}")
