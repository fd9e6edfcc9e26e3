"""The missed-appointment list of LAMIS+."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from tenants.imports.facts import AppointmentFact, PatientFact, VisitFact
from tenants.imports.mapping import parse_mapping
from tenants.imports.reading.reader import detect
from tenants.imports.reading.sources import from_paths

HEADINGS = (
    "Facility Name,State,Patient Id,Hospital Num,Unique Id,Sex,Date Birth,Phone,Current Status,ART Start Date,"
    "Date Of Last Visit,Date Of Next Visit,Case Manager\n"
)
ROW = "Clinic one,Kano,P1,H1,U1,Female,1990-05-01,08030000001,Active,2020-01-10,2024-03-01,2024-05-30,M1\n"
CLINIC = parse_mapping("facility: {datim_id: {constant: C1}}")


def test_a_row_is_a_person_their_last_visit_and_the_appointment_that_it_gave(tmp_path: Path) -> None:
    path = tmp_path / "missed.csv"
    path.write_text(HEADINGS + ROW)
    sources = from_paths([path])
    chosen = detect(sources)
    (reading,) = chosen.read(sources, CLINIC)
    assert (chosen.name, chosen.source, reading.rejections) == ("lamisplus-missed", "lamisplus", [])
    (person,) = [fact for fact in reading.facts if isinstance(fact, PatientFact)]
    (visit,) = [fact for fact in reading.facts if isinstance(fact, VisitFact)]
    (booking,) = [fact for fact in reading.facts if isinstance(fact, AppointmentFact)]
    assert (person.facility, person.pepfar_id, person.phone, person.sex) == ("C1", "U1", "08030000001", "F")
    assert (visit.date_started, visit.next_appointment) == (date(2024, 3, 1), date(2024, 5, 30))
    assert (booking.booked_on, booking.due_date, booking.status) == (date(2024, 3, 1), date(2024, 5, 30), "scheduled")


def test_without_a_facility_the_events_are_at_the_patients_own(tmp_path: Path) -> None:
    path = tmp_path / "missed.csv"
    path.write_text(HEADINGS + ROW)
    sources = from_paths([path])
    (reading,) = detect(sources).read(sources, parse_mapping("{}"))
    assert [fact.kind for fact in reading.facts] == ["visits", "appointments"]
    assert {fact.facility for fact in reading.facts} == {None}


def test_a_row_without_a_last_visit_keeps_the_person_and_says_why(tmp_path: Path) -> None:
    path = tmp_path / "missed.csv"
    path.write_text(HEADINGS + ROW.replace("2024-03-01", ""))
    sources = from_paths([path])
    (reading,) = detect(sources).read(sources, CLINIC)
    assert [bad.field for bad in reading.rejections] == ["Date Of Last Visit"]
    assert [fact.kind for fact in reading.facts] == ["facilities", "patients"]
