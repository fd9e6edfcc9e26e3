"""The NMRS missed-appointment list (csv, xlsx): one row per appointment that was missed.

It names no facility: rows wait until another list names their people, or the mapping gives the facility of all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from tenants.imports.facts import AppointmentFact, FacilityFact, Reading, VisitFact
from tenants.imports.formats.listing import ListReader, Row, place
from tenants.imports.formats.people import person_of
from tenants.imports.formats.radet_nmrs import SOURCE
from tenants.imports.formats.tables import Layout
from tenants.imports.reading.plans import SEPARATOR

if TYPE_CHECKING:
    from tenants.imports.mapping import Mapping

LAYOUT = Layout(
    title="NMRS missed-appointment list",
    columns={
        "FacilityName": "facility_name",
        "DatimCode": "datim_id",
        "PepfarID": "patient_id",
        "HospID": "hospital_number",
        "FirstName": "given_name",
        "FamilyName": "family_name",
        "Sex": "sex",
        "PhoneNo": "phone",
        "DOB": "birthdate",
        "AppointmentDate": "due",
        "VisitDate": "visited",
    },
    needed=("patient_id", "due"),
    dates=("birthdate", "due", "visited"),
    also={"pepid": "patient_id", "hospitalnumber": "hospital_number", "dateofbirth": "birthdate"},
)
_LABELS = {
    "patient": "PepfarID",
    "birthdate": "DOB",
    "booked_on": "AppointmentDate",
    "due_date": "AppointmentDate",
    "date_started": "VisitDate",
    "status": "AppointmentDate",
}


class MissedAppointments(ListReader):
    """Reads missed-appointment lists."""

    name: ClassVar[str] = "missed-appointments"
    description: ClassVar[str] = "NMRS missed-appointment list (csv, xlsx): one row per appointment"
    source: ClassVar[str] = SOURCE
    layout: ClassVar[Layout] = LAYOUT
    dated_by: ClassVar[tuple[str, ...]] = ("due", "visited")

    def facts(self, row: Row, reading: Reading, mapping: Mapping) -> None:
        """The person, where the facility is known; the appointment; and the visit, where there was one after all.

        The list does not say when the appointment was made: it counts as made on the day it was due, so that nothing
        is known of it before.
        """
        patient, due, visited = row.needed("patient_id"), row.day("due"), row.day("visited")
        if due is None:
            row.refuse("due", "the value is missing", "fill it in")
        datim_id, name = place(row, mapping)
        person = person_of(row, patient, datim_id, _LABELS, derived_on=due) if patient is not None else None
        if row.problems or patient is None or person is None or due is None:
            return
        about: dict[str, Any] = {"patient": patient, "facility": datim_id, "labels": _LABELS}
        if datim_id is not None:
            reading.facts += [
                FacilityFact(key=datim_id, name=name),
                person,
            ]
        reading.facts.append(
            AppointmentFact(
                key=SEPARATOR.join((patient, "missed", due.isoformat())),
                booked_on=due,
                due_date=due,
                status="kept" if visited == due else "missed",
                **about,
            )
        )
        if visited is not None and visited >= due:
            key = SEPARATOR.join((patient, "missed", "visit", visited.isoformat()))
            reading.facts.append(VisitFact(key=key, date_started=visited, **about))
