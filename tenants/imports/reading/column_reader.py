"""Rows of a file as columns: each distinct cell is converted once, by the functions that read single rows.

This is the fast way for files whose records are all events. It takes rows with which nothing is wrong; every other row
is left to the careful way (``plans.FilePlan.read`` and ``staged.Stager``), which says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import compress, repeat
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson

from tenants.imports import copy_format
from tenants.imports.facts import FacilityFact, Reading
from tenants.imports.fields import FIELDS, NATURAL_KEYS
from tenants.imports.plausibility import judged
from tenants.imports.reading import joined_columns
from tenants.imports.reading.cells import ABSENT, ODD, Cell, odd_rows, odd_value
from tenants.imports.reading.columns import Columns, Getter, key_part
from tenants.imports.reading.plans import ABOUT, DEFAULTS, SEPARATOR, STAMP, FacilityPlan, FilePlan, label_of
from tenants.imports.reading.values import BadValueError
from tenants.imports.slots import EVENT_FIELD, SLOT_TYPES, SLOTS

if TYPE_CHECKING:
    from core.privacy import BlindIndexes
    from tenants.imports.mapping import Record

MOST_CACHED = 100_000
"""Distinct cells of a column that are kept; beyond, each is converted anew."""


class Converted(dict[Any, Any]):
    """What the cells of one column, or the tuples of several, become; each distinct one is converted once.

    Attributes:
        odd: whether any was ``ODD``.
    """

    def __init__(self, at: Sequence[int], get: Getter, finish: Callable[[Any], Any]) -> None:
        super().__init__()
        self._at = tuple(at)
        self._get = get
        self._finish = finish
        self.odd = False

    def __missing__(self, key: Any) -> Any:  # noqa: ANN401 - a cell, or a tuple of cells
        cells: Any = {self._at[0]: key} if len(self._at) == 1 else dict(zip(self._at, key, strict=True))
        try:
            found = self._finish(self._get(cells))
        except BadValueError:
            found = ODD
        if found is ODD:
            self.odd = True
        if len(self) < MOST_CACHED:
            self[key] = found
        return found

    def column(self, columns: Sequence[Sequence[str]], count: int) -> list[Any]:
        """Row by row, what its cells become."""
        if not self._at:
            return [self[()]] * count
        if len(self._at) == 1:
            return list(map(self.__getitem__, columns[self._at[0]]))
        return list(map(self.__getitem__, zip(*(columns[at] for at in self._at), strict=True)))


@dataclass(frozen=True, slots=True)
class RecordNames:
    """A record of the mapping: its kind, and what the source calls the patient's identifier and the day."""

    kind: str
    patient_label: str
    label: str


@dataclass(slots=True)
class Events:
    """Rows of one record: what each says, column by column, and in which row of the block it stands.

    Attributes:
        patients: the source's identifiers; ``keys``, the facts' keys.
        blind: the blind indexes of the keys, once ``make_blind`` has made them of ``keys``, which are then gone.
        said: what the fingerprints are made of, without the patients.
        days: on which they happened, ``stamps``, since when they are known, and ``content``, the fields that the kind
            fills, each as COPY takes it.
        facilities: DATIM ids, or None where each row's is its patient's.
        named: the facilities as facts, with the row that names them first.
    """

    record: RecordNames
    rows: Sequence[int]
    patients: list[str]
    keys: list[str]
    said: list[bytes]
    days: list[bytes]
    stamps: list[bytes] | None
    content: list[bytes]
    facilities: list[str] | None
    named: list[tuple[int, FacilityFact]]
    blind: list[bytes] = field(default_factory=list)

    def make_blind(self, maker: BlindIndexes) -> None:
        """Make the blind indexes of the keys."""
        self.blind, self.keys = maker.of(f"source:{self.record.kind}", self.keys), []


@dataclass(slots=True)
class Block:
    """Consecutive rows of a file.

    Attributes:
        lines: of the rows, each of which is in one of the three parts that follow.
        events: rows read the fast way, record by record.
        odd: rows read the careful way, by their place among ``lines``.
        left_out: how many the mapping leaves out.
        last: the line of the last row.
    """

    file: int
    lines: Sequence[int]
    last: int
    events: list[Events] = field(default_factory=list)
    odd: list[tuple[int, Reading]] = field(default_factory=list)
    left_out: int = 0

    @property
    def read_fast(self) -> int:
        """Rows that say something and went the fast way."""
        return len(self.lines) - len(self.odd) - self.left_out


class RecordColumns:
    """One record of the mapping, compiled to read columns."""

    def __init__(self, record: Record, columns: Columns, data_date: date, today: date, zone: ZoneInfo) -> None:
        self.kind = record.into
        self._data_date, self._zone = data_date, zone
        self._latest_stamp = today + timedelta(days=1)
        fields = FIELDS[record.into]
        self.slots = SLOTS[record.into]
        self.when = _tested(columns, record.when)
        patient = record.patient
        if patient is None:
            message = "an event has a patient"
            raise ValueError(message)
        self._patient = _converted(columns, patient.columns(), columns.identifier(patient), lambda found: found)
        self._fields = {
            name: _converted(columns, spec.columns(), columns.value(spec, fields[name]), self._finisher(name))
            for name, spec in record.columns.items()
        }
        day = EVENT_FIELD[record.into]
        label = label_of(record.columns[day], day) if day in record.columns else day
        self.names = RecordNames(record.into, label_of(patient, "patient"), label)
        self._defaults = {
            name: self._finisher(name)(value)
            for name, value in DEFAULTS.get(record.into, {}).items()
            if name not in self._fields
        }
        self._else = {
            name: self._finisher(name)(value)
            for name, value in DEFAULTS.get(record.into, {}).items()
            if name in self._fields
        }
        self._stamp = (
            _converted(columns, record.stamp.columns(), columns.value(record.stamp, STAMP), self._stamped)
            if record.stamp
            else None
        )
        self._key = (
            [_converted(columns, [name], columns.raw(name), lambda found: found or "") for name in record.key]
            if record.key
            else None
        )
        self._facility = self._facilities(record, columns) if record.facility else None

    def _facilities(self, record: Record, columns: Columns) -> Converted:
        if record.facility is None:
            message = "the record has a facility"
            raise ValueError(message)
        plan = FacilityPlan(record.facility, columns)
        names = sorted({name for spec in record.facility.parts().values() for name in spec.columns()})

        def read(cells: Any) -> Any:  # noqa: ANN401 - cells by their place
            reading = Reading(0, 0)
            plan.read(cells, reading)
            if reading.rejections or judged(reading.facts[0], self._data_date, self._data_date).wrong:
                return ODD
            return reading.facts[0]

        return _converted(columns, names, read, lambda found: found)

    def _finisher(self, name: str) -> Callable[[Any], Cell]:
        """From a value to a cell; what lies after the data date is odd, where the field may not."""
        slot = self.slots[name]
        kind = SLOT_TYPES[slot]
        past = slot in ("date_1", "moment_1")

        def finish(value: Any) -> Cell:  # noqa: ANN401 - as varied as the fields
            if value is None:
                return ABSENT
            if isinstance(value, tuple):
                value, sign = value
                return Cell(
                    (value, sign),
                    copy_format.field(kind, value),
                    orjson.dumps(value),
                    key_part(value),
                    copy_format.NULL,
                )
            day = value.date() if isinstance(value, datetime) else value
            if odd_value(self.kind, name, value, self._data_date):
                return ODD
            kept = self._zoned(value) if isinstance(value, datetime) else value
            happened = copy_format.field("date", day) if past else copy_format.NULL
            return Cell(kept, copy_format.field(kind, kept), orjson.dumps(kept), key_part(value), happened)

        return finish

    def _stamped(self, value: datetime | None) -> Cell:
        if value is None:
            return ABSENT
        if value.date() > self._latest_stamp:
            return ODD
        kept = self._zoned(value)
        return Cell(kept, copy_format.field("timestamptz", kept), b"", "", copy_format.NULL)

    def _zoned(self, moment: datetime) -> datetime:
        return (moment if moment.tzinfo else moment.replace(tzinfo=self._zone)).astimezone(UTC)

    def read(self, columns: Sequence[Sequence[str]], count: int, odd: set[int]) -> _Read:
        """Convert the columns; places of odd rows are added to ``odd``."""
        applies = None if self.when is None else self.when.column(columns, count)
        found = _Read(
            applies,
            self._patient.column(columns, count),
            {name: cells.column(columns, count) for name, cells in self._fields.items()},
            self._stamp.column(columns, count) if self._stamp is not None else None,
            [part.column(columns, count) for part in self._key] if self._key is not None else None,
            self._facility.column(columns, count) if self._facility is not None else None,
        )
        for name, instead in self._else.items():
            found.fields[name] = [instead if cell is ABSENT else cell for cell in found.fields[name]]
        for converted, column in (
            (self._patient, found.patients),
            *((self._fields[name], found.fields[name]) for name in self._fields),
            *([(self._stamp, found.stamps)] if self._stamp is not None and found.stamps is not None else ()),
            *(
                [(self._facility, found.facilities)]
                if self._facility is not None and found.facilities is not None
                else ()
            ),
        ):
            if converted.odd:
                odd.update(_applied((at for at, cell in enumerate(column) if cell is ODD), applies))
        odd.update(_applied(odd_rows(self.kind, found.fields, self._data_date), applies))
        if found.keys is not None:
            odd.update(
                _applied((at for at, parts in enumerate(zip(*found.keys, strict=True)) if not any(parts)), applies)
            )
        return found

    def events(self, found: _Read, count: int, odd: set[int]) -> Events:
        """What the rows say that are not odd and that the record applies to."""
        applies = found.applies
        rows: Sequence[int] = range(count)
        if odd or applies is not None:
            rows = [at for at in rows if at not in odd and (applies is None or applies[at])]

        def kept(column: list[Any]) -> list[Any]:
            return column if len(rows) == count else [column[at] for at in rows]

        fields = {name: kept(cells) for name, cells in found.fields.items()}
        fields |= {name: [cell] * len(rows) for name, cell in self._defaults.items()}
        if self.kind == "observations" and "value_numeric" in fields:
            _settle_signs(fields, len(rows))
        patients = kept(found.patients)
        if found.keys is not None:
            about = _keys_of(fields.get(ABOUT[self.kind]), len(rows)) if self.kind in ABOUT else repeat("", len(rows))
            parts: list[Iterable[str]] = [patients, about, *map(kept, found.keys)]
        else:
            parts = [patients, *(_keys_of(fields.get(name), len(rows)) for name in NATURAL_KEYS[self.kind])]
        facts = kept(found.facilities) if found.facilities is not None else None
        named: dict[int, tuple[int, FacilityFact]] = {}
        if facts is not None:
            for at, fact in zip(rows, facts, strict=True):
                named.setdefault(id(fact), (at, fact))
        return Events(
            self.names,
            rows,
            patients,
            list(map(SEPARATOR.join, zip(*parts, strict=True))),
            joined_columns.said(self.kind, fields, len(rows)),
            joined_columns.days(fields.get(EVENT_FIELD[self.kind]) or [ABSENT] * len(rows)),
            joined_columns.fields(kept(found.stamps)) if found.stamps is not None else None,
            joined_columns.content(self.kind, fields, len(rows)),
            [fact.key for fact in facts] if facts is not None else None,
            list(named.values()),
        )


@dataclass(slots=True)
class _Read:
    """A record's columns over a whole block, odd rows among them."""

    applies: list[bool] | None
    patients: list[Any]
    fields: dict[str, list[Any]]
    stamps: list[Any] | None
    keys: list[list[str]] | None
    facilities: list[Any] | None


class FileColumns:
    """All records of one file, compiled to read blocks of rows."""

    def __init__(self, plan: FilePlan, data_date: date, today: date, zone: ZoneInfo) -> None:
        self._where = _tested(plan.columns, plan.conditions)
        self._records = [RecordColumns(record, plan.columns, data_date, today, zone) for record in plan.given]

    @staticmethod
    def can_read(plan: FilePlan) -> bool:
        """Whether all records of the file are events."""
        return all(record.into in SLOTS for record in plan.given)

    def read(self, block: Block, rows: Sequence[Sequence[str]], careful: Callable[[int], Reading]) -> None:
        """Add to the block what its rows say.

        Args:
            block: with its lines; rows that are odd already are in it.
            rows: cells, by their place in the block; those of rows that are odd already are not looked at.
            careful: reads the row at a place one by one.
        """
        places: Sequence[int] = range(len(rows))
        if block.odd:
            known = {at for at, _ in block.odd}
            places = [at for at in places if at not in known]
        if not places:
            return
        chosen: Sequence[Sequence[str]] = rows if len(places) == len(rows) else [rows[at] for at in places]
        columns = list(zip(*chosen, strict=True))
        count = len(chosen)
        odd: set[int] = set()
        if self._where is not None:
            held = self._where.column(columns, count)
            block.left_out += held.count(False)
            if not all(held):
                places, columns = list(compress(places, held)), [tuple(compress(column, held)) for column in columns]
                count = len(places)
        found = [record.read(columns, count, odd) for record in self._records]
        if all(one.applies is not None for one in found):
            silent = [
                at for at in range(count) if at not in odd and not any(one.applies[at] for one in found if one.applies)
            ]
            block.left_out += len(silent)
        for record, one in zip(self._records, found, strict=True):
            events = record.events(one, count, odd)
            events.rows = [places[at] for at in events.rows]
            events.named = [(places[at], fact) for at, fact in events.named]
            block.events.append(events)
        block.odd += [(places[at], careful(places[at])) for at in sorted(odd)]


def _converted(columns: Columns, names: Sequence[str], get: Getter, finish: Callable[[Any], Any]) -> Converted:
    return Converted([columns.index[name] for name in dict.fromkeys(names)], get, finish)


def _tested(columns: Columns, conditions: Mapping[str, Any]) -> Converted | None:
    test = columns.test(dict(conditions))
    return None if test is None else _converted(columns, list(conditions), test, bool)


def _applied(places: Iterable[int], applies: list[bool] | None) -> Iterable[int]:
    return places if applies is None else (at for at in places if applies[at])


def _keys_of(cells: list[Cell] | None, count: int) -> Iterable[str]:
    return repeat("", count) if cells is None else [cell.key for cell in cells]


def _settle_signs(fields: dict[str, list[Cell]], count: int) -> None:
    """A censored result keeps its sign as its text."""
    texts = fields.get("value_text") or [ABSENT] * count
    fields["value_text"] = [
        Cell(sign, copy_format.field("text", sign), orjson.dumps(sign), sign, copy_format.NULL)
        if cell.value is not None and (sign := cell.value[1]) is not None
        else said
        for cell, said in zip(fields["value_numeric"], texts, strict=True)
    ]
