"""The reader interface: a format is a ``Reader`` registered here, found by name or by looking at the files."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from core.errors import FieldError, Invalid
from tenants.imports.reading.blocks import chunks
from tenants.imports.reading.runs_to import event_days, known_date, latest_day
from tenants.imports.reading.workbook import peek

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from tenants.imports.facts import Reading
    from tenants.imports.mapping import Mapping
    from tenants.imports.reading.blocks import Block, PortionLimits
    from tenants.imports.reading.sources import Head, Source

CERTAIN = 1.0
LIKELY = 0.8
NO = 0.0
HEADINGS_BYTES = 1 << 20
"""A file that holds nothing but its headings is never so large."""
NOTHING_READ = "nothing was read: the files hold no rows; check that they were exported whole"
_TABLE = re.compile(r"\.(csv|tsv)(\.gz)?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Position:
    """Where reading stands: rows of ``file`` up to and with ``line`` have been taken, and all files before it."""

    file: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file of an import, as a format reads it.

    Attributes:
        number: its place among the import's files.
        sources: all files of the import.
        mapping: with its time zone.
        after: rows up to this line were taken. A format may skip them; ``Reader.read`` drops those that it gives.
        shared: what ``Reader.shared`` prepared.
    """

    number: int
    sources: Sequence[Source]
    mapping: Mapping
    after: int = 0
    shared: Any = None

    @property
    def source(self) -> Source:
        """The file itself."""
        return self.sources[self.number]


class Reader(ABC):
    """One format: ``detect`` and ``rows``. The other methods are there for formats that can do better.

    Attributes:
        name: as ``--format`` takes it.
        description: one line for the list of formats.
        source: the system whose people these are; formats of one system share its people.
        mapping_needed: whether the format says nothing by itself and a mapping must.
        each_file_is_a_row: whether a file (of a zip: a member) is one row, such as one patient: a file that cannot be
            read is then a rejected row, and the import reads the others.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    source: ClassVar[str]
    mapping_needed: ClassVar[bool] = False
    each_file_is_a_row: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        """A format that names no system is a system of its own."""
        super().__init_subclass__()
        if "name" in cls.__dict__ and not hasattr(cls, "source"):
            cls.source = cls.name

    @abstractmethod
    def detect(self, head: Head) -> float:
        """Confidence in 0..1 that the file is of this format, from its name and first kilobytes."""

    @abstractmethod
    def rows(self, file: InputFile) -> Iterator[Reading]:
        """One ``Reading`` per row of the file, streamed, in a fixed order, with lines that go up.

        Raises:
            Invalid: the file cannot be read at all, or lacks a column that the mapping names.
        """

    def shared(self, sources: Sequence[Source], mapping: Mapping) -> Any:  # noqa: ANN401, ARG002 - each format's own
        """Prepare what all files are read with, such as the mapping's terms: ``InputFile.shared``."""
        return None

    def data_date(self, sources: Sequence[Source], mapping: Mapping) -> date | None:
        """The date to which the files' data run: the mapping's, else the latest event that does not lie in the future.

        Raises:
            Invalid: a file cannot be read, or the mapping names a column.
        """
        constant = known_date(mapping)
        if constant is not None:
            return constant
        return latest_day(day for reading in self.read(sources, mapping) for day in event_days(reading))

    def read(self, sources: Sequence[Source], mapping: Mapping, *, after: Position | None = None) -> Iterator[Reading]:
        """One ``Reading`` per row, file by file; with ``after``, those that follow it.

        Raises:
            Invalid: as ``rows``.
        """
        for file in self.files(sources, mapping, after):
            for reading in self.rows(file):
                if reading.line > file.after:
                    yield reading

    def files(self, sources: Sequence[Source], mapping: Mapping, after: Position | None) -> Iterator[InputFile]:
        """The files in the order in which they are read, without those that ``after`` has passed."""
        start, shared = after or Position(), self.shared(sources, mapping)
        for number in range(start.file, len(sources)):
            yield InputFile(number, sources, mapping, start.line if number == start.file else 0, shared)

    def notes(self, sources: Sequence[Source], mapping: Mapping) -> list[str]:  # noqa: ARG002 - for formats that have some
        """What a person should know of how the files are read."""
        return []

    def read_blocks(
        self,
        sources: Sequence[Source],
        mapping: Mapping,
        *,
        after: Position | None,
        data_date: date,  # noqa: ARG002 - for formats that read columns
        limits: PortionLimits,
    ) -> Iterator[Block]:
        """The same rows as ``read`` gives, in blocks; tables of events by a mapping are given as columns.

        Args:
            sources: the files.
            mapping: with its time zone.
            after: rows up to here were taken.
            data_date: nothing can have happened after it.
            limits: how large a portion may be.

        Raises:
            Invalid: as ``read``.
        """
        yield from chunks(self.read(sources, mapping, after=after), limits)


READERS: dict[str, str] = {
    "csv": "tenants.imports.formats.generic:GenericCsv",
    "lamisplus-pharmacy": "tenants.imports.formats.lamisplus_pharmacy:PharmacyList",
    "radet-lamisplus": "tenants.imports.formats.radet_lamisplus:LamisPlusRadet",
    "radet-nmrs": "tenants.imports.formats.radet_nmrs:NmrsRadet",
    "lamisplus-verification": "tenants.imports.formats.verification:VerificationList",
    "lamisplus-missed": "tenants.imports.formats.missed_lamisplus:LamisPlusMissed",
    "missed-appointments": "tenants.imports.formats.missed:MissedAppointments",
    "nmrs-json": "tenants.imports.formats.nmrs:NmrsContainers",
    "fhir-r4": "tenants.imports.formats.fhir:FhirResources",
    "ndr-xml": "tenants.imports.formats.ndr:NdrMessages",
}
"""Formats by name; each value is ``"module:attribute"`` and loaded when it is used."""


@cache
def reader(name: str) -> Reader:
    """The reader of a format.

    Raises:
        Invalid: there is no such format.
    """
    if name not in READERS:
        known = ", ".join(READERS)
        message = f"there is no import format {name!r}"
        raise Invalid(message, errors=[FieldError("format", "unknown format", f"give one of: {known}")])
    module, _, attribute = READERS[name].partition(":")
    loaded: Reader = getattr(import_module(module), attribute)()
    return loaded


def detect(sources: Sequence[Source]) -> Reader:
    """The format that all the files agree on.

    Where each file is one row, those that are recognised decide, and the rest is left to the reader, which refuses it
    file by file: what is broken, and text that is of no known format and is not called a table.

    Raises:
        Invalid: no reader recognises them, or they are of several formats.
    """
    files_of_format: dict[str, list[str]] = {}
    sure: set[str] = set()
    unclear: Invalid | None = None
    for source in sources:
        try:
            best, score = _best(source)
        except Invalid as error:
            unclear = unclear or error
            continue
        files_of_format.setdefault(best, []).append(source.name)
        # Any text with a comma may be CSV: one that is no list that we know has to be called so to count.
        if score >= LIKELY or _TABLE.search(source.name):
            sure.add(best)
    if len(sure) == 1 and (only := reader(next(iter(sure)))).each_file_is_a_row:
        return only
    if unclear is not None:
        raise unclear
    if len(files_of_format) > 1:
        listed = "; ".join(f"{name}: {', '.join(files[:5])}" for name, files in files_of_format.items())
        message = f"the files are of several formats ({listed})"
        raise Invalid(message, remedy="import each format by itself, or name one format")
    return reader(next(iter(files_of_format)))


def without_rows(sources: Sequence[Source], readings: Iterator[Reading]) -> list[str]:
    """A note where the files hold no row at all: no fault, but seldom what is meant.

    Args:
        sources: the files.
        readings: what they give, not begun.

    Raises:
        Invalid: a file cannot be read.
    """
    # Headings alone are short: large files are not opened once more for this.
    if any(source.size > HEADINGS_BYTES for source in sources):
        return []
    if next(readings, None) is not None:
        return []
    return [NOTHING_READ]


def _best(source: Source) -> tuple[str, float]:
    """The name of the format that fits one file best, and how well.

    Raises:
        Invalid: none does, or the file cannot be read.
    """
    head = source.head()
    if head.container == "workbook":
        head = replace(head, headings=peek(source))
    scores = {name: reader(name).detect(head) for name in READERS}
    best = max(scores, key=lambda name: scores[name])
    if scores[best] == NO:
        message = f"the format of {source.name} is not recognised"
        remedy = f"name the format (one of: {', '.join(READERS)}), or give a CSV or xlsx file"
        if head.is_archive and not head.headings:
            remedy = "unpack the archive, and give the tables in it"
            if head.container == "document":
                remedy = (
                    "leave it out: it is a text document or a presentation; export the table itself as CSV or .xlsx"
                )
        raise Invalid(message, remedy=remedy, errors=[FieldError("format", "not recognised", remedy)])
    return best, scores[best]
