"""The RADET of NMRS (csv, xlsx): one row per person, days of refill, dates dd-Mon-yyyy."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from core.errors import phrase
from tenants.imports.facts import Reading, VisitFact
from tenants.imports.formats.listing import ListReader, Row
from tenants.imports.formats.people import person_of
from tenants.imports.formats.radet import Person, facility_of, is_unread, status_of
from tenants.imports.formats.tables import Layout
from tenants.imports.reading.plans import SEPARATOR

if TYPE_CHECKING:
    from datetime import date

    from tenants.imports.formats.refill import Unit
    from tenants.imports.mapping import Mapping

SOURCE = "nmrs"
"""The source of all NMRS lists: they are from one system and have the same people."""

HEADINGS = (
    "DatimCode", "PatientUniqueID", "PatientHospitalNo", "Sex", "AgeAtStartOfARTYears", "AgeAtStartOfARTMonths",
    "TransferInStatus", "ARTStartDate", "LastPickupDate", "LastVisitDate", "DaysOfARVRefil", "InitialRegimenLine",
    "InitialFirstLineRegimen", "InitialFirstLineRegimenDate", "InitialSecondLineRegimen",
    "InitialSecondLineRegimenDate", "CurrentRegimenLine", "CurrentFirstLineRegimen", "CurrentFirstLineRegimenDate",
    "CurrentSecondLineRegimen", "CurrentSecondLineRegimenDate", "PregnancyStatus", "PregnancyStatusDate", "EDD",
    "CurrentViralLoad(c/ml)", "ViralLoadSampleCollectionDate", "ViralLoadReportedDate", "ViralLoadIndication",
    "CurrentARTStatus", "DateReturnedToCare", "CurrentAgeYears", "CurrentAgeMonths", "DateOfBirth", "MarkAsDeseased",
    "MarkAsDeseasedDeathDate", "RegistrationPhoneNo", "ContactPhoneNo", "BiometricCaptured", "CurrentWeight(Kg)",
    "CurrentWeightDate", "TBStatus", "TBStatusDate", "INHStartDate", "INHStopDate", "LastINHDispensedDate",
    "TBTreatmentStartDate", "TBTreatmentStopDate", "LastViralLoadSampleCollectionFormDate", "OTZStartDate",
    "OTZStopDate", "EnrollmentDate",
)  # fmt: skip
"""The headings as NMRS' query names them, in its order."""

LAYOUT = Layout(
    title="NMRS RADET",
    columns={
        "FacilityName": "facility_name",
        "State": "state",
        "LGA": "lga",
        "DatimCode": "datim_id",
        "PatientUniqueID": "patient_id",
        "PatientHospitalNo": "hospital_number",
        "Sex": "sex",
        "TransferInStatus": "transfer_in",
        "ARTStartDate": "art_start_date",
        "LastPickupDate": "last_pickup",
        "LastVisitDate": "last_visit",
        "DaysOfARVRefil": "refill",
        "CurrentRegimenLine": "regimen_line",
        "CurrentRegimen": "regimen",
        "CurrentFirstLineRegimen": "first_line",
        "CurrentFirstLineRegimenDate": "first_line_date",
        "CurrentSecondLineRegimen": "second_line",
        "CurrentSecondLineRegimenDate": "second_line_date",
        "DispensingModality": "dsd_model",
        "PharmacyNextAppointment": "next_pickup",
        "PregnancyStatus": "pregnancy",
        "PregnancyStatusDate": "pregnancy_date",
        "CurrentCD4Count": "cd4",
        "CurrentCD4CountDate": "cd4_date",
        "CurrentViralLoad(c/ml)": "viral_load",
        "ViralLoadSampleCollectionDate": "vl_sample_date",
        "ViralLoadReportedDate": "vl_date",
        "CurrentARTStatus": "status",
        "PatientOutcomeDate": "outcome_date",
        "DateOfTermination": "termination_date",
        "DateOfBirth": "birthdate",
        "MarkAsDeseased": "deceased",
        "MarkAsDeseasedDeathDate": "death_date",
        "RegistrationPhoneNo": "phone",
        "CurrentWeight(Kg)": "weight",
        "CurrentWeightDate": "weight_date",
    },
    needed=("datim_id", "patient_id", "last_pickup", "refill"),
    contacts=("last_pickup",),
    dates=(
        "art_start_date", "last_pickup", "last_visit", "next_pickup", "pregnancy_date", "cd4_date", "vl_sample_date",
        "vl_date", "outcome_date", "termination_date", "birthdate", "death_date", "weight_date", "first_line_date",
        "second_line_date",
    ),
    also={"daysofarvrefill": "refill", "deathdate": "death_date"},
)  # fmt: skip
_LABELS = {
    "patient": "PatientUniqueID",
    "birthdate": "DateOfBirth",
    "art_start_date": "ARTStartDate",
    "date_dispensed": "LastPickupDate",
    "last_pickup": "LastPickupDate",
    "days_supplied": "DaysOfARVRefil",
    "date_started": "LastVisitDate",
    "snapshots": "CurrentARTStatus",
}
_PREGNANCY = {
    "pregnant": "pregnant",
    "breastfeeding": "breastfeeding",
    "breast feeding": "breastfeeding",
    "not pregnant": "none",
    "post partum": "none",
    "postpartum": "none",
}
_DECEASED = frozenset({"true", "1", "yes", "dead", "deceased", "died"})


class NmrsRadet(ListReader):
    """Reads RADETs of NMRS."""

    name: ClassVar[str] = "radet-nmrs"
    description: ClassVar[str] = phrase("RADET of NMRS (csv, xlsx): one row per person, refill in days")
    source: ClassVar[str] = SOURCE
    layout: ClassVar[Layout] = LAYOUT
    refill: ClassVar[tuple[str, Unit | None] | None] = ("refill", "days")
    dated_by: ClassVar[tuple[str, ...]] = ("last_pickup", "last_visit", "outcome_date")

    def facts(self, row: Row, reading: Reading, mapping: Mapping) -> None:  # noqa: ARG002 - as all lists
        """Add the facility, person, last visit and pick-up, results, a lasting state, and the partner's status."""
        datim_id, patient = row.needed("datim_id"), row.needed("patient_id")
        if datim_id is None or patient is None:
            return
        transfer_in = row.word("transfer_in")
        came = transfer_in.startswith("transfer") or transfer_in in ("yes", "true") or None
        reading.facts += [
            facility_of(row, datim_id),
            person_of(row, patient, datim_id, _LABELS, transferred_in=came),
        ]
        visit = row.day("last_visit")
        if visit is not None:
            key = SEPARATOR.join((patient, "radet", "visit", visit.isoformat()))
            reading.facts.append(
                VisitFact(key=key, patient=patient, facility=datim_id, labels=_LABELS, date_started=visit)
            )
        person = Person(row, reading, patient, datim_id, _LABELS)
        pickup, days = row.day("last_pickup"), row.days_supplied("refill")
        person.pickup(
            pickup,
            days,
            _regimen(row),
            row.text("regimen_line"),
            row.text("dsd_model"),
            following=row.day("next_pickup"),
        )
        if row.has("viral_load") or row.has("vl_sample_date"):
            person.result("viral_load", "viral_load", "vl_sample_date", reported="vl_date", unit="copies/mL")
        person.result("cd4", "cd4", "cd4_date", unit="cells/mm3")
        person.measurement("weight", "weight", "weight_date", unit="kg")
        person.coded("pregnancy", _PREGNANCY.get(row.word("pregnancy")), "pregnancy", "pregnancy_date")
        status = "died" if row.word("deceased") in _DECEASED else status_of(row, "status")
        day, on = _status_day(row, status)
        person.state(status, day, "status", on=on)
        if is_unread(row, pickup, days, status, row.day("next_pickup")):
            person.unread(status)
        if status is not None:
            person.snapshot(status, day, None, None, pickup, days)


def _regimen(row: Row) -> str | None:
    """Return the current regimen. If the list has one column per line, it is that of the line with the latest start."""
    if (regimen := row.text("regimen")) is not None:
        return regimen
    first, second = row.text("first_line"), row.text("second_line")
    if first is None or second is None:
        return first or second
    began, second_line_began = row.day("first_line_date"), row.day("second_line_date")
    return first if began is not None and second_line_began is not None and began > second_line_began else second


def _status_day(row: Row, status: str | None) -> tuple[date | None, str | None]:
    """Return the first day of the status, and the field that gives it.

    The list gives the day of death. Only newer forms give the day of a transfer or stop. Without a day, the list's own
    day counts.
    """
    fields: tuple[str, ...] = ()
    if status == "died":
        fields = ("death_date", "outcome_date", "termination_date")
    elif status in ("transferred_out", "stopped"):
        fields = ("termination_date", "outcome_date")
    for name in fields:
        if (day := row.day(name)) is not None:
            return day, name
    return None, None
