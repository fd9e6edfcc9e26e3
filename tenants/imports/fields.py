"""The fields that a mapping may fill, kind by kind: their type, whether they are needed, and the codes they take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FieldType = Literal["text", "code", "date", "datetime", "integer", "days", "number", "boolean"]

SNAPSHOT_STATUSES = ("active", "active_restart", "iit", "stopped", "died", "transferred_out", "invalid", "unknown")
STATES = ("died", "transferred_out", "transferred_in", "stopped", "invalid")
STATUSES = ("scheduled", "kept", "missed", "cancelled")
VISIT_TYPES = ("clinical", "pharmacy", "laboratory")
SEXES = ("F", "M")


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of a kind of fact.

    Attributes:
        type: how its text is read.
        required: whether a row without it is refused.
        codes: the only values it takes, or empty for any.
        personal: whether it is kept encrypted.
        identifier: whether it is a code, which a spreadsheet may have made a date or a number of.
        description: one line, with the unit.
    """

    type: FieldType
    description: str
    required: bool = False
    codes: tuple[str, ...] = ()
    personal: bool = False
    identifier: bool = False


FIELDS: dict[str, dict[str, FieldSpec]] = {
    "facilities": {
        "datim_id": FieldSpec("text", "DATIM id of the facility", required=True, identifier=True),
        "name": FieldSpec("text", "its name"),
        "state_province": FieldSpec("text", "state or province"),
        "county_district": FieldSpec("text", "local government area or district"),
    },
    "patients": {
        "pepfar_id": FieldSpec("text", "programme (PEPFAR) identifier", personal=True, identifier=True),
        "hospital_number": FieldSpec("text", "hospital number", personal=True, identifier=True),
        "given_name": FieldSpec("text", "given name", personal=True),
        "family_name": FieldSpec("text", "family name", personal=True),
        "phone": FieldSpec("text", "telephone number", personal=True, identifier=True),
        "sex": FieldSpec("code", "sex", codes=SEXES),
        "birthdate": FieldSpec("date", "date of birth, or an age at a date (estimated)"),
        "state_province": FieldSpec("text", "state or province of residence"),
        "county_district": FieldSpec("text", "local government area of residence"),
        "city_village": FieldSpec("text", "city or village of residence"),
        "art_start_date": FieldSpec("date", "first day of antiretroviral treatment"),
        "transferred_in": FieldSpec("boolean", "came from another facility, already on treatment"),
        "case_manager": FieldSpec("text", "the case manager's code or name in the source"),
    },
    "patient_states": {
        "state": FieldSpec("code", "what became of the person", required=True, codes=STATES),
        "start_date": FieldSpec("date", "the day from which it holds; empty where it is not known"),
        "reason": FieldSpec("text", "why, as the source says it"),
    },
    "visits": {
        "date_started": FieldSpec("date", "day of the visit", required=True),
        "date_stopped": FieldSpec("date", "last day of the visit"),
        "visit_type": FieldSpec("code", "kind of visit; clinical where not given", codes=VISIT_TYPES),
        "next_appointment": FieldSpec("date", "the date given for the next visit"),
    },
    "encounters": {
        "encounter_datetime": FieldSpec("datetime", "when", required=True),
        "encounter_type": FieldSpec("text", "type of encounter", required=True),
        "form": FieldSpec("text", "form filled in"),
    },
    "observations": {
        "obs_datetime": FieldSpec("datetime", "when, or the day of the sample", required=True),
        "variable_name": FieldSpec("text", "what was measured, such as viral_load or cd4", required=True),
        "concept_id": FieldSpec("integer", "OpenMRS concept"),
        "value_numeric": FieldSpec("number", "number; copies/mL for viral_load, cells/mm3 for cd4, kg, cm"),
        "value_text": FieldSpec("text", "text"),
        "value_coded": FieldSpec("text", "code"),
        "value_datetime": FieldSpec("datetime", "date or time"),
        "unit": FieldSpec("text", "unit of value_numeric"),
    },
    "dispensations": {
        "date_dispensed": FieldSpec("date", "day of the pick-up", required=True),
        "days_supplied": FieldSpec("days", "days of treatment handed out"),
        "regimen": FieldSpec("text", "regimen, such as TDF/3TC/DTG"),
        "regimen_line": FieldSpec("text", "line of treatment"),
        "next_appointment": FieldSpec("date", "the date given for the next pick-up"),
        "dsd_model": FieldSpec("text", "model of differentiated service delivery"),
        "antiretroviral": FieldSpec("boolean", "yes where not given; no for other drugs, which are no ARV supply"),
    },
    "appointments": {
        "booked_on": FieldSpec("date", "day on which it was booked", required=True),
        "due_date": FieldSpec("date", "day for which it was booked", required=True),
        "status": FieldSpec("code", "what became of it; scheduled where not given", codes=STATUSES),
    },
    "snapshots": {
        "status": FieldSpec("code", "the partner's own status of the person", required=True, codes=SNAPSHOT_STATUSES),
        "status_date": FieldSpec("date", "the day from which it holds"),
        "previous_status": FieldSpec("code", "the status before", codes=SNAPSHOT_STATUSES),
        "previous_date": FieldSpec("date", "the day from which that one held"),
        "last_pickup": FieldSpec("date", "the last pick-up on the list"),
        "days_supplied": FieldSpec("days", "days of treatment that it handed out"),
    },
    "unread_contacts": {
        "partner_status": FieldSpec("code", "the partner's own status of the person", codes=SNAPSHOT_STATUSES),
    },
}

NATURAL_KEYS: dict[str, tuple[str, ...]] = {
    "patient_states": ("state", "start_date"),
    "visits": ("date_started", "visit_type"),
    "encounters": ("encounter_datetime", "encounter_type"),
    "observations": ("obs_datetime", "variable_name"),
    "dispensations": ("date_dispensed", "regimen"),
    "appointments": ("booked_on", "due_date"),
}
"""What tells two facts of one patient apart where the mapping names no key."""
