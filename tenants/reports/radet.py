"""A list in the format of the LAMIS+ RADET: its 91 headings in their order. Data that we do not record are empty.

The status words are the RADET's. "Active Restart" means on treatment on the day, but in IIT or stopped when the
reporting quarter began (MER's TX_RTT); LAMIS+ may count restarts differently. A person with an unreadable contact is
"Unknown", a record that the source invalidated "Invalid". Months of refill are days supplied / 30, to four decimals, so
that the days can be recovered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tenants.imports.formats.radet_lamisplus import HEADINGS
from tenants.records.repository import completed_years

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.web.tables import Cell
    from tenants.reports.reading import ListRequest, Person

STATUS_WORDS: Final[Mapping[str, str]] = {
    "active": "Active",
    "iit": "IIT",
    "died": "Died",
    "transferred_out": "Transferred Out",
    "stopped": "Stopped",
    "unknown": "Unknown",
    "invalid": "Invalid",
}
RESTART: Final = "Active Restart"
_SEXES: Final = {"F": "Female", "M": "Male"}
_PREGNANCY: Final = {0: "Not Pregnant", 1: "Pregnant", 2: "Breastfeeding"}
_DAYS_A_MONTH: Final = 30


def row(number: int, person: Person, request: ListRequest) -> tuple[Cell, ...]:
    """One person as cells under ``HEADINGS``; ``number`` is the serial number."""
    cells = _cells(number, person, request)
    return tuple(cells.get(heading) for heading in HEADINGS)


def on_list(person: Person) -> bool:
    """Whether the person ever came on treatment. The RADET has nobody else."""
    return person.state.status in STATUS_WORDS


def _cells(number: int, person: Person, request: ListRequest) -> dict[str, Cell]:
    state, place = person.state, person.place
    born = state.birthdate
    return {
        "S/No.": number,
        "State": place.state_province,
        "L.G.A": place.county_district,
        "LGA Of Residence": person.county_district,
        "Facility Name": place.name,
        "DatimId": place.datim_id,
        "Patient ID": str(state.patient_uuid),
        "Hospital Number": person.names.get("hospital_number"),
        "Unique Id": person.names.get("pepfar_id"),
        "Sex": _SEXES.get(state.sex or ""),
        "Current Weight (kg)": state.weight.value,
        "Pregnancy Status": None if state.pregnancy.value is None else _PREGNANCY.get(int(state.pregnancy.value)),
        "Date of Birth (yyyy-mm-dd)": born,
        "Age": None if born is None else completed_years(born, request.as_of),
        "ART Start Date (yyyy-mm-dd)": state.art_start_date,
        "Last Pickup Date (yyyy-mm-dd)": state.last_pickup,
        "Months of ARV Refill": None if state.days_supplied is None else round(state.days_supplied / _DAYS_A_MONTH, 4),
        "Regimen Line at ART Start": state.first_line,
        "Regimen at ART Start": state.first_regimen,
        "Date of Start of Current ART Regimen": state.regimen_since,
        "Current Regimen Line": state.line,
        "Current ART Regimen": state.regimen,
        "Clinical Staging at Last Visit": None if state.who_stage.value is None else f"Stage {state.who_stage.value:g}",
        "Date of Last CD4 Count": state.cd4.day,
        "Last CD4 Count": state.cd4.text_or_number,
        "Date of Current ViralLoad Result Sample (yyyy-mm-dd)": state.viral_load.day,
        "Current Viral Load (c/ml)": state.viral_load.text_or_number,
        "Current ART Status": RESTART if state.restarted else STATUS_WORDS[state.status],
        "Date of Current ART Status": state.status_date,
        "Current DSD model": person.dsd_model,
        "Case Manager": person.case_manager,
    }
