"""Facts of events as columns, in the form of tables that are read as columns: each distinct value is encoded once."""

from __future__ import annotations

from datetime import UTC, date, datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from core.database import binary_copy
from tenants.imports.facts import PatientBound
from tenants.imports.reading import joined_columns
from tenants.imports.reading.blocks import Events, RecordNames
from tenants.imports.reading.cells import ABSENT, Cell
from tenants.imports.slots import EVENT_FIELD, MODELS, SLOT_TYPES, SLOTS
from tenants.imports.staging.likeness import folded
from tenants.records.upsert_stage import shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from zoneinfo import ZoneInfo

    from tenants.imports.facts import Fact, Reading


class PlacedFact(NamedTuple):
    """A fact and its place.

    Attributes:
        seq: its number among the import's facts.
        state: its staged state.
    """

    seq: int
    reading: Reading
    fact: Fact
    state: str = "accepted"


class _ValueEncoder(dict[Any, Any]):
    """Encodes values, each distinct one once."""

    def __init__(self, encode: Callable[[Any], Any]) -> None:
        super().__init__()
        self._encode = encode

    def __missing__(self, value: Any) -> Any:  # noqa: ANN401 - as varied as the fields
        encoded = self[value] = self._encode(value)
        return encoded


class FactColumns:
    """Makes columns of facts.

    Args:
        zone: the time zone of times without one.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._cells: dict[str, dict[str, _ValueEncoder]] = {}
        self._days = _ValueEncoder(lambda value: binary_copy.field("date", value))
        self._stamps = _ValueEncoder(lambda value: binary_copy.field("timestamptz", value and self.zoned(value)))

    def zoned(self, moment: datetime) -> datetime:
        """A time in UTC."""
        return (moment if moment.tzinfo else moment.replace(tzinfo=self._zone)).astimezone(UTC)

    def events(self, facts: Iterable[PlacedFact]) -> list[tuple[Events, list[int]]]:
        """Facts of kinds with columns of their own, kind by kind, and their numbers."""
        groups: dict[tuple[object, ...], list[PlacedFact]] = {}
        names: dict[tuple[str, int], tuple[str, str]] = {}
        for one in facts:
            fact = one.fact
            kind = fact.kind
            if (labels := names.get((kind, id(fact.labels)))) is None:
                labels = names[kind, id(fact.labels)] = fact.label("patient"), fact.label(EVENT_FIELD[kind])
            place = named_place(fact, one.reading)
            groups.setdefault((one.reading.file, fact.voided, kind, *labels, place), []).append(one)
        return [(self._columns(placed), [one.seq for one in placed]) for placed in groups.values()]

    def _columns(self, placed: Sequence[PlacedFact]) -> Events:
        reading, facts = placed[0].reading, [one.fact for one in placed]
        first, count = facts[0], len(facts)
        kind, voided = first.kind, first.voided
        cells = self._cells.get(kind) or self._cells.setdefault(kind, self._encoders(kind))
        fields = {name: list(map(cells[name].__getitem__, map(attrgetter(name), facts))) for name in SLOTS[kind]}
        # An event that did not happen has no day to check.
        days = [binary_copy.NULL] * count if voided else [self._days[fact.event_date()] for fact in facts]
        bound: list[PatientBound] = facts  # type: ignore[assignment]  # kinds with columns are of patients
        facilities = [fact.facility for fact in facts]
        return Events(
            RecordNames(kind, first.label("patient"), first.label(EVENT_FIELD[kind])),
            reading.file,
            [],
            [one.reading.line for one in placed],
            [fact.patient for fact in bound],
            [fact.key for fact in facts],
            joined_columns.fingerprint_parts(kind, fields, count),
            days,
            [self._stamps[fact.known_at] for fact in facts] if any(fact.known_at for fact in facts) else None,
            joined_columns.content(kind, fields, count),
            facilities if any(facilities) else None,
            voided=voided,
            facility_name=named_place(first, reading),
        )

    def _encoders(self, kind: str) -> dict[str, _ValueEncoder]:
        form = shape(MODELS[kind])
        convert = {form.columns[at]: bring for at, bring in form.convert}
        defaults = {form.columns[at]: default for at, default in form.defaults}
        return {
            name: _ValueEncoder(self._encoder(SLOT_TYPES[slot], convert.get(name), defaults.get(name)))
            for name, slot in SLOTS[kind].items()
        }

    def _encoder(
        self, type_name: str, convert: Callable[[Any], object] | None, default: object
    ) -> Callable[[Any], Cell]:
        def encode(value: Any) -> Cell:  # noqa: ANN401 - as varied as the fields
            if value is None:
                # A column that is never empty enters the fingerprint with its default.
                return ABSENT if default is None else ABSENT._replace(json=orjson.dumps(default))
            zoned = self.zoned(value) if isinstance(value, datetime) else value
            zoned = convert(zoned) if convert is not None else zoned
            return Cell(zoned, binary_copy.field(type_name, zoned), orjson.dumps(zoned), "", binary_copy.NULL)

        return encode


def named_place(fact: Fact, reading: Reading) -> str | None:
    """The row's name for the facility of an event without a DATIM id, without case, spaces and punctuation."""
    if fact.facility is not None or not reading.facility_name or not isinstance(fact, PatientBound):
        return None
    return folded(reading.facility_name) or None


def day_of(fact: Fact) -> date | None:
    """The day to check of a fact; an event that did not happen has none."""
    return None if fact.voided else fact.event_date()
