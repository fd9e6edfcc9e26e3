"""The fields that a mapping may fill, by kind: type, whether the field is required, and its codes."""

from __future__ import annotations

from tenants.records.care_fields import (
    AppointmentFields,
    DispensationFields,
    EncounterFields,
    FacilityDetails,
    ObservationFields,
    PatientDetails,
    PatientStateFields,
    VisitFields,
)
from tenants.records.field_spec import FieldSpec, specs

SNAPSHOT_STATUSES = ("active", "active_restart", "iit", "stopped", "died", "transferred_out", "invalid", "unknown")
SEXES = ("F", "M")


FIELDS: dict[str, dict[str, FieldSpec]] = {
    "facilities": {
        "datim_id": FieldSpec("text", "DATIM id of the facility", required=True, identifier=True),
        "name": FieldSpec("text", "its name"),
        **specs(FacilityDetails),
    },
    "patients": {
        "pepfar_id": FieldSpec("text", "programme (PEPFAR) identifier", personal=True, identifier=True),
        "hospital_number": FieldSpec("text", "hospital number", personal=True, identifier=True),
        "given_name": FieldSpec("text", "given name", personal=True),
        "family_name": FieldSpec("text", "family name", personal=True),
        "phone": FieldSpec("text", "telephone number", personal=True, identifier=True),
        "sex": FieldSpec("code", "sex", codes=SEXES),
        "birthdate": FieldSpec("date", "date of birth, or an age at a date (estimated)"),
        **specs(PatientDetails),
    },
    "patient_states": specs(PatientStateFields),
    "visits": specs(VisitFields),
    "encounters": specs(EncounterFields),
    "observations": specs(ObservationFields),
    "dispensations": specs(DispensationFields),
    "appointments": specs(AppointmentFields),
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
"""The fields that distinguish two facts of one patient if the mapping names no key."""
