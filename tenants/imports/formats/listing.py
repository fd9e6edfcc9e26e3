"""The common part of readers of lists with known headings: recognise a list, date it, and read its rows."""

from __future__ import annotations

from abc import abstractmethod
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from core.errors import FieldError, Invalid, counted_phrase, phrase
from tenants.imports.facts import PatientBound, Reading, Rejection, SnapshotFact, UnreadContactFact, unread_contact
from tenants.imports.formats.dates import OPEN_REMEDY, Dates, formats_of_mapping, questions
from tenants.imports.formats.profile import ProfiledLayout, profile
from tenants.imports.formats.refill import Refills
from tenants.imports.formats.tables import Layout, ListRow, open_list, recognised
from tenants.imports.mapping import cell_text
from tenants.imports.reading import values
from tenants.imports.reading.plans import MOST_REMEMBERED
from tenants.imports.reading.reader import CERTAIN, NO, NOTHING_READ, InputFile, Reader
from tenants.imports.reading.runs_to import known_date
from tenants.imports.reading.values import BadValueError, NotRecordedError, Unreadable
from tenants.records.storable import has_control

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from collections.abc import Mapping as Table

    from tenants.imports.formats.profile import Profile
    from tenants.imports.formats.refill import Unit
    from tenants.imports.mapping import Mapping
    from tenants.imports.reading.sources import Head, Source

IDENTIFIERS = frozenset({"patient_id", "hospital_number", "datim_id", "pepfar_id", "phone"})
"""Fields that hold codes: a spreadsheet may have made dates or numbers of them."""


class WrongCell(NamedTuple):
    """A wrong cell: the problem and the remedy."""

    problem: str
    remedy: str


class _ColumnConverter(dict[Any, Any]):
    """The converted cells of a column, each distinct one converted once. A wrong cell becomes ``WrongCell``.

    The key of a text is the text itself. The key of any other cell is its type, whether days count from 1904, and the
    cell.
    """

    def __init__(self, convert: Callable[[object, bool], Any], missing: frozenset[str]) -> None:
        super().__init__()
        self._convert, self._missing = convert, missing

    def __missing__(self, key: Any) -> Any:  # noqa: ANN401 - as varied as cells
        from_1904, cell = (False, key) if isinstance(key, str) else key[1:]
        value = self._read(cell, from_1904=from_1904)
        if len(self) >= MOST_REMEMBERED:
            self.clear()
        self[key] = value
        return value

    def _read(self, cell: object, *, from_1904: bool) -> Any:  # noqa: ANN401 - as varied as the fields
        if isinstance(cell, Unreadable):
            return WrongCell(*cell)
        if isinstance(cell, str) and has_control(cell):
            return WrongCell("the cell holds a control character", "type the cell again")
        if values.text(cell) in self._missing:
            return None
        try:
            return self._convert(cell, from_1904)
        except NotRecordedError:
            return None
        except BadValueError as bad:
            return WrongCell(bad.problem, bad.remedy)


class ListColumns(dict[tuple[str, str], _ColumnConverter]):
    """The columns of one file of a list, by kind of value and field.

    Args:
        layout: layout of the list.
        dates: reads its dates.
        refills: reads its refills; None if the list has none.
        missing: the texts that mean "missing".
    """

    def __init__(self, layout: Layout, dates: Dates, refills: Refills | None, missing: frozenset[str]) -> None:
        super().__init__()
        self.layout = layout
        self._dates, self._refills, self._missing = dates, refills, missing

    def __missing__(self, key: tuple[str, str]) -> _ColumnConverter:
        converted = self[key] = _ColumnConverter(self._converter(*key), self._missing)
        return converted

    def _converter(self, how: str, name: str) -> Callable[[object, bool], Any]:
        if how == "day":
            return lambda cell, from_1904: self._dates.read(name, cell, from_1904=from_1904)
        if how == "days_supplied":
            return lambda cell, _: None if self._refills is None else self._refills.read(cell)
        text = values.identifier if name in IDENTIFIERS else values.text
        convert: dict[str, Callable[[object], Any]] = {
            "text": text,
            "word": lambda cell: " ".join(text(cell).casefold().replace("-", " ").replace("_", " ").split()),
            "identifier": values.whole_number,
            "number": values.number,
            "result": values.measured,
            "has": lambda _: True,
        }
        chosen = convert[how]
        return lambda cell, _: chosen(cell)


class Row:
    """One row of a list: its cells as typed values, and the problems found in them.

    A wrong cell reads as None, and its problem is recorded once, under the list's own heading. A problem in an
    essential cell is in ``problems`` and rejects the row; any other is in ``omissions``.
    """

    __slots__ = ("_cells", "_columns", "_from_1904", "_layout", "_wrong", "line", "omissions", "problems")

    def __init__(self, row: ListRow, columns: ListColumns) -> None:
        self.line = row.line
        self.problems: list[Rejection] = []
        self.omissions: list[Rejection] = []
        self._cells = row.cells
        self._from_1904 = row.from_1904
        self._columns = columns
        self._layout = columns.layout
        self._wrong: set[str] = set()

    def broken(self, *names: str) -> bool:
        """Whether one of these fields was read and was wrong."""
        return not self._wrong.isdisjoint(names)

    def heading(self, name: str) -> str:
        """The heading of a field, as reports show it."""
        return self._layout.heading_of.get(name, name)

    def reject(self, name: str, problem: str, remedy: str) -> None:
        """Record the problem of a field, unless one is recorded already."""
        if name not in self._wrong:
            self._wrong.add(name)
            noted = self.problems if name in self._layout.essential else self.omissions
            noted.append(Rejection(self.heading(name), problem, remedy))

    def has(self, name: str) -> bool:
        """Whether the cell has a value."""
        return self._value("has", name) is not None

    def text(self, name: str) -> str | None:
        """A text without spaces around it; a code unchanged."""
        value: str | None = self._read("text", name)
        return value

    def word(self, name: str) -> str:
        """A word of a fixed vocabulary, in lower case with single spaces; empty if there is none."""
        value: str | None = self._read("word", name)
        return value or ""

    def identifier(self, name: str) -> str | None:
        """An identifier, without the decimals that a spreadsheet added."""
        value: str | None = self._read("identifier", name)
        return value

    def needed(self, name: str) -> str | None:
        """An identifier that may not be missing."""
        value = self.identifier(name)
        if value is None:
            self.reject(name, "the identifier is missing", "fill it in: a row without it belongs to nobody")
        return value

    def day(self, name: str) -> date | None:
        """A date."""
        value: date | None = self._read("day", name)
        return value

    def days_supplied(self, name: str) -> int | None:
        """A refill in days."""
        value: int | None = self._read("days_supplied", name)
        return value

    def number(self, name: str) -> float | None:
        """A number."""
        value: float | None = self._read("number", name)
        return value

    def result(self, name: str) -> tuple[float, str | None] | None:
        """A laboratory result: the number, and ``<`` or ``>`` if the result is below or above it."""
        value: tuple[float, str | None] | None = self._read("result", name)
        return value

    def code(self, name: str, codes: Table[str, str]) -> str | None:
        """Return the code for a word of the list. An unknown word is a problem of the field."""
        if (word := self.word(name)) == "":
            return None
        if (code := codes.get(word)) is None:
            known = ", ".join(sorted(set(codes)))
            self.reject(name, "the word is not known", phrase("write one of: {known}", known=known))
        return code

    def _read(self, how: str, name: str) -> Any:  # noqa: ANN401 - as varied as the fields
        value = self._value(how, name)
        if type(value) is WrongCell:
            self.reject(name, *value)
            return None
        return value

    def _value(self, how: str, name: str) -> Any:  # noqa: ANN401 - as varied as the fields
        cell = self._cells.get(name)
        if cell is None or cell == "":
            return None
        # In Python, 1, 1.0 and True are equal keys, but they are different cells.
        key = cell if isinstance(cell, str) else (type(cell), self._from_1904, cell)
        return self._columns[how, name][key]


def place(row: Row, mapping: Mapping) -> tuple[str | None, str | None]:
    """DATIM id and name of a row's facility, from its columns or else the mapping; None for the patient's own."""
    datim_id, name = row.identifier("datim_id"), row.text("facility_name")
    if datim_id is None and mapping.facility is not None:
        datim_id = cell_text(mapping.facility.datim_id.constant)
        name = cell_text(mapping.facility.name.constant) if mapping.facility.name else None
    return datim_id, name


class ListReader(Reader):
    """Reads one kind of list. A mapping is optional: data date, refill unit, source, date formats, missing texts.

    Attributes:
        refill: field of the refill, and the unit in its heading; None if the list has no refill.
        dated_by: the latest day in these fields that is not in the future is the data date, if the mapping has none.
    """

    layout: ClassVar[Layout]
    refill: ClassVar[tuple[str, Unit | None] | None] = None
    dated_by: ClassVar[tuple[str, ...]] = ()

    def detect(self, head: Head) -> float:
        """Return certainty if the file has the headings of the list."""
        return CERTAIN if recognised(self.layout, head) else NO

    def profile(self, source: Source, mapping: Mapping) -> Profile:
        """The profile of a file, computed in one pass and cached."""
        refill = self.refill[0] if self.refill is not None else None
        form = ProfiledLayout(self.layout, self.layout.title, self.dated_by, refill)
        return profile(source, form, formats_of_mapping(mapping))

    def data_date(self, sources: Sequence[Source], mapping: Mapping) -> date | None:
        """The mapping's data date, else the latest day in the lists that is not in the future."""
        constant = known_date(mapping)
        if constant is not None:
            return constant
        profiles = [self.profile(source, mapping) for source in sources]
        days = [day for one in profiles if (day := one.latest_day(mapping.dates)) is not None]
        if not days and (open_dates := self._questions(profiles, mapping)):
            message = phrase("no date of the files can be read: {problem}", problem=open_dates[0])
            raise Invalid(message, remedy=OPEN_REMEDY, errors=[FieldError("dates", open_dates[0], OPEN_REMEDY)])
        return max(days, default=None)

    def _questions(self, profiles: Sequence[Profile], mapping: Mapping) -> list[str]:
        return [question for one in profiles for question in questions(one, self.layout.heading_of, mapping)]

    def notes(self, sources: Sequence[Source], mapping: Mapping) -> list[str]:
        """Notes for the report on how the files are read."""
        profiles = [self.profile(source, mapping) for source in sources]
        notes = [] if any(one.rows for one in profiles) else [NOTHING_READ]
        if self.refill is not None and mapping.refill is not None:
            heading = self.layout.heading_of[self.refill[0]]
            notes.append(
                phrase(
                    "the refills in {heading!r} are read as {unit}, as the mapping says",
                    heading=heading,
                    unit=mapping.refill.unit,
                )
            )
        more = sum(one.sheets > 1 for one in profiles)
        if more:
            notes.append(
                counted_phrase(
                    "{count} file has several sheets with these headings, of which only the first was read: give the"
                    " others as files of their own",
                    "{count} files have several sheets with these headings, of which only the first was read: give the"
                    " others as files of their own",
                    more,
                )
            )
        swapped = {name for one in profiles for name, column in one.columns.items() if column.swapped}
        notes += [
            phrase(
                "the dates in {heading!r} look as if a spreadsheet had taken days for months: those that it could are"
                " dates on days up to 12, the others are texts; export the list again from its system",
                heading=self.layout.heading_of[name],
            )
            for name in sorted(swapped)
        ]
        return notes + [
            phrase("question: {problem}", problem=question) for question in self._questions(profiles, mapping)
        ]

    def rows(self, file: InputFile) -> Iterator[Reading]:
        """Yield one reading per row."""
        source, mapping = file.source, file.mapping
        missing = frozenset(mapping.missing) | {""}
        seen = self.profile(source, mapping)
        refills = None
        if self.refill is not None:
            name, unit = self.refill
            refills = Refills(source, seen, mapping, self.layout.heading_of[name], unit)
        columns = ListColumns(self.layout, Dates(seen, mapping), refills, missing)
        with open_list(source, self.layout) as rows:
            for row in rows:
                if row.line <= file.after:
                    continue
                reading = Reading(file.number, row.line, left_out=row.left_out)
                if row.rejection is not None:
                    reading.rejections.append(row.rejection)
                elif not row.left_out:
                    self._take(Row(row, columns), reading, mapping)
                yield reading

    def _take(self, row: Row, reading: Reading, mapping: Mapping) -> None:
        self.facts(row, reading, mapping)
        self._note_unread(row, reading, mapping)
        if all(fact.facility is None for fact in reading.facts if isinstance(fact, PatientBound)):
            reading.facility_name = row.text("facility_name")
        if row.problems and not any(isinstance(fact, PatientBound) for fact in reading.facts):
            reading.patient, reading.facility = row.identifier("patient_id"), place(row, mapping)[0]
        reading.rejections.extend(row.problems)
        reading.omissions.extend(row.omissions)
        if not reading.facts and not reading.rejections and not reading.omissions:
            reading.rejections.append(NOTHING)

    def _note_unread(self, row: Row, reading: Reading, mapping: Mapping) -> None:
        """Add an unread contact if no day of a contact in the row is readable: the person came on an unknown day."""
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
