"""How one file's rows become facts: the mapping's records for it, compiled once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tenants.imports.facts import FACT_TYPES, FacilityFact, Fact, Reading, Rejection
from tenants.imports.fields import FIELDS, NATURAL_KEYS, FieldSpec
from tenants.imports.mapping import cell_text
from tenants.imports.reading.columns import Columns, Getter, Test, key_part
from tenants.imports.reading.csv_files import open_table
from tenants.imports.reading.sources import refused
from tenants.imports.reading.values import BadValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tenants.imports.mapping import Column, FacilityColumns, File, Mapping, Record
    from tenants.imports.reading.csv_files import Row
    from tenants.imports.reading.sources import Source

SEPARATOR = "\x1f"
ABOUT = {"patient_states": "state", "observations": "variable_name"}
DEFAULTS: dict[str, dict[str, Any]] = {
    "patients": {"transferred_in": False},
    "visits": {"visit_type": "clinical"},
    "appointments": {"status": "scheduled"},
    "dispensations": {"antiretroviral": True},
}


class FilePlan:
    """Reads the rows of one file.

    Args:
        alias: of the file in the mapping.
        headings: of the file.
        source: the file, for messages.
        mapping: the whole mapping.
        join_sources: the files that this one is joined to.

    Raises:
        Invalid: the mapping names a column that the file, or the joined one, does not have.
    """

    def __init__(
        self, alias: str, headings: Sequence[str], source: Source, mapping: Mapping, join_sources: Sequence[Source]
    ) -> None:
        file = mapping.files[alias]
        records = [record for record in mapping.records if record.file == alias]
        self.mapping, self.given, self.conditions = mapping, records, file.where
        names = [*file.where, *(name for record in records for name in record.all_columns())]
        prefix = f"{file.join.file}." if file.join else None
        joined = sorted(
            {name for name in names if prefix is not None and name.startswith(prefix) and name not in headings}
        )
        self.columns = columns = Columns([*headings, *joined], mapping)
        for name in [*names, *(file.join.match if file.join else ())]:
            if name not in columns.index:
                raise refused(
                    source.name,
                    f"it has no column {name!r}, which the mapping names",
                    f"correct the mapping (files.{alias} or its records); the file has: {', '.join(headings)}",
                )
        self._join = _JoinIndex(file, columns, joined, mapping, join_sources) if file.join else None
        self._where = columns.test(file.where)
        self._records = [_RecordPlan(record, columns, mapping) for record in records]

    @property
    def joins(self) -> bool:
        """Whether cells of another file are joined to those of a row."""
        return self._join is not None

    def joined(self, cells: Sequence[str]) -> Sequence[str] | None:
        """The cells with those joined to them; None where a row has none and must have."""
        if self._join is None:
            return cells
        found = self._join.find(cells)
        return None if found is None else [*cells, *found]

    def read(self, number: int, row: Row) -> Reading:
        """The facts of a row, or why it is refused."""
        reading = Reading(number, row.line)
        cells = self.joined(row.cells)
        if cells is None:
            if self._join is not None:
                reading.rejections.append(self._join.missing)
            return reading
        if self._where is not None and not self._where(cells):
            reading.left_out = True
            return reading
        for record in self._records:
            record.read(cells, reading)
        reading.left_out = not reading.rejections and not reading.facts
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
        label = ", ".join(join.match)
        self.missing = Rejection(
            label, f"no row of {join.file} has this key", f"add it to {join.file}, or mark the join 'optional: true'"
        )
        self._rows: dict[tuple[str | None, ...], tuple[str, ...]] = {}
        seen: dict[tuple[str, ...], tuple[str, ...]] = {}
        other = mapping.files[join.file]
        for source in sources:
            with open_table(source, encoding=other.encoding, delimiter=other.delimiter, sheet=other.sheet) as table:
                theirs = Columns(table.headings, mapping)
                wanted = [name.removeprefix(f"{join.file}.") for name in joined]
                for name in [*join.match.values(), *wanted]:
                    if name not in theirs.index:
                        remedy = f"correct the mapping; the file has: {', '.join(table.headings)}"
                        raise refused(
                            source.name, f"it has no column {name!r}, which a join of the mapping names", remedy
                        )
                keys = [theirs.raw(name) for name in join.match.values()]
                at = [theirs.index[name] for name in wanted]
                for row in table.rows:
                    if row.rejection is None:
                        found = tuple(row.cells[i] for i in at)
                        # Equal values are kept once: a column of programmes costs no more than a reference per row.
                        self._rows.setdefault(tuple(key(row.cells) for key in keys), seen.setdefault(found, found))

    def find(self, cells: Sequence[str]) -> tuple[str, ...] | None:
        """The joined columns of a row, or None where nothing has its key and something must."""
        return self._rows.get(tuple(get(cells) for get in self._gets), self._empty)


class _RecordPlan:
    """One record of the mapping, compiled for one file."""

    def __init__(self, record: Record, columns: Columns, mapping: Mapping) -> None:
        self._kind = record.into
        self._type = FACT_TYPES[record.into]
        self._when: Test | None = columns.test(record.when)
        self._patient = columns.identifier(record.patient) if record.patient else None
        self._patient_label = label_of(record.patient, "patient") if record.patient else "patient"
        self._key = [columns.raw(name) for name in record.key] if record.key else None
        fields = FIELDS[record.into]
        self._stamp_label = label_of(record.stamp, "stamp") if record.stamp else "stamp"
        self._labels = {name: label_of(spec, name) for name, spec in record.columns.items()} | {
            "stamp": self._stamp_label,
            "patient": self._patient_label,
        }
        self._fields: list[tuple[str, str, Getter]] = [
            (name, self._labels[name], columns.value(spec, fields[name])) for name, spec in record.columns.items()
        ]
        self._defaults = dict(DEFAULTS.get(record.into, {}))
        self._estimated = (
            record.into == "patients" and "birthdate" in record.columns and record.columns["birthdate"].age is not None
        )
        self._stamp = columns.value(record.stamp, STAMP) if record.stamp else None
        self._seen = columns.value(record.seen_on, _SEEN) if record.seen_on else None
        self._seen_label = label_of(record.seen_on, "seen_on") if record.seen_on else "seen_on"
        facility = record.facility or (mapping.facility if record.into == "patients" else None)
        self._facility = FacilityPlan(facility, columns) if facility else None

    def read(self, cells: Sequence[str], reading: Reading) -> None:
        """Add the record's fact to the reading, or the reasons why there is none."""
        if self._when is not None and not self._when(cells):
            return
        before = len(reading.rejections)
        attempt = _attempt
        patient = attempt(self._patient, cells, self._patient_label, reading) if self._patient else ""
        values = dict(self._defaults)
        for name, label, get in self._fields:
            value = attempt(get, cells, label, reading)
            if value is not None:
                values[name] = value
        stamp = attempt(self._stamp, cells, self._stamp_label, reading) if self._stamp else None
        facility = self._facility.read(cells, reading) if self._facility else None
        if self._seen:
            values["derived_on"] = attempt(self._seen, cells, self._seen_label, reading)
        if len(reading.rejections) > before:
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
        made: Fact = self._type(
            key=key, facility=facility, known_at=stamp, labels=self._labels, patient=patient, **values
        )  # type: ignore[call-arg]
        reading.facts.append(made)

    def _identity(self, patient: str, values: dict[str, Any], cells: Sequence[str]) -> str | None:
        if self._kind == "patients":
            return patient
        if self._key is not None:
            parts = [get(cells) for get in self._key]
            # One row may say several things of one person under one key: what it is about tells them apart.
            about = key_part(values.get(ABOUT[self._kind])) if self._kind in ABOUT else ""
            return SEPARATOR.join([patient, about, *(part or "" for part in parts)]) if any(parts) else None
        return SEPARATOR.join([patient, *(key_part(values.get(name)) for name in NATURAL_KEYS[self._kind])])


class FacilityPlan:
    """The facility of a row, which also becomes a fact; whoever stages it drops repeats."""

    def __init__(self, facility: FacilityColumns, columns: Columns) -> None:
        fields = FIELDS["facilities"]
        self._parts = [
            (name, label_of(spec, name), columns.value(spec, fields[name])) for name, spec in facility.parts().items()
        ]
        self._labels = {name: label for name, label, _ in self._parts}

    def read(self, cells: Sequence[str], reading: Reading) -> str | None:
        """The DATIM id, with the facility as a fact of the reading; None with the reasons why it cannot be told."""
        before = len(reading.rejections)
        values = {name: _attempt(get, cells, label, reading) for name, label, get in self._parts}
        if len(reading.rejections) > before:
            return None
        datim_id = str(values.pop("datim_id"))
        reading.facts.append(FacilityFact(key=datim_id, labels=self._labels, **values))
        return datim_id


def _attempt(get: Getter, cells: Sequence[str], label: str, reading: Reading) -> Any:  # noqa: ANN401 - as varied as the fields
    try:
        return get(cells)
    except BadValueError as bad:
        reading.rejections.append(Rejection(label, bad.problem, bad.remedy))
        return None


def _settle(kind: str, values: dict[str, Any], *, estimated: bool) -> None:
    """Finish what spans two fields: a censored result keeps its sign, an age makes an estimated date of birth."""
    if kind == "observations" and "value_numeric" in values:
        number, sign = values["value_numeric"]
        values["value_numeric"] = number
        if sign is not None:
            values["value_text"] = sign
    if kind == "patients":
        values["birthdate_estimated"] = estimated and "birthdate" in values


def label_of(spec: Column, name: str) -> str:
    """What the source calls a field."""
    if spec.column is not None:
        return spec.column
    if spec.age is not None:
        return f"{spec.age} at {spec.at}"
    return f"{name} = {cell_text(spec.constant)}"


STAMP = FieldSpec("datetime", "when the source made or changed the row")
_SEEN = FieldSpec("date", "the day of the row")
