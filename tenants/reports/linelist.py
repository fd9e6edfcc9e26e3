"""The line list: one row per patient at the end of a day, in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tenants.records.repository import completed_years

if TYPE_CHECKING:
    from core.web.tables import Cell
    from tenants.reports.reading import ListRequest, Person

COLUMNS: Final = (
    "as_of",
    "facility",
    "facility_name",
    "patient_id",
    "sex",
    "birthdate",
    "age_years",
    "state_province",
    "county_district",
    "art_start_date",
    "transferred_in",
    "status",
    "status_date",
    "status_day_known",
    "status_source",
    "restarted_in_period",
    "last_contact",
    "last_pickup",
    "days_supplied",
    "expected_date",
    "days_late",
    "regimen",
    "regimen_line",
    "dsd_model",
    "viral_load_copies_ml",
    "viral_load_date",
    "cd4_cells_mm3",
    "cd4_date",
    "case_manager",
    "risk",
    "risk_level",
    "model_version",
    "data_date",
    "complete_through",
)
IDENTIFIERS: Final = ("pepfar_id", "hospital_number")


def columns(*, identifiers: bool) -> tuple[str, ...]:
    """The headings, with programme identifiers last if ``identifiers`` is set."""
    return (*COLUMNS, *IDENTIFIERS) if identifiers else COLUMNS


def row(person: Person, request: ListRequest) -> tuple[Cell, ...]:
    """One person as cells, in the order of ``columns``. A person who left or died has no days late."""
    state = person.state
    in_care = state.status in ("active", "iit")
    expected = state.expected_date if in_care else None
    late = None if expected is None else max(0, (request.as_of - expected).days)
    cells: tuple[Cell, ...] = (
        request.as_of,
        person.place.datim_id,
        person.place.name,
        str(state.patient_uuid),
        state.sex,
        state.birthdate,
        None if state.birthdate is None else completed_years(state.birthdate, request.as_of),
        person.state_province,
        person.county_district,
        state.art_start_date,
        state.transferred_in,
        state.status,
        state.status_date,
        state.status == "none" or state.status_date is not None,
        state.status_source,
        state.restarted,
        state.last_contact,
        state.last_pickup,
        state.days_supplied,
        expected,
        late,
        state.regimen,
        state.line,
        person.dsd_model,
        state.viral_load.text_or_number,
        state.viral_load.day,
        state.cd4.text_or_number,
        state.cd4.day,
        person.case_manager,
        None if person.score is None or person.score.risk is None else round(person.score.risk, 4),
        None if person.score is None else person.score.level,
        None if person.score is None else person.score.model_version,
        person.place.data_date,
        person.place.complete_through,
    )
    return (*cells, *(person.names.get(name) for name in IDENTIFIERS)) if request.identifiers else cells
