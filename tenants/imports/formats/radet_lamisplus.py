"""The RADET of LAMIS+ (xlsx, csv): 91 headings, one row per person, months of refill, dates yyyy-mm-dd."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from core.errors import phrase
from tenants.imports.facts import Reading
from tenants.imports.formats.lamisplus_pharmacy import SOURCE
from tenants.imports.formats.listing import ListReader, Row
from tenants.imports.formats.people import person_of
from tenants.imports.formats.radet import Person, facility_of, is_unread, known_status, status_of
from tenants.imports.formats.tables import Layout

if TYPE_CHECKING:
    from tenants.imports.formats.refill import Unit
    from tenants.imports.mapping import Mapping

HEADINGS = (
    "S/No.",
    "State",
    "L.G.A",
    "LGA Of Residence",
    "Facility Name",
    "DatimId",
    "Patient ID",
    "NDR Patient Identifier",
    "Hospital Number",
    "Unique Id",
    "Household Unique No",
    "OVC Unique ID",
    "Sex",
    "Target group",
    "Current Weight (kg)",
    "Pregnancy Status",
    "Date of Birth (yyyy-mm-dd)",
    "Age",
    "Care Entry Point",
    "Date of Registration",
    "Enrollment  Date (yyyy-mm-dd)",
    "ART Start Date (yyyy-mm-dd)",
    "Last Pickup Date (yyyy-mm-dd)",
    "Months of ARV Refill",
    "Regimen Line at ART Start",
    "Regimen at ART Start",
    "Date of Start of Current ART Regimen",
    "Current Regimen Line",
    "Current ART Regimen",
    "Clinical Staging at Last Visit",
    "Date of Last CD4 Count",
    "Last CD4 Count",
    "Date of Viral Load Sample Collection (yyyy-mm-dd)",
    "Date of Current ViralLoad Result Sample (yyyy-mm-dd)",
    "Current Viral Load (c/ml)",
    "Date of Current Viral Load (yyyy-mm-dd)",
    "Viral Load Indication",
    "Viral Load Eligibility Status",
    "Date of Viral Load Eligibility Status",
    "Current ART Status",
    "Date of Current ART Status",
    "Client Verification Outcome",
    "Cause of Death",
    "VA Cause of Death",
    "Previous ART Status",
    "Confirmed Date of Previous ART Status",
    "ART Enrollment Setting",
    "Date of TB Screening (yyyy-mm-dd)",
    "TB Screening Type",
    "CAD Score",
    "TB status",
    "Date of TB Sample Collection (yyyy-mm-dd)",
    "TB Diagnostic Test Type",
    "Date of TB Diagnostic Result Received (yyyy-mm-dd)",
    "TB Diagnostic Result",
    (
        "Date of Additional TB Diagnosis Result using XRAY"
        " (for client with negative lab results with CAD score of 40 & above)"
    ),
    "Additional TB Diagnosis Result using XRAY (for client with negative lab results with CAD score of 40 & above)",
    "Date of Start of TB Treatment (yyyy-mm-dd)",
    "TB Type (new, relapsed etc)",
    "Date of Completion of TB Treatment (yyyy-mm-dd)",
    "TB Treatment Outcome",
    "Date of TPT Start (yyyy-mm-dd)",
    "TPT Type",
    "TPT Completion date (yyyy-mm-dd)",
    "TPT Completion status",
    "Date of commencement of EAC (yyyy-mm-dd)",
    "Number of EAC Sessions Completed",
    "Date of last EAC Session Completed",
    "Date of Extended EAC Completion (yyyy-mm-dd)",
    "Date of Repeat Viral Load - Post EAC VL Sample collected (yyyy-mm-dd)",
    "Repeat Viral load result (c/ml)- POST EAC",
    "Date of Repeat Viral load result- POST EAC VL",
    "Date of devolvement",
    "Model devolved to",
    "Date of current DSD",
    "Current DSD model",
    "Current DSD Outlet",
    "Date of Return of DSD Client to Facility (yyyy-mm-dd)",
    "Screening for Chronic Conditions",
    "Co-morbidities",
    "Date of Cervical Cancer Screening (yyyy-mm-dd)",
    "Cervical Cancer Screening Type",
    "Cervical Cancer Screening Method",
    "Result of Cervical Cancer Screening",
    "Date of Precancerous Lesions Treatment (yyyy-mm-dd)",
    "Precancerous Lesions Treatment Methods",
    "Date Biometrics Enrolled (yyyy-mm-dd)",
    "Number of Fingers Captured",
    "Date Biometrics Recapture (yyyy-mm-dd)",
    "Number of Fingers Recaptured",
    "Case Manager",
)
"""The headings as LAMIS+ writes them, in its order; our own RADET has the same."""

LAYOUT = Layout(
    title="LAMIS+ RADET",
    columns={
        "State": "state",
        "L.G.A": "lga",
        "LGA Of Residence": "lga_of_residence",
        "Facility Name": "facility_name",
        "DatimId": "datim_id",
        "Patient ID": "patient_id",
        "Hospital Number": "hospital_number",
        "Unique Id": "unique_id",
        "Sex": "sex",
        "Date of Birth (yyyy-mm-dd)": "birthdate",
        "Care Entry Point": "care_entry_point",
        "ART Start Date (yyyy-mm-dd)": "art_start_date",
        "Last Pickup Date (yyyy-mm-dd)": "last_pickup",
        "Months of ARV Refill": "refill",
        "Current Regimen Line": "regimen_line",
        "Current ART Regimen": "regimen",
        "Date of Last CD4 Count": "cd4_date",
        "Last CD4 Count": "cd4",
        "Date of Viral Load Sample Collection (yyyy-mm-dd)": "sample_date",
        "Date of Current ViralLoad Result Sample (yyyy-mm-dd)": "vl_sample_date",
        "Current Viral Load (c/ml)": "viral_load",
        "Date of Current Viral Load (yyyy-mm-dd)": "vl_date",
        "Current ART Status": "status",
        "Date of Current ART Status": "status_date",
        "Cause of Death": "cause_of_death",
        "Previous ART Status": "previous_status",
        "Confirmed Date of Previous ART Status": "previous_date",
        "Date of Repeat Viral Load - Post EAC VL Sample collected (yyyy-mm-dd)": "eac_sample_date",
        "Repeat Viral load result (c/ml)- POST EAC": "eac_viral_load",
        "Date of Repeat Viral load result- POST EAC VL": "eac_vl_date",
        "Current DSD model": "dsd_model",
        "Case Manager": "case_manager",
    },
    needed=("datim_id", "patient_id", "last_pickup", "refill", "status"),
    contacts=("last_pickup",),
    dates=(
        "birthdate", "art_start_date", "last_pickup", "cd4_date", "sample_date", "vl_sample_date", "vl_date",
        "status_date", "previous_date", "eac_sample_date", "eac_vl_date",
    ),
    also={"lga": "lga", "facility": "facility_name", "uniqueid": "unique_id"},
)  # fmt: skip
_LABELS = {
    "patient": "Patient ID",
    "birthdate": "Date of Birth (yyyy-mm-dd)",
    "art_start_date": "ART Start Date (yyyy-mm-dd)",
    "date_dispensed": "Last Pickup Date (yyyy-mm-dd)",
    "last_pickup": "Last Pickup Date (yyyy-mm-dd)",
    "days_supplied": "Months of ARV Refill",
    "snapshots": "Current ART Status",
}


class LamisPlusRadet(ListReader):
    """Reads RADETs of LAMIS+."""

    name: ClassVar[str] = "radet-lamisplus"
    description: ClassVar[str] = phrase("RADET of LAMIS+ (xlsx, csv): one row per person, refill in months")
    source: ClassVar[str] = SOURCE
    layout: ClassVar[Layout] = LAYOUT
    refill: ClassVar[tuple[str, Unit | None] | None] = ("refill", "months")
    dated_by: ClassVar[tuple[str, ...]] = ("last_pickup", "status_date")

    def facts(self, row: Row, reading: Reading, mapping: Mapping) -> None:  # noqa: ARG002 - as all lists
        """Add the facility, the person, the last pick-up, results, a lasting state, and the partner's status."""
        datim_id, patient = row.needed("datim_id"), row.needed("patient_id")
        if datim_id is None or patient is None:
            return
        came_by_transfer = "transfer" in row.word("care_entry_point") or None
        reading.facts += [
            facility_of(row, datim_id),
            person_of(row, patient, datim_id, _LABELS, transferred_in=came_by_transfer, is_programme_id=False),
        ]
        person = Person(row, reading, patient, datim_id, _LABELS)
        pickup, days = row.day("last_pickup"), row.days_supplied("refill")
        person.pickup(
            pickup,
            days,
            row.text("regimen"),
            row.text("regimen_line"),
            row.text("dsd_model"),
        )
        person.result("cd4", "cd4", "cd4_date", unit="cells/mm3")
        # The current result has its own sample; a later sample may have no result yet.
        sampled = "vl_sample_date" if row.has("vl_sample_date") or not row.has("sample_date") else "sample_date"
        if row.has("viral_load"):
            person.result("viral_load", "viral_load", sampled, reported="vl_date", unit="copies/mL")
        if row.has("eac_viral_load"):
            person.result("viral_load", "eac_viral_load", "eac_sample_date", reported="eac_vl_date", unit="copies/mL")
        status, status_day = status_of(row, "status"), row.day("status_date")
        person.state(status, status_day, "status_date", _reason(row, status))
        if is_unread(row, pickup, days, status):
            person.unread(status)
        if status is not None:
            person.snapshot(status, status_day, _previous(row), row.day("previous_date"), pickup, days)


def _reason(row: Row, status: str | None) -> str | None:
    """The reason of a status, in the list's words."""
    return {"died": row.text("cause_of_death"), "invalid": row.text("status")}.get(status or "")


def _previous(row: Row) -> str | None:
    """The previous status. An unknown word there rejects nothing."""
    return known_status(row.word("previous_status"))
