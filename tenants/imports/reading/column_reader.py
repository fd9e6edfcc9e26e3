"""Read rows of a file as columns: each distinct cell is converted once, by the functions that read single rows.

This is the fast path for mapped tables whose records are all events. It reads rows without faults, and leaves every
other row to the careful path (``plans.FilePlan.read``), which reports what is wrong with the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import compress, repeat
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson

from core.database import binary_copy
from tenants.imports.facts import FacilityFact, Reading
from tenants.imports.fields import FIELDS, NATURAL_KEYS
from tenants.imports.plausibility import judged
from tenants.imports.reading import joined_columns
from tenants.imports.reading.blocks import Events, RecordNames
from tenants.imports.reading.cells import ABSENT, ODD, Cell, odd_rows, odd_value
from tenants.imports.reading.columns import Cells, Columns, Getter, key_part
from tenants.imports.reading.plans import ABOUT, DEFAULTS, SEPARATOR, STAMP, FacilityPlan, FilePlan, label_of
from tenants.imports.reading.values import BadValueError
from tenants.imports.slots import EVENT_FIELD, SLOT_TYPES, SLOTS

if TYPE_CHECKING:
    from tenants.imports.mapping import Record
    from tenants.imports.reading.blocks import Block

MOST_CACHED = 100_000
"""Number of distinct cells of a column that are cached; further cells are converted each time."""


class ColumnConverter(dict[Any, Any]):
    """Converts the cells of one column, or tuples of cells of several columns. Each distinct one is converted once.

    Attributes:
        odd: whether any converted value was ``ODD``.
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
            value = self._finish(self._get(cells))
        except BadValueError:
            value = ODD
        if value is ODD:
            self.odd = True
        if len(self) < MOST_CACHED:
            self[key] = value
        return value

    def column(self, columns: Sequence[Sequence[str]], count: int) -> list[Any]:
        """The converted cells, row by row."""
        if not self._at:
            return [self[()]] * count
        if len(self._at) == 1:
            return list(map(self.__getitem__, columns[self._at[0]]))
        return list(map(self.__getitem__, zip(*(columns[at] for at in self._at), strict=True)))


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
        self._patient = _converted(columns, patient.columns(), columns.identifier(patient), lambda cell: cell)
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
            [_converted(columns, [name], columns.raw(name), lambda cell: cell or "") for name in record.key]
            if record.key
            else None
        )
        self._facility = self._facilities(record, columns) if record.facility else None

    def _facilities(self, record: Record, columns: Columns) -> ColumnConverter:
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

        return _converted(columns, names, read, lambda cell: cell)

    def _finisher(self, name: str) -> Callable[[Any], Cell]:
        """A function from a value to a ``Cell``. A day after the data date is odd, unless the field allows it."""
        slot = self.slots[name]
        kind = SLOT_TYPES[slot]
        past = name == EVENT_FIELD[self.kind]

        def finish(value: Any) -> Cell:  # noqa: ANN401 - as varied as the fields
            if value is None:
                return ABSENT
            if isinstance(value, tuple):
                value, sign = value
                return Cell(
                    (value, sign),
                    binary_copy.field(kind, value),
                    orjson.dumps(value),
                    key_part(value),
                    binary_copy.NULL,
                )
            day = value.date() if isinstance(value, datetime) else value
            if odd_value(self.kind, name, value, self._data_date):
                return ODD
            zoned = self._zoned(value) if isinstance(value, datetime) else value
            happened = binary_copy.field("date", day) if past else binary_copy.NULL
            return Cell(zoned, binary_copy.field(kind, zoned), orjson.dumps(zoned), key_part(value), happened)

        return finish

    def _stamped(self, value: datetime | None) -> Cell:
        if value is None:
            return ABSENT
        if value.date() > self._latest_stamp:
            return ODD
        zoned = self._zoned(value)
        return Cell(zoned, binary_copy.field("timestamptz", zoned), b"", "", binary_copy.NULL)

    def _zoned(self, moment: datetime) -> datetime:
        return (moment if moment.tzinfo else moment.replace(tzinfo=self._zone)).astimezone(UTC)

    def read(self, columns: Sequence[Sequence[str]], count: int, odd: set[int]) -> _RecordBlock:
        """Convert the columns, and add the places of odd rows to ``odd``."""
        applies = None if self.when is None else self.when.column(columns, count)
        if self.when is not None and self.when.odd and applies is not None:
            odd.update(at for at, cell in enumerate(applies) if cell is ODD)
        columns_read = _RecordBlock(
            applies,
            self._patient.column(columns, count),
            {name: cells.column(columns, count) for name, cells in self._fields.items()},
            self._stamp.column(columns, count) if self._stamp is not None else None,
            [part.column(columns, count) for part in self._key] if self._key is not None else None,
            self._facility.column(columns, count) if self._facility is not None else None,
        )
        for name, instead in self._else.items():
            columns_read.fields[name] = [instead if cell is ABSENT else cell for cell in columns_read.fields[name]]
        for converted, column in (
            *zip(self._key or (), columns_read.keys or (), strict=True),
            (self._patient, columns_read.patients),
            *((self._fields[name], columns_read.fields[name]) for name in self._fields),
            *(
                [(self._stamp, columns_read.stamps)]
                if self._stamp is not None and columns_read.stamps is not None
                else ()
            ),
            *(
                [(self._facility, columns_read.facilities)]
                if self._facility is not None and columns_read.facilities is not None
                else ()
            ),
        ):
            if converted.odd:
                odd.update(_applied((at for at, cell in enumerate(column) if cell is ODD), applies))
        odd.update(_applied(odd_rows(self.kind, columns_read.fields, self._data_date), applies))
        if columns_read.keys is not None:
            odd.update(
                _applied(
                    (at for at, parts in enumerate(zip(*columns_read.keys, strict=True)) if not any(parts)), applies
                )
            )
        return columns_read

    def events(self, columns_read: _RecordBlock, file: int, count: int, odd: set[int]) -> Events:
        """The events of the rows that are not odd and that the record applies to."""
        applies = columns_read.applies
        rows: Sequence[int] = range(count)
        if odd or applies is not None:
            rows = [at for at in rows if at not in odd and (applies is None or applies[at])]

        def of_valid_rows(column: list[Any]) -> list[Any]:
            return column if len(rows) == count else [column[at] for at in rows]

        fields = {name: of_valid_rows(cells) for name, cells in columns_read.fields.items()}
        fields |= {name: [cell] * len(rows) for name, cell in self._defaults.items()}
        if self.kind == "observations" and "value_numeric" in fields:
            _settle_signs(fields, len(rows))
        patients = of_valid_rows(columns_read.patients)
        if columns_read.keys is not None:
            about = _keys_of(fields.get(ABOUT[self.kind]), len(rows)) if self.kind in ABOUT else repeat("", len(rows))
            parts: list[Iterable[str]] = [patients, about, *map(of_valid_rows, columns_read.keys)]
        else:
            parts = [patients, *(_keys_of(fields.get(name), len(rows)) for name in NATURAL_KEYS[self.kind])]
        facts = of_valid_rows(columns_read.facilities) if columns_read.facilities is not None else None
        named: dict[int, tuple[int, int, FacilityFact]] = {}
        if facts is not None:
            for at, fact in zip(rows, facts, strict=True):
                named.setdefault(id(fact), (at, at, fact))
        return Events(
            self.names,
            file,
            rows,
            rows,
            patients,
            list(map(SEPARATOR.join, zip(*parts, strict=True))),
            joined_columns.fingerprint_parts(self.kind, fields, len(rows)),
            joined_columns.days(fields.get(EVENT_FIELD[self.kind]) or [ABSENT] * len(rows)),
            joined_columns.fields(of_valid_rows(columns_read.stamps)) if columns_read.stamps is not None else None,
            joined_columns.content(self.kind, fields, len(rows)),
            [fact.key for fact in facts] if facts is not None else None,
            list(named.values()),
        )


@dataclass(slots=True)
class _RecordBlock:
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
        self._no_record = plan.no_record
        self._records = [RecordColumns(record, plan.columns, data_date, today, zone) for record in plan.records]

    @staticmethod
    def can_read(plan: FilePlan) -> bool:
        """Whether all records of the file are events."""
        return all(record.into in SLOTS for record in plan.records)

    def read(
        self, block: Block, lines: Sequence[int], rows: Sequence[Cells], careful: Callable[[int], Reading]
    ) -> None:
        """Add the facts of its rows to the block.

        Args:
            block: the block; it already has the readings of rows that are known to be odd.
            lines: the line of each row.
            rows: the cells of each row, by its place in the block; rows that are known to be odd are skipped.
            careful: reads one row by itself, by its place.
        """
        places: Sequence[int] = range(len(rows))
        if block.readings:
            known = {at for at, _ in block.readings}
            places = [at for at in places if at not in known]
        if not places:
            return
        chosen: Sequence[Cells] = rows if len(places) == len(rows) else [rows[at] for at in places]
        count = len(chosen)
        odd = {at for at, cells in enumerate(chosen) if self._no_record(cells)}
        columns = list(zip(*chosen, strict=True))
        if self._where is not None:
            conditions = self._where.column(columns, count)
            if self._where.odd or not all(conditions):
                odd_places = [at for at, holds in enumerate(conditions) if holds is ODD or at in odd]
                block.left_out += sum(holds is False and at not in odd for at, holds in enumerate(conditions))
                block.readings += [(places[at], careful(places[at])) for at in odd_places]
                taken = [holds is True and at not in odd for at, holds in enumerate(conditions)]
                places, columns = list(compress(places, taken)), [tuple(compress(column, taken)) for column in columns]
                count, odd = len(places), set()
        records_read = [record.read(columns, count, odd) for record in self._records]
        if all(record_read.applies is not None for record_read in records_read):
            silent = [
                at
                for at in range(count)
                if at not in odd
                and not any(record_read.applies[at] for record_read in records_read if record_read.applies)
            ]
            block.left_out += len(silent)
            block.by_column -= len(silent)
        block.by_column += count - len(odd)
        for record, record_read in zip(self._records, records_read, strict=True):
            events = record.events(record_read, block.file, count, odd)
            events.rows = [places[at] for at in events.rows]
            events.lines = [lines[at] for at in events.rows]
            events.named = [(places[at], lines[places[at]], fact) for at, _, fact in events.named]
            block.events.append(events)
        block.readings += [(places[at], careful(places[at])) for at in sorted(odd)]


def _converted(columns: Columns, names: Sequence[str], get: Getter, finish: Callable[[Any], Any]) -> ColumnConverter:
    return ColumnConverter([columns.index[name] for name in dict.fromkeys(names)], get, finish)


def _tested(columns: Columns, conditions: Mapping[str, Any]) -> ColumnConverter | None:
    test = columns.test(dict(conditions))
    return None if test is None else _converted(columns, list(conditions), test, bool)


def _applied(places: Iterable[int], applies: list[bool] | None) -> Iterable[int]:
    return places if applies is None else (at for at in places if applies[at])


def _keys_of(cells: list[Cell] | None, count: int) -> Iterable[str]:
    return repeat("", count) if cells is None else [cell.key for cell in cells]


def _settle_signs(fields: dict[str, list[Cell]], count: int) -> None:
    """Store the sign (``<`` or ``>``) of results below or above a limit as their text value."""
    texts = fields.get("value_text") or [ABSENT] * count
    fields["value_text"] = [
        Cell(sign, binary_copy.field("text", sign), orjson.dumps(sign), sign, binary_copy.NULL)
        if cell.value is not None and (sign := cell.value[1]) is not None
        else text_cell
        for cell, text_cell in zip(fields["value_numeric"], texts, strict=True)
    ]
