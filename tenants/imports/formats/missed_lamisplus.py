"""The LAMIS+ missed-appointment list (csv, xlsx): one row per refill or clinic visit that is due or was missed.

It names facilities without a DATIM id: rows wait until another list names their people, or the mapping gives the id.
Headings follow the fields of LAMIS+'s report of missed refills; no live export was available.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from core.errors import phrase
from tenants.imports.facts import AppointmentFact, FacilityFact, Reading, VisitFact
from tenants.imports.formats.lamisplus_pharmacy import SOURCE
from tenants.imports.formats.listing import ListReader, Row, place
from tenants.imports.formats.people import person_of
from tenants.imports.formats.tables import Layout
from tenants.imports.reading.plans import SEPARATOR

if TYPE_CHECKING:
    from tenants.imports.mapping import Mapping

LAYOUT = Layout(
    title="LAMIS+ missed-appointment list",
    columns={
        "Facility Name": "facility_name",
        "DATIM Id": "datim_id",
        "Patient Id": "patient_id",
        "Hospital Num": "hospital_number",
        "Unique Id": "unique_id",
        "Sex": "sex",
        "Date Birth": "birthdate",
        "LGA Of Residence": "lga_of_residence",
        "Phone": "phone",
        "ART Start Date": "art_start_date",
        "Date Of Last Visit": "last_visit",
        "Date Of Next Visit": "due",
        "Case Manager": "case_manager",
    },
    needed=("patient_id", "last_visit", "due"),
    dates=("birthdate", "art_start_date", "last_visit", "due"),
    also={
        "hospitalnumber": "hospital_number",
        "dateofbirth": "birthdate",
        "phonenumber": "phone",
        "lastvisitdate": "last_visit",
        "lastvisit": "last_visit",
        "nextvisitdate": "due",
        "nextappointment": "due",
        "nextappointmentdate": "due",
        "dateofnextappointment": "due",
        "dateofmissedappointment": "due",
    },
)
_LABELS = {
    "patient": "Patient Id",
    "facilities": "DATIM Id",
    "birthdate": "Date Birth",
    "art_start_date": "ART Start Date",
    "booked_on": "Date Of Last Visit",
    "date_started": "Date Of Last Visit",
    "due_date": "Date Of Next Visit",
    "next_appointment": "Date Of Next Visit",
    "status": "Date Of Next Visit",
}


class LamisPlusMissed(ListReader):
    """Reads missed-appointment lists of LAMIS+."""

    name: ClassVar[str] = "lamisplus-missed"
    description: ClassVar[str] = phrase(
        "LAMIS+ missed-appointment list (csv, xlsx): one row per person and appointment"
    )
    source: ClassVar[str] = SOURCE
    layout: ClassVar[Layout] = LAYOUT
    dated_by: ClassVar[tuple[str, ...]] = ("last_visit",)

    def facts(self, row: Row, reading: Reading, mapping: Mapping) -> None:
        """Add the person, if the facility is known; the last visit with its next appointment; and the booking."""
        datim_id, name = place(row, mapping)
        patient, visit_day, due_day = row.needed("patient_id"), row.day("last_visit"), row.day("due")
        if patient is None:
            return
        if datim_id is not None:
            reading.facts += [
                FacilityFact(key=datim_id, name=name, labels=_LABELS),
                person_of(row, patient, datim_id, _LABELS, is_programme_id=False),
            ]
        if visit_day is None:
            if not row.broken("last_visit"):
                row.reject("last_visit", "the value is missing", "fill it in")
            return
        common: dict[str, Any] = {"patient": patient, "facility": datim_id, "labels": _LABELS}
        key = SEPARATOR.join((patient, "missed", visit_day.isoformat()))
        reading.facts.append(VisitFact(key=key, date_started=visit_day, next_appointment=due_day, **common))
        if due_day is not None:
            reading.facts.append(AppointmentFact(key=key, booked_on=visit_day, due_date=due_day, **common))
