"""The NMRS missed-appointment list (csv, xlsx): one row per missed appointment.

It names no facility: rows wait until another list names their people, or the mapping gives one facility for all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from core.errors import phrase
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
    description: ClassVar[str] = phrase("NMRS missed-appointment list (csv, xlsx): one row per appointment")
    source: ClassVar[str] = SOURCE
    layout: ClassVar[Layout] = LAYOUT
    dated_by: ClassVar[tuple[str, ...]] = ("due", "visited")

    def facts(self, row: Row, reading: Reading, mapping: Mapping) -> None:
        """Add the person, if the facility is known; the appointment; and the visit, if there was one after all.

        The list does not say when the appointment was booked. The due day counts, so the booking is not known any
        earlier.
        """
        patient, due_day, visit_day = row.needed("patient_id"), row.day("due"), row.day("visited")
        if due_day is None:
            row.reject("due", "the value is missing", "fill it in")
        datim_id, name = place(row, mapping)
        person = person_of(row, patient, datim_id, _LABELS, derived_on=due_day) if patient is not None else None
        if row.problems or patient is None or person is None or due_day is None:
            return
        about: dict[str, Any] = {"patient": patient, "facility": datim_id, "labels": _LABELS}
        if datim_id is not None:
            reading.facts += [
                FacilityFact(key=datim_id, name=name),
                person,
            ]
        reading.facts.append(
            AppointmentFact(
                key=SEPARATOR.join((patient, "missed", due_day.isoformat())),
                booked_on=due_day,
                due_date=due_day,
                status="kept" if visit_day == due_day else "missed",
                **about,
            )
        )
        if visit_day is not None and visit_day >= due_day:
            key = SEPARATOR.join((patient, "missed", "visit", visit_day.isoformat()))
            reading.facts.append(VisitFact(key=key, date_started=visit_day, **about))
