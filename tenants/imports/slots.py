"""Where the fields of a fact lie in the staging table: typed columns, so that SQL alone brings them to the records.

Kinds that are not here are staged as JSON (``ImportStaging.content``) and applied by a function of their own.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from tenants.records.models import Appointment, Dispensation, Encounter, Observation, PatientState, Visit

if TYPE_CHECKING:
    from tenants.records.models import Versioned

MODELS: dict[str, type[Versioned]] = {
    "patient_states": PatientState,
    "visits": Visit,
    "encounters": Encounter,
    "observations": Observation,
    "dispensations": Dispensation,
    "appointments": Appointment,
}

SLOTS: dict[str, dict[str, str]] = {
    "patient_states": {"state": "text_1", "start_date": "date_1", "reason": "text_2"},
    "visits": {
        "date_started": "date_1",
        "date_stopped": "date_2",
        "visit_type": "text_1",
        "next_appointment": "date_3",
    },
    "encounters": {"encounter_datetime": "moment_1", "encounter_type": "text_1", "form": "text_2"},
    "observations": {
        "obs_datetime": "moment_1",
        "variable_name": "text_1",
        "concept_id": "whole_1",
        "value_numeric": "number_1",
        "value_text": "text_2",
        "value_coded": "text_3",
        "value_datetime": "moment_2",
        "unit": "text_4",
    },
    "dispensations": {
        "date_dispensed": "date_1",
        "days_supplied": "whole_1",
        "regimen": "text_1",
        "regimen_line": "text_2",
        "next_appointment": "date_3",
        "dsd_model": "text_3",
        "antiretroviral": "flag_1",
    },
    "appointments": {"booked_on": "date_1", "due_date": "date_2", "status": "text_1"},
}

EVENT_FIELD = {
    "patient_states": "start_date",
    "visits": "date_started",
    "encounters": "encounter_datetime",
    "observations": "obs_datetime",
    "dispensations": "date_dispensed",
    "appointments": "booked_on",
}
"""The field that says when a fact of a kind happened."""

SLOT_TYPES: dict[str, str] = {
    "date_1": "date",
    "date_2": "date",
    "date_3": "date",
    "moment_1": "timestamptz",
    "moment_2": "timestamptz",
    "whole_1": "int4",
    "number_1": "float8",
    "text_1": "text",
    "text_2": "text",
    "text_3": "text",
    "text_4": "text",
    "flag_1": "bool",
}
"""The columns, in the order in which rows are copied, with their PostgreSQL types."""

COLUMNS = tuple(SLOT_TYPES)


@cache
def fields_in_order(kind: str) -> tuple[str | None, ...]:
    """The field that each of ``COLUMNS`` holds for a kind; None where it holds none."""
    fields = {slot: field for field, slot in SLOTS[kind].items()}
    return tuple(fields.get(slot) for slot in COLUMNS)
