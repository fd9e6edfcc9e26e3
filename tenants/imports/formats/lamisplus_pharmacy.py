"""The LAMIS+ pharmacy list (csv, xlsx): one row per drug of a pick-up, the longitudinal file of a LAMIS+ site.

Only letters and digits of the headings count: case, spaces and dots do not matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from core.errors import phrase
from tenants.imports.facts import DispensationFact, FacilityFact, PatientFact, Reading
from tenants.imports.formats.drugs import is_antiretroviral
from tenants.imports.formats.listing import ListReader, Row
from tenants.imports.formats.tables import Layout
from tenants.imports.reading.plans import SEPARATOR

if TYPE_CHECKING:
    from tenants.imports.formats.refill import Unit
    from tenants.imports.mapping import Mapping

SOURCE = "lamisplus"
"""The source of all LAMIS+ lists: they are from one system and have the same people."""

LAYOUT = Layout(
    title="LAMIS+ pharmacy list",
    columns={
        "Facility Name": "facility_name",
        "DATIM Id": "datim_id",
        "Patient Id": "patient_id",
        "Hospital Num": "hospital_number",
        "Date Visit": "date_visit",
        "Regimen Line": "regimen_line",
        "Regimens": "regimen",
        "Refill Period": "refill",
        "Next Appointment": "next_appointment",
        "DSD Model": "dsd_model",
    },
    needed=("datim_id", "patient_id", "date_visit", "refill"),
    dates=("date_visit", "next_appointment"),
    contacts=("date_visit",),
    also={
        "hospitalnumber": "hospital_number",
        "datevisited": "date_visit",
        "regimen": "regimen",
        "regimensincludesupporteddrugs": "regimen",
        "refillperioddays": "refill",
    },
)
_LABELS = {
    "date_dispensed": "Date Visit",
    "days_supplied": "Refill Period",
    "next_appointment": "Next Appointment",
    "regimen": "Regimens",
    "regimen_line": "Regimen Line",
    "dsd_model": "DSD Model",
    "patient": "Patient Id",
    "datim_id": "DATIM Id",
    "facilities": "DATIM Id",
    "name": "Facility Name",
}


class PharmacyList(ListReader):
    """Reads LAMIS+ pharmacy lists."""

    name: ClassVar[str] = "lamisplus-pharmacy"
    description: ClassVar[str] = phrase("LAMIS+ pharmacy list (csv, xlsx): one row per pick-up")
    source: ClassVar[str] = SOURCE
    layout: ClassVar[Layout] = LAYOUT
    refill: ClassVar[tuple[str, Unit | None] | None] = ("refill", None)
    dated_by: ClassVar[tuple[str, ...]] = ("date_visit",)

    def facts(self, row: Row, reading: Reading, mapping: Mapping) -> None:  # noqa: ARG002 - as all lists
        """Add the facility, the patient and the pick-up, without the wrong cells."""
        datim_id, patient, day = row.needed("datim_id"), row.needed("patient_id"), row.day("date_visit")
        if day is None:
            row.reject("date_visit", "the value is missing", "fill it in")
        supply, following = row.days_supplied("refill"), row.day("next_appointment")
        facility_name, hospital_number = row.text("facility_name"), row.text("hospital_number")
        regimen, regimen_line, dsd_model = row.text("regimen"), row.text("regimen_line"), row.text("dsd_model")
        if datim_id is None or patient is None or (row.problems and day is not None):
            return
        # A person who came on an unreadable day is a person of the facility all the same.
        reading.facts += [
            FacilityFact(key=datim_id, name=facility_name, labels=_LABELS),
            PatientFact(
                key=patient,
                patient=patient,
                facility=datim_id,
                labels=_LABELS,
                pepfar_id=patient,
                hospital_number=hospital_number,
                derived_on=day,
                partial=True,
                fallback=("pepfar_id",),
            ),
        ]
        if day is None:
            return
        reading.facts.append(
            DispensationFact(
                key=SEPARATOR.join((patient, day.isoformat(), regimen or "")),
                patient=patient,
                facility=datim_id,
                labels=_LABELS,
                date_dispensed=day,
                days_supplied=supply,
                regimen=regimen,
                regimen_line=regimen_line,
                next_appointment=following,
                dsd_model=dsd_model,
                antiretroviral=is_antiretroviral(regimen, regimen_line),
                supply_unread=row.broken("refill"),
            )
        )
