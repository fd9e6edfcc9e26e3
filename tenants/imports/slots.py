"""The columns of a fact's fields in the staging table: typed, so that SQL alone moves them to the records.

Other kinds are staged as JSON (``ImportStaging.content``), and each has its own function that applies it.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column

from tenants.imports.fields import FIELDS
from tenants.records.field_spec import COLUMN_TYPES, SQL_TYPES
from tenants.records.models import Appointment, Dispensation, Encounter, Observation, PatientState, Visit

if TYPE_CHECKING:
    from tenants.records.field_spec import FieldType
    from tenants.records.models import Versioned

MODELS: dict[str, type[Versioned]] = {
    "patient_states": PatientState,
    "visits": Visit,
    "encounters": Encounter,
    "observations": Observation,
    "dispensations": Dispensation,
    "appointments": Appointment,
}

EVENT_FIELD = {
    "patient_states": "start_date",
    "visits": "date_started",
    "encounters": "encounter_datetime",
    "observations": "obs_datetime",
    "dispensations": "date_dispensed",
    "appointments": "booked_on",
}
"""The field with the time of a fact of a kind."""

_POOLS: dict[FieldType, str] = {
    "date": "date",
    "datetime": "moment",
    "integer": "whole",
    "days": "whole",
    "number": "number",
    "text": "text",
    "code": "text",
    "boolean": "flag",
}
_POOL_TYPES: dict[str, FieldType] = {pool: kind for kind, pool in _POOLS.items()}


def _slots(kind: str) -> dict[str, str]:
    taken: Counter[str] = Counter()
    slots: dict[str, str] = {}
    for name, spec in sorted(FIELDS[kind].items(), key=lambda field: field[1].added):
        pool = _POOLS[spec.type]
        taken[pool] += 1
        slots[name] = f"{pool}_{taken[pool]}"
    return slots


SLOTS: dict[str, dict[str, str]] = {kind: _slots(kind) for kind in MODELS}
"""The slot of each field, kind by kind: fields of one type take the slots of that type in the order of declaration.

A field that is ``added`` later comes after all others: rows that wait (``ImportWaitingFact``) outlive a release.
"""

_POOL_SIZES = Counter(slot.partition("_")[0] for slot in {slot for slots in SLOTS.values() for slot in slots.values()})
SLOT_TYPES: dict[str, str] = {
    f"{pool}_{number}": SQL_TYPES[kind]
    for pool, kind in _POOL_TYPES.items()
    for number in range(1, _POOL_SIZES[pool] + 1)
}
"""The slots, in the order in which rows are copied, with their PostgreSQL types: as many as the largest kind needs."""

COLUMNS = tuple(SLOT_TYPES)


def slot_columns() -> list[Column[Any]]:
    """The slots as columns of a table."""
    return [Column(slot, COLUMN_TYPES[_POOL_TYPES[slot.partition("_")[0]]], nullable=True) for slot in COLUMNS]


@cache
def fields_in_order(kind: str) -> tuple[str | None, ...]:
    """Return the field of a kind that each of ``COLUMNS`` stores; None for a column that the kind does not use."""
    fields = {slot: field for field, slot in SLOTS[kind].items()}
    return tuple(fields.get(slot) for slot in COLUMNS)
