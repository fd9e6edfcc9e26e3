"""What readers of lists with known headings share: how a list is recognised, dated, and read row by row."""

from __future__ import annotations

from abc import abstractmethod
from datetime import date
from typing import TYPE_CHECKING, ClassVar, TypeVar

from core.clock import now
from tenants.imports.facts import Reading, Rejection
from tenants.imports.formats.dates import Dates
from tenants.imports.formats.refill import Refills
from tenants.imports.formats.tables import Layout, ListRow, open_list, recognised
from tenants.imports.mapping import cell_text
from tenants.imports.reading import values
from tenants.imports.reading.reader import CERTAIN, NO, Position, Reader, without_rows
from tenants.imports.reading.sources import refused
from tenants.imports.reading.values import BadValueError
from tenants.imports.reading.workbook import Unreadable, peek

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from collections.abc import Mapping as Table

    from tenants.imports.formats.refill import Unit
    from tenants.imports.mapping import Mapping
    from tenants.imports.reading.sources import Head, Source

T = TypeVar("T")
MAX_TEXT = 2000


class Row:
    """One row of a list: typed cells, and the problems met.

    A cell that is wrong is noted once, with the heading that the list has for it, and reads as None. Where a row holds
    several facts, ``broken`` says whether any of the fields of one was wrong, so that only that fact is left out.
    """

    def __init__(
        self,
        row: ListRow,
        layout: Layout,
        dates: Dates,
        refills: Refills | None,
        missing: frozenset[str],
    ) -> None:
        self.line = row.line
        self.problems: list[Rejection] = []
        self._cells = row.cells
        self._from_1904 = row.from_1904
        self._layout = layout
        self._dates = dates
        self._refills = refills
        self._missing = missing
        self._wrong: set[str] = set()

    def broken(self, *names: str) -> bool:
        """Whether a field among these was read and was wrong."""
        return not self._wrong.isdisjoint(names)

    def heading(self, name: str) -> str:
        """What reports call a field: its heading."""
        return self._layout.heading_of.get(name, name)

    def refuse(self, name: str, problem: str, remedy: str) -> None:
        """Note what is wrong with a field, once."""
        if name not in self._wrong:
            self._wrong.add(name)
            self.problems.append(Rejection(self.heading(name), problem, remedy))

    def has(self, name: str) -> bool:
        """Whether the cell holds anything."""
        return values.text(self._cells.get(name)) not in self._missing

    def text(self, name: str) -> str | None:
        """A text, without spaces around."""
        found = self._raw(name)
        return None if found is None else values.text(found)[:MAX_TEXT]

    def word(self, name: str) -> str:
        """A word of a fixed vocabulary: lower-case, single spaces; empty where there is none."""
        return " ".join((self.text(name) or "").casefold().replace("-", " ").replace("_", " ").split())

    def identifier(self, name: str) -> str | None:
        """An identifier, without the decimals that a spreadsheet added."""
        return self._read(name, values.whole_number)

    def needed(self, name: str) -> str | None:
        """An identifier that may not be missing."""
        found = self.identifier(name)
        if found is None:
            self.refuse(name, "the identifier is missing", "fill it in: a row without it belongs to nobody")
        return found

    def day(self, name: str) -> date | None:
        """A date."""
        return self._read(name, lambda cell: self._dates.read(name, cell, from_1904=self._from_1904))

    def days_supplied(self, name: str) -> int | None:
        """A refill in days."""
        return None if self._refills is None else self._read(name, self._refills.read)

    def number(self, name: str) -> float | None:
        """A number."""
        return self._read(name, values.number)

    def result(self, name: str) -> tuple[float, str | None] | None:
        """A laboratory's result: its number, and ``<`` or ``>`` where it is only known to lie below or above."""
        return self._read(name, values.measured)

    def code(self, name: str, codes: Table[str, str]) -> str | None:
        """A code by the word that the list has for it; a word that is not known is refused."""
        if (word := self.word(name)) == "":
            return None
        if (found := codes.get(word)) is None:
            known = ", ".join(sorted(set(codes)))
            self.refuse(name, "a word that is not known", f"write one of: {known}")
        return found

    def _raw(self, name: str) -> object:
        found = self._cells.get(name)
        if isinstance(found, Unreadable):
            self.refuse(name, found.problem, found.remedy)
            return None
        if isinstance(found, str) and not found.isprintable():
            self.refuse(name, "the cell holds a control character", "type the cell again")
            return None
        return None if values.text(found) in self._missing else found

    def _read(self, name: str, convert: Callable[[object], T]) -> T | None:
        found = self._raw(name)
        if found is None:
            return None
        try:
            return convert(found)
        except BadValueError as bad:
            self.refuse(name, bad.problem, bad.remedy)
            return None


def place(row: Row, mapping: Mapping) -> tuple[str | None, str | None]:
    """DATIM id and name of a row's facility: of its columns, else the mapping's; None: the patient's own."""
    datim_id, name = row.identifier("datim_id"), row.text("facility_name")
    if datim_id is None and mapping.facility is not None:
        datim_id = cell_text(mapping.facility.datim_id.constant)
        name = cell_text(mapping.facility.name.constant) if mapping.facility.name else None
    return datim_id, name


class ListReader(Reader):
    """Reads one kind of list. A mapping is optional: data date, refill unit, source, date forms, missing texts.

    Attributes:
        refill: the field and the unit of its heading; None where the list has no refill.
        dated_by: fields of which the latest day that is not ahead is the data date, where nobody says it.
    """

    layout: ClassVar[Layout]
    refill: ClassVar[tuple[str, Unit | None] | None] = None
    dated_by: ClassVar[tuple[str, ...]] = ()

    def detect(self, head: Head) -> float:
        """Certain when the headings are there."""
        return CERTAIN if recognised(self.layout, head) else NO

    def data_date(self, sources: Sequence[Source], mapping: Mapping) -> date | None:
        """The mapping's constant, else the latest day of the lists that does not lie in the future."""
        if mapping.data_date is not None:
            if isinstance(mapping.data_date, date):
                return mapping.data_date
            raise refused(
                "mapping",
                "data_date of this format is a date, not a column",
                "write data_date: 2026-06-30, or give --data-date",
            )
        limit, latest = now().date(), None
        for source in sources:
            dates = Dates(source, self.layout, mapping)
            with open_list(source, self.layout) as rows:
                for row in rows:
                    for name in self.dated_by:
                        cell = None if row.rejection else row.cells.get(name)
                        if cell is None or cell == "" or isinstance(cell, Unreadable):
                            continue
                        try:
                            found = dates.read(name, cell, from_1904=row.from_1904)
                        except BadValueError:
                            continue
                        if found <= limit and (latest is None or found > latest):
                            latest = found
        return latest

    def notes(self, sources: Sequence[Source], mapping: Mapping) -> list[str]:
        """What a person should know of how the files are read."""
        found = without_rows(sources, self.read(sources, mapping))
        if self.refill is not None and mapping.refill is not None:
            heading = self.layout.heading_of[self.refill[0]]
            found.append(f"{heading} of {len(sources)} file(s) read as {mapping.refill.unit}, as the mapping says")
        books = [source for source in sources if source.head().container == "zip"]
        more = [sum(map(self.layout.fits, peek(source))) > 1 for source in books]
        if any(more):
            found.append(
                f"{sum(more)} file(s) have several sheets with these headings, of which only the first was read:"
                " give the others as files of their own"
            )
        return found

    def read(self, sources: Sequence[Source], mapping: Mapping, *, after: Position | None = None) -> Iterator[Reading]:
        """One reading per row."""
        missing = frozenset(mapping.missing) | {""}
        for number, source in enumerate(sources):
            if after is not None and number < after.file:
                continue
            skip = after.line if after is not None and number == after.file else 0
            dates = Dates(source, self.layout, mapping)
            refills = Refills(source, self.layout, mapping, *self.refill) if self.refill else None
            with open_list(source, self.layout) as rows:
                for row in rows:
                    if row.line <= skip:
                        continue
                    reading = Reading(number, row.line)
                    if row.rejection is not None:
                        reading.rejections.append(row.rejection)
                    else:
                        cells = Row(row, self.layout, dates, refills, missing)
                        self.facts(cells, reading, mapping)
                        reading.rejections.extend(cells.problems)
                        if not reading.facts and not reading.rejections:
                            reading.rejections.append(NOTHING)
                    yield reading

    @abstractmethod
    def facts(self, row: Row, reading: Reading, mapping: Mapping) -> None:
        """Add the facts of a row to its reading."""


NOTHING = Rejection("row", "the row says nothing", "delete it, or fill it in")
