"""Turn the rows of one file into facts, by the mapping's records, which are compiled once per file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from core.errors import phrase
from tenants.imports.facts import FACT_TYPES, FacilityFact, Fact, Reading, Rejection, UnreadContactFact
from tenants.imports.fields import FIELDS, NATURAL_KEYS
from tenants.imports.mapping import cell_text
from tenants.imports.reading.columns import Cells, Columns, Getter, Test, key_part
from tenants.imports.reading.csv_files import open_table
from tenants.imports.reading.no_records import NoRecord
from tenants.imports.reading.sources import rejected
from tenants.imports.reading.values import BadValueError, Unreadable
from tenants.imports.slots import EVENT_FIELD
from tenants.records.field_spec import FieldSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tenants.imports.mapping import Column, FacilityColumns, File, Mapping, Record
    from tenants.imports.reading.sources import Source
    from tenants.imports.reading.table import Row, Table

SEPARATOR = "\x1f"
MOST_REMEMBERED = 10_000
"""Number of distinct cells of a column whose values are cached; then the cache is cleared."""
CONTACTS = ("visits", "dispensations")
"""Kinds of record that show that a person was seen."""
ABOUT = {"patient_states": "state", "observations": "variable_name"}
DEFAULTS: dict[str, dict[str, Any]] = {
    "patients": {"partial": True},
    "visits": {"visit_type": "clinical"},
    "appointments": {"status": "scheduled"},
    "dispensations": {"antiretroviral": True},
}


class FilePlan:
    """Reads the rows of one file.

    Args:
        alias: name of the file in the mapping.
        headings: headings of the file.
        source: the file, for messages.
        mapping: the whole mapping.
        join_sources: the files whose columns this one joins.

    Raises:
        Invalid: the mapping names a column that the file, or the joined one, does not have.
    """

    def __init__(
        self, alias: str, headings: Sequence[str], source: Source, mapping: Mapping, join_sources: Sequence[Source]
    ) -> None:
        file = mapping.files[alias]
        records = [record for record in mapping.records if record.file == alias]
        self.mapping, self.records, self.conditions = mapping, records, file.where
        self.no_record = _no_record(headings, records)
        names = [*file.where, *(name for record in records for name in record.all_columns())]
        prefix = f"{file.join.file}." if file.join else None
        joined = sorted(
            {name for name in names if prefix is not None and name.startswith(prefix) and name not in headings}
        )
        self.columns = columns = Columns([*headings, *joined], mapping)
        names += file.join.match if file.join else ()
        check_columns(columns, names, source, phrase("the mapping (files.{alias} or its records)", alias=alias))
        self._join = _JoinIndex(file, columns, joined, mapping, join_sources) if file.join else None
        self._where = columns.test(file.where)
        self._records = [_RecordPlan(record, columns, mapping) for record in records]

    @property
    def joins(self) -> bool:
        """Whether the file joins cells of another file."""
        return self._join is not None

    def joined(self, cells: Cells) -> Cells | None:
        """The cells with the joined ones; None if a row lacks required ones."""
        if self._join is None:
            return cells
        joined_cells = self._join.find(cells)
        return None if joined_cells is None else [*cells, *joined_cells]

    def read(self, number: int, row: Row) -> Reading:
        """The facts of a row, or why it is rejected."""
        reading = Reading(number, row.line)
        if self.no_record(row.cells):
            reading.left_out = True
            return reading
        try:
            cells = self.joined(row.cells)
            if cells is not None and self._where is not None and not self._where(cells):
                reading.left_out = True
                return reading
        except BadValueError as bad:
            reading.rejections.append(Rejection("row", bad.problem, bad.remedy))
            return reading
        if cells is None:
            if self._join is not None:
                reading.rejections.append(self._join.missing)
            return reading
        try:
            for record in self._records:
                record.read(cells, reading)
        except BadValueError as bad:  # of a condition's column, or of the key's
            reading.rejections.append(Rejection("row", bad.problem, bad.remedy))
        reading.left_out = not reading.rejections and not reading.facts and not reading.omissions
        return reading


class _JoinIndex:
    """The wanted columns of the joined file, by key. Holds one key and its values per row of that file."""

    def __init__(
        self, file: File, columns: Columns, joined: Sequence[str], mapping: Mapping, sources: Sequence[Source]
    ) -> None:
        join = file.join
        if join is None:
            message = "a join index needs a join"
            raise ValueError(message)
        self._gets = [columns.raw(name) for name in join.match]
        self._empty = ("",) * len(joined) if join.optional else None
        problem = phrase("no row of {file} has this key", file=join.file)
        remedy = phrase("add it to {file}, or mark the join 'optional: true'", file=join.file)
        self.missing = Rejection(", ".join(join.match), problem, remedy)
        self._rows: dict[tuple[str | None, ...], tuple[str | Unreadable, ...]] = {}
        seen: dict[tuple[str | Unreadable, ...], tuple[str | Unreadable, ...]] = {}
        other = mapping.files[join.file]
        for source in sources:
            wanted = [name.removeprefix(f"{join.file}.") for name in joined]
            with open_file(source, other, [*join.match.values(), *wanted]) as table:
                theirs = Columns(table.headings, mapping)
                check_columns(theirs, [*join.match.values(), *wanted], source, phrase("the mapping's join"))
                keys = [theirs.raw(name) for name in join.match.values()]
                key_places = [theirs.index[name] for name in join.match.values()]
                at = [theirs.index[name] for name in wanted]
                for row in table.rows:
                    if row.rejection is not None or any(isinstance(row.cells[i], Unreadable) for i in key_places):
                        continue
                    values = tuple(row.cells[i] for i in at)
                    # Equal values share one object: a column of programmes takes one reference per row.
                    self._rows.setdefault(tuple(key(row.cells) for key in keys), seen.setdefault(values, values))

    def find(self, cells: Cells) -> tuple[str | Unreadable, ...] | None:
        """The joined columns of a row; None if no row has its key and the join is not optional."""
        return self._rows.get(tuple(get(cells) for get in self._gets), self._empty)


class _RecordPlan:
    """One record of the mapping, compiled for one file."""

    def __init__(self, record: Record, columns: Columns, mapping: Mapping) -> None:
        self._kind = record.into
        self._type = FACT_TYPES[record.into]
        self._when: Test | None = columns.test(record.when)
        self._patient = (
            _remembered(columns, record.patient, columns.identifier(record.patient)) if record.patient else None
        )
        self._patient_label = label_of(record.patient, "patient") if record.patient else "patient"
        self._key = [columns.raw(name) for name in record.key] if record.key else None
        fields = FIELDS[record.into]
        self._stamp_label = label_of(record.stamp, "stamp") if record.stamp else "stamp"
        self._labels = {name: label_of(spec, name) for name, spec in record.columns.items()} | {
            "stamp": self._stamp_label,
            "patient": self._patient_label,
        }
        self._fields: list[tuple[str, str, Getter]] = [
            (name, self._labels[name], _remembered(columns, spec, columns.value(spec, fields[name])))
            for name, spec in record.columns.items()
        ]
        self._essential = frozenset(name for name, spec in fields.items() if spec.required)
        self._defaults = dict(DEFAULTS.get(record.into, {}))
        self._estimated = (
            record.into == "patients" and "birthdate" in record.columns and record.columns["birthdate"].age is not None
        )
        stamp = record.stamp
        self._stamp = _remembered(columns, stamp, columns.value(stamp, STAMP)) if stamp else None
        self._seen = (
            _remembered(columns, record.seen_on, columns.value(record.seen_on, _SEEN)) if record.seen_on else None
        )
        self._seen_label = label_of(record.seen_on, "seen_on") if record.seen_on else "seen_on"
        facility = record.facility or (mapping.facility if record.into == "patients" else None)
        self._facility = FacilityPlan(facility, columns) if facility else None

    def read(self, cells: Cells, reading: Reading) -> None:
        """Add the record's fact to the reading, or the reasons why there is none."""
        if self._when is not None and not self._when(cells):
            return
        before, before_omissions = len(reading.rejections), len(reading.omissions)
        attempt = _attempt
        patient = attempt(self._patient, cells, self._patient_label, reading) if self._patient else ""
        values, unread = self._values(cells, reading)
        stamp = attempt(self._stamp, cells, self._stamp_label, reading) if self._stamp else None
        facility = self._facility.read(cells, reading) if self._facility else None
        if self._seen:
            values["derived_on"] = attempt(self._seen, cells, self._seen_label, reading)
        if len(reading.rejections) > before:
            reading.patient, reading.facility = patient or reading.patient, facility or reading.facility
            if unread and patient and self._is_contact(values):
                bound = values.get("next_appointment")
                reading.facts.append(
                    UnreadContactFact(key=patient, patient=patient, facility=facility, not_after=bound)
                )
            return
        if self._kind == "observations" and self._omitted(reading, before_omissions, values):
            return
        if self._kind == "facilities":
            reading.facts.append(
                FacilityFact(key=values.pop("datim_id"), labels=self._labels, known_at=stamp, **values)
            )
            return
        _settle(self._kind, values, estimated=self._estimated)
        key = self._identity(patient, values, cells)
        if key is None:
            reading.rejections.append(
                Rejection("key", "all columns of the row's key are missing", "fill in at least one of them")
            )
            return
        fact: Fact = self._type(
            key=key, facility=facility, known_at=stamp, labels=self._labels, patient=patient, **values
        )  # type: ignore[call-arg]
        reading.facts.append(fact)

    def _is_contact(self, values: dict[str, Any]) -> bool:
        return self._kind in CONTACTS and values.get("antiretroviral", True)

    def _values(self, cells: Cells, reading: Reading) -> tuple[dict[str, Any], bool]:
        """The readable fields by name, and whether the day of the event is unreadable."""
        values, unread = dict(self._defaults), False
        for name, label, get in self._fields:
            try:
                value = get(cells)
            except BadValueError as bad:
                noted = reading.rejections if name in self._essential else reading.omissions
                noted.append(Rejection(label, bad.problem, bad.remedy))
                unread = unread or name == EVENT_FIELD.get(self._kind)
                if name == "days_supplied":
                    values["supply_unread"] = True
                continue
            if value is not None:
                values[name] = value
        return values, unread

    @staticmethod
    def _omitted(reading: Reading, before: int, values: dict[str, Any]) -> bool:
        """Whether an observation's result was left out.

        The observation must not stay: it would say that there is no result.
        """
        return len(reading.omissions) > before and not any(name.startswith("value_") for name in values)

    def _identity(self, patient: str, values: dict[str, Any], cells: Cells) -> str | None:
        if self._kind == "patients":
            return patient
        if self._key is not None:
            parts = [get(cells) for get in self._key]
            # One row may have several facts of one person under one key: their subject distinguishes them.
            about = key_part(values.get(ABOUT[self._kind])) if self._kind in ABOUT else ""
            return SEPARATOR.join([patient, about, *(part or "" for part in parts)]) if any(parts) else None
        return SEPARATOR.join([patient, *(key_part(values.get(name)) for name in NATURAL_KEYS[self._kind])])


class FacilityPlan:
    """The facility of a row, which also becomes a fact; the stager drops repeats."""

    def __init__(self, facility: FacilityColumns, columns: Columns) -> None:
        fields = FIELDS["facilities"]
        self._parts = [
            (name, label_of(spec, name), _remembered(columns, spec, columns.value(spec, fields[name])))
            for name, spec in facility.parts().items()
        ]
        self._labels = dict(part[:2] for part in self._parts) | {"facilities": label_of(facility.datim_id, "datim_id")}

    def read(self, cells: Cells, reading: Reading) -> str | None:
        """Return the DATIM id, and add the facility as a fact; on an error return None, and add the reasons."""
        before = len(reading.rejections)
        values = {name: _attempt(get, cells, label, reading) for name, label, get in self._parts}
        if len(reading.rejections) > before:
            return None
        datim_id = str(values.pop("datim_id"))
        reading.facts.append(FacilityFact(key=datim_id, labels=self._labels, **values))
        return datim_id


def _remembered(columns: Columns, spec: Column, get: Getter) -> Getter:
    """A getter of one column's cells that converts each distinct cell one time, and raises for each wrong cell."""
    if spec.column is None or spec.age is not None:
        return get
    at = columns.index[spec.column]
    known: dict[object, Any] = {}

    def read(cells: Cells) -> Any:  # noqa: ANN401 - as varied as the fields
        cell = cells[at]
        try:
            return known[cell]
        except KeyError:
            value = get(cells)
        if len(known) >= MOST_REMEMBERED:
            known.clear()
        known[cell] = value
        return value

    return read


def _no_record(headings: Sequence[str], records: Sequence[Record]) -> NoRecord:
    """Recognises totals among the rows of the file, without the joined columns."""
    at = {name: place for place, name in enumerate(headings)}
    people = [name for record in records if record.patient is not None for name in record.patient.columns()]
    days = [
        name
        for record in records
        for field, spec in record.columns.items()
        if FIELDS[record.into][field].type in ("date", "datetime")
        for name in spec.columns()
    ]
    places = [sorted({at[name] for name in names if name in at}) for names in (people, days)]
    return NoRecord(headings, *places)


def _attempt(get: Getter, cells: Cells, label: str, reading: Reading) -> Any:  # noqa: ANN401 - as varied as the fields
    try:
        return get(cells)
    except BadValueError as bad:
        reading.rejections.append(Rejection(label, bad.problem, bad.remedy))
        return None


def _settle(kind: str, values: dict[str, Any], *, estimated: bool) -> None:
    """Set fields that depend on others: the sign of a result, and whether a birth date is estimated."""
    if kind == "observations" and "value_numeric" in values:
        number, sign = values["value_numeric"]
        values["value_numeric"] = number
        if sign is not None:
            values["value_text"] = sign
    if kind == "patients":
        values["birthdate_estimated"] = estimated and "birthdate" in values


def check_columns(columns: Columns, names: Iterable[str], source: Source, place: str) -> None:
    """Check that a file has these columns. The error never quotes the file's headings: they may be a person's cells.

    Raises:
        Invalid: the file lacks one of these columns.
    """
    listed = list(dict.fromkeys(names))
    absent = next((name for name in listed if name not in columns.index), None)
    if absent is None:
        return
    there = [name for name in listed if name in columns.index]
    remedy = phrase("correct the mapping, or begin the file with its line of headings; it has none of those named")
    if there:
        remedy = phrase(
            "correct the mapping, or begin the file with its line of headings; of the columns that are named it has:"
            " {listed}",
            listed=", ".join(there),
        )
    problem = phrase("it has no column {heading!r}, which {what} names", heading=absent, what=place)
    raise rejected(source.name, problem, remedy)


@contextmanager
def open_file(source: Source, file: File, needed: Sequence[str]) -> Iterator[Table]:
    """Open a file as the mapping describes it. Its headings are the first row with all required columns."""
    names = set(needed)
    with open_table(
        source,
        encoding=file.encoding,
        delimiter=file.delimiter,
        sheet=file.sheet,
        wanted=lambda headings: any(headings) and names <= set(headings),
    ) as table:
        yield table


def needed_columns(mapping: Mapping, alias: str) -> list[str]:
    """The columns of a file that its records and conditions read, without those of a joined file."""
    file = mapping.files[alias]
    names = [
        *file.where,
        *(name for record in mapping.records if record.file == alias for name in record.all_columns()),
    ]
    prefix = f"{file.join.file}." if file.join else None
    names += file.join.match if file.join else ()
    return [name for name in names if prefix is None or not name.startswith(prefix)]


def label_of(spec: Column, name: str) -> str:
    """The source's name for a field."""
    if spec.column is not None:
        return spec.column
    if spec.age is not None:
        return f"{spec.age} at {spec.at}"
    return f"{name} = {cell_text(spec.constant)}"


STAMP = FieldSpec("datetime", "when the source made or changed the row")
_SEEN = FieldSpec("date", "the day of the row")
