"""What readers of lists with known headings share: how a list is recognised, dated, and read row by row."""

from __future__ import annotations

from abc import abstractmethod
from datetime import date
from typing import TYPE_CHECKING, ClassVar, TypeVar

from core.errors import FieldError, Invalid
from tenants.imports.facts import PatientBound, Reading, Rejection, SnapshotFact, UnreadContactFact, unread_contact
from tenants.imports.formats.dates import OPEN_REMEDY, Dates, given_formats, questions
from tenants.imports.formats.profile import ProfiledLayout, profile
from tenants.imports.formats.refill import Refills
from tenants.imports.formats.tables import Layout, ListRow, open_list, recognised
from tenants.imports.mapping import cell_text
from tenants.imports.reading import values
from tenants.imports.reading.reader import CERTAIN, NO, NOTHING_READ, Position, Reader
from tenants.imports.reading.sources import refused
from tenants.imports.reading.values import BadValueError, NotRecordedError, Unreadable
from tenants.records.storable import has_control

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from collections.abc import Mapping as Table

    from tenants.imports.formats.profile import Profile
    from tenants.imports.formats.refill import Unit
    from tenants.imports.mapping import Mapping
    from tenants.imports.reading.sources import Head, Source

T = TypeVar("T")
IDENTIFIERS = frozenset({"patient_id", "hospital_number", "datim_id", "pepfar_id", "phone"})
"""Fields that hold codes: a spreadsheet may have made dates or numbers of them."""


class Row:
    """One row of a list: typed cells, and the problems met.

    A cell that is wrong is noted once, with the heading that the list has for it, and reads as None. ``problems`` are
    those of cells without which the row is rejected; ``omissions``, of cells that the row does without. ``broken`` says
    whether any of the fields of a fact was wrong.
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
        self.omissions: list[Rejection] = []
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
            noted = self.problems if name in self._layout.essential else self.omissions
            noted.append(Rejection(self.heading(name), problem, remedy))

    def has(self, name: str) -> bool:
        """Whether the cell holds anything."""
        return values.text(self._cells.get(name)) not in self._missing

    def text(self, name: str) -> str | None:
        """A text, without spaces around; of a field that holds codes, as it is written."""
        return self._read(name, values.identifier if name in IDENTIFIERS else values.text)

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
        if isinstance(found, str) and has_control(found):
            self.refuse(name, "the cell holds a control character", "type the cell again")
            return None
        return None if values.text(found) in self._missing else found

    def _read(self, name: str, convert: Callable[[object], T]) -> T | None:
        found = self._raw(name)
        if found is None:
            return None
        try:
            return convert(found)
        except NotRecordedError:
            return None
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

    def profile(self, source: Source, mapping: Mapping) -> Profile:
        """What one pass over a file says of it as a whole; made once."""
        refill = self.refill[0] if self.refill is not None else None
        form = ProfiledLayout(self.layout, self.layout.title, self.dated_by, refill)
        return profile(source, form, given_formats(mapping))

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
        profiles = [self.profile(source, mapping) for source in sources]
        days = [day for one in profiles if (day := one.latest_day(mapping.dates)) is not None]
        if not days and (open_dates := self._questions(profiles, mapping)):
            message = f"no date of the files can be read: {open_dates[0]}"
            raise Invalid(message, remedy=OPEN_REMEDY, errors=[FieldError("dates", open_dates[0], OPEN_REMEDY)])
        return max(days, default=None)

    def _questions(self, profiles: Sequence[Profile], mapping: Mapping) -> list[str]:
        return [question for one in profiles for question in questions(one, self.layout.heading_of, mapping)]

    def notes(self, sources: Sequence[Source], mapping: Mapping) -> list[str]:
        """What a person should know of how the files are read."""
        profiles = [self.profile(source, mapping) for source in sources]
        found = [] if any(one.rows for one in profiles) else [NOTHING_READ]
        if self.refill is not None and mapping.refill is not None:
            heading = self.layout.heading_of[self.refill[0]]
            found.append(f"{heading} of {len(sources)} file(s) read as {mapping.refill.unit}, as the mapping says")
        more = sum(one.sheets > 1 for one in profiles)
        if more:
            found.append(
                f"{more} file(s) have several sheets with these headings, of which only the first was read:"
                " give the others as files of their own"
            )
        swapped = {name for one in profiles for name, column in one.columns.items() if column.swapped}
        found += [
            f"the dates in {self.layout.heading_of[name]!r} look as if a spreadsheet had taken days for months: those"
            " that it could are dates on days up to 12, the others are texts; export the list again from its system"
            for name in sorted(swapped)
        ]
        return found + [f"question: {question}" for question in self._questions(profiles, mapping)]

    def read(self, sources: Sequence[Source], mapping: Mapping, *, after: Position | None = None) -> Iterator[Reading]:
        """One reading per row."""
        missing = frozenset(mapping.missing) | {""}
        for number, source in enumerate(sources):
            if after is not None and number < after.file:
                continue
            skip = after.line if after is not None and number == after.file else 0
            seen = self.profile(source, mapping)
            dates, refills = Dates(seen, mapping), None
            if self.refill is not None:
                name, unit = self.refill
                refills = Refills(source, seen, mapping, self.layout.heading_of[name], unit)
            with open_list(source, self.layout) as rows:
                for row in rows:
                    if row.line <= skip:
                        continue
                    reading = Reading(number, row.line, left_out=row.left_out)
                    if row.rejection is not None:
                        reading.rejections.append(row.rejection)
                    elif not row.left_out:
                        self._take(Row(row, self.layout, dates, refills, missing), reading, mapping)
                    yield reading

    def _take(self, row: Row, reading: Reading, mapping: Mapping) -> None:
        self.facts(row, reading, mapping)
        if any(isinstance(fact, PatientBound) and fact.facility is None for fact in reading.facts):
            reading.facility_name = row.text("facility_name")
        self._note_unread(row, reading, mapping)
        if row.problems and not any(isinstance(fact, PatientBound) for fact in reading.facts):
            reading.patient, reading.facility = row.identifier("patient_id"), place(row, mapping)[0]
        reading.rejections.extend(row.problems)
        reading.omissions.extend(row.omissions)
        if not reading.facts and not reading.rejections and not reading.omissions:
            reading.rejections.append(NOTHING)

    def _note_unread(self, row: Row, reading: Reading, mapping: Mapping) -> None:
        """That the person was seen, where the row has a day of it that cannot be read, or none."""
        contacts = self.layout.contacts
        if not contacts or any(row.day(name) is not None for name in contacts):
            return
        patient = row.identifier("patient_id")
        if patient is None or row.broken("patient_id", "datim_id"):
            return
        about = next((fact for fact in reading.facts if isinstance(fact, SnapshotFact)), None)
        where = about.facility if about is not None else place(row, mapping)[0]
        person: PatientBound = about or UnreadContactFact(key=patient, patient=patient, facility=where)
        reading.facts.append(unread_contact(person, reading, row.day("next_appointment")))

    @abstractmethod
    def facts(self, row: Row, reading: Reading, mapping: Mapping) -> None:
        """Add the facts of a row to its reading."""


NOTHING = Rejection("row", "the row says nothing", "delete it, or fill it in")
