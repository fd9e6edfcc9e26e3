"""The reader interface: a format is a ``Reader`` in ``tenants.imports.formats``, named or detected from the files."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, ClassVar, TypeGuard

from core.errors import FieldError, Invalid, phrase
from core.errors.nearest import remedy_for
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

FORMATS = "tenants.imports.formats"
"""The package whose modules are searched for formats."""

CERTAIN = 1.0
LIKELY = 0.8
NO = 0.0
HEADINGS_BYTES = 1 << 20
"""Bytes that a file with only headings never reaches."""
NOTHING_READ = phrase("nothing was read: the files hold no rows; check that they were exported whole")
_TABLE = re.compile(r"\.(csv|tsv)(\.gz)?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Position:
    """A position in the files: the rows of ``file`` up to and including ``line``, and all earlier files, were read."""

    file: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file of an import, for a format to read.

    Attributes:
        number: its place among the import's files.
        sources: all files of the import.
        mapping: the mapping, with its time zone set.
        after: rows up to this line were read. A format may skip them; ``Reader.read`` drops them otherwise.
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
    """One format: ``detect`` and ``rows``. Formats that can do better override the other methods.

    Attributes:
        name: the value of ``--format``.
        description: one line for the list of formats.
        source: the system whose people these are; formats of one system share its people.
        mapping_needed: whether the format needs a mapping.
        each_file_is_a_row: whether a file (of a zip: a member) is one row, such as one patient: a file that cannot be
            read is then a rejected row, and the import reads the others.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    source: ClassVar[str]
    mapping_needed: ClassVar[bool] = False
    each_file_is_a_row: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        """Make a format that names no system its own source."""
        super().__init_subclass__()
        if "name" in cls.__dict__ and not hasattr(cls, "source"):
            cls.source = cls.name

    @abstractmethod
    def detect(self, head: Head) -> float:
        """Confidence in 0..1 that the file is of this format, from its name and first kilobytes."""

    @abstractmethod
    def rows(self, file: InputFile) -> Iterator[Reading]:
        """One ``Reading`` per row of the file, streamed, in a fixed order, with ascending lines.

        Raises:
            Invalid: the file cannot be read at all, or lacks a column that the mapping names.
        """

    def shared(self, sources: Sequence[Source], mapping: Mapping) -> Any:  # noqa: ANN401, ARG002 - each format's own
        """Prepare what all files share, such as the mapping's terms: ``InputFile.shared``."""
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
        """One ``Reading`` per row, file by file; with ``after``, only later ones.

        Raises:
            Invalid: as ``rows``.
        """
        for file in self.files(sources, mapping, after):
            for reading in self.rows(file):
                if reading.line > file.after:
                    yield reading

    def files(self, sources: Sequence[Source], mapping: Mapping, after: Position | None) -> Iterator[InputFile]:
        """The files in reading order, without those before ``after``."""
        start, shared = after or Position(), self.shared(sources, mapping)
        for number in range(start.file, len(sources)):
            yield InputFile(number, sources, mapping, start.line if number == start.file else 0, shared)

    def notes(self, sources: Sequence[Source], mapping: Mapping) -> list[str]:  # noqa: ARG002 - for formats that have some
        """Notes for the report on how the files are read."""
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
        """The same rows as in ``read``, in blocks; tables of events by a mapping come as columns.

        Args:
            sources: the files.
            mapping: the mapping, with its time zone set.
            after: rows up to here were read.
            data_date: no event can be later.
            limits: the limits of a portion.

        Raises:
            Invalid: as ``read``.
        """
        yield from chunks(self.read(sources, mapping, after=after), limits)


@cache
def formats() -> dict[str, Reader]:
    """The formats by name: the readers with a ``name`` in the modules of ``tenants.imports.formats``.

    Raises:
        ValueError: two formats have one name.
    """
    package = import_module(FORMATS)
    modules = [import_module(f"{FORMATS}.{module.name}") for module in iter_modules(package.__path__)]
    loaded: dict[str, Reader] = {}
    for module in modules:
        for item in vars(module).values():
            if _is_format(item) and item.__module__ == module.__name__:
                if item.name in loaded:
                    message = f"two import formats have the name {item.name!r}: rename one in {module.__name__}"
                    raise ValueError(message)
                loaded[item.name] = item()
    return dict(sorted(loaded.items()))


def _is_format(item: object) -> TypeGuard[type[Reader]]:
    return isinstance(item, type) and issubclass(item, Reader) and "name" in vars(item)


def reader(name: str) -> Reader:
    """The reader of a format.

    Raises:
        Invalid: there is no such format.
    """
    if name not in formats():
        message = "there is no such import format"
        raise Invalid(message, errors=[FieldError("format", "unknown format", remedy_for(name, formats()))])
    return formats()[name]


def detect(sources: Sequence[Source]) -> Reader:
    """Return the format of all the files.

    In some formats a whole file is one row. If the recognised files are of one such format, the other files do not
    matter: the reader rejects broken files and text of no known format one by one.

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
        # Any text with a comma may be CSV: a text that is no known list counts only if its name says so.
        if score >= LIKELY or _TABLE.search(source.name):
            sure.add(best)
    if len(sure) == 1 and (only := reader(next(iter(sure)))).each_file_is_a_row:
        return only
    if unclear is not None:
        raise unclear
    if len(files_of_format) > 1:
        listed = "; ".join(f"{name}: {', '.join(files[:5])}" for name, files in files_of_format.items())
        message = phrase("the files are of several formats ({listed})", listed=listed)
        raise Invalid(message, remedy="import each format by itself, or name one format")
    return reader(next(iter(files_of_format)))


def without_rows(sources: Sequence[Source], readings: Iterator[Reading]) -> list[str]:
    """A note if the files have no rows. That is not an error, but seldom intended.

    Args:
        sources: the files.
        readings: their rows, not yet read.

    Raises:
        Invalid: a file cannot be read.
    """
    # Headings alone are short: large files need no second reading for this.
    if any(source.size > HEADINGS_BYTES for source in sources):
        return []
    if next(readings, None) is not None:
        return []
    return [NOTHING_READ]


def _best(source: Source) -> tuple[str, float]:
    """The name of the format that fits a file best, and the confidence in it.

    Raises:
        Invalid: no format fits, or the file is not readable.
    """
    head = source.head()
    if head.container == "workbook":
        head = replace(head, headings=peek(source))
    scores = {name: each.detect(head) for name, each in formats().items()}
    best = max(scores, key=lambda name: scores[name])
    if scores[best] == NO:
        message = phrase("the format of {name} is not recognised", name=source.name)
        remedy = phrase("name the format (one of: {listed}), or give a CSV or xlsx file", listed=", ".join(formats()))
        if head.is_archive and not head.headings:
            remedy = "unpack the archive, and give the tables in it"
            if head.container == "document":
                remedy = (
                    "leave it out: it is a text document or a presentation; export the table itself as CSV or .xlsx"
                )
        raise Invalid(message, remedy=remedy, errors=[FieldError("format", "not recognised", remedy)])
    return best, scores[best]
