"""A contact with an unreadable day shows that the person came, in documents and lists; a readable day is imported."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from core.database import TenantRef, tenant_session
from tenants.imports.facts import DispensationFact, Reading, UnreadContactFact, VisitFact
from tenants.imports.mapping import Mapping
from tenants.imports.reading.reader import reader
from tenants.imports.reading.sources import from_paths
from tests.tenants.imports.conftest import PATIENTS, RunImport, rows, write

from .documents_of import DOCUMENTS_DAY, container, dispense, encounter, location, message, ndjson, observation, patient
from .fixtures_lists import PHARMACY, pharmacy_row, write_csv

JUNE, SEPTEMBER = date(2024, 6, 30), date(2024, 9, 30)


def read(name: str, path: Path) -> list[Reading]:
    return list(reader(name).read(from_paths([path]), Mapping()))


def unread(readings: list[Reading]) -> list[UnreadContactFact]:
    return [fact for each in readings for fact in each.facts if isinstance(fact, UnreadContactFact)]


def fhir(folder: Path, *resources: dict[str, Any]) -> list[Reading]:
    path = folder / "resources.ndjson"
    path.write_text(ndjson([patient(1), *resources, location()]), encoding="utf-8")
    return read("fhir-r4", path)


@pytest.mark.parametrize("day", ["2024-31-06", "2024-05", None])
@pytest.mark.parametrize(
    "resource",
    [
        lambda day: encounter(1, "2024-05-01") | {"period": {"start": day}},
        lambda day: dispense(1, "2024-05-01") | {"whenHandedOver": day},
        lambda day: observation(1, 5096, "2024-05-01", {"valueDateTime": "2024-08-01"}) | {"effectiveDateTime": day},
    ],
    ids=["encounter", "dispensation", "appointment"],
)
def test_a_contact_of_fhir_without_a_day(
    tmp_path: Path, resource: Callable[[str | None], dict[str, Any]], day: str | None
) -> None:
    readings = fhir(tmp_path, resource(day))
    assert [fact.patient for fact in unread(readings)] == ["patient-1"]
    assert sum(len(each.rejections) for each in readings) == 1


def test_a_resource_of_fhir_that_is_no_contact_shows_none(tmp_path: Path) -> None:
    weight = observation(1, 5089, "2024-05-01", {"valueQuantity": {"value": 61.5}}) | {"effectiveDateTime": "nonsense"}
    other = dispense(1, "2024-05-01") | {
        "whenHandedOver": "nonsense",
        "medicationCodeableConcept": {"text": "Paracetamol 500mg"},
    }
    taken_back = encounter(1, "2024-05-01") | {"period": {"start": "nonsense"}, "status": "entered-in-error"}
    assert unread(fhir(tmp_path, weight, other, taken_back)) == []


def test_a_readable_day_of_fhir_stands_where_another_cell_is_wrong(tmp_path: Path) -> None:
    readings = fhir(
        tmp_path,
        encounter(1, "2024-05-01") | {"period": {"start": "2024-05-01", "end": "nonsense"}},
        dispense(1, "2024-05-02") | {"daysSupply": {"value": "three months"}},
        observation(1, 5096, "2024-05-03", {"valueDateTime": "soon"}),
    )
    facts = [fact for each in readings for fact in each.facts]
    days = {fact.date_started for fact in facts if isinstance(fact, VisitFact)}
    assert days >= {date(2024, 5, 1), date(2024, 5, 3)}
    assert [(f.date_dispensed, f.days_supplied) for f in facts if isinstance(f, DispensationFact)] == [
        (date(2024, 5, 2), None)
    ]
    assert sum(len(each.omissions) for each in readings) == 3
    assert unread(readings) == []


@pytest.mark.parametrize(
    ("place", "bound"),
    [
        ("<VisitDate>2024-04-09</VisitDate><Weight>", date(2024, 7, 8)),
        ("<VisitDate>2024-04-09</VisitDate>\n        <PrescribedRegimen>", date(2024, 4, 9)),
    ],
    ids=["encounter", "regimen"],
)
def test_a_contact_of_ndr_without_a_day(tmp_path: Path, place: str, bound: date) -> None:
    wrong = message(1).replace(place, place.replace("2024-04-09", "09/31/2024"))
    if "Regimen" in place:
        wrong = wrong.replace("<PrescribedRegimenDispensedDate>2024-04-09", "<PrescribedRegimenDispensedDate>x")
    assert wrong != message(1)
    path = tmp_path / "one.xml"
    path.write_text(wrong, encoding="utf-8")
    (reading,) = read("ndr-xml", path)
    assert [(fact.patient, fact.not_after) for fact in unread([reading])] == [("dat1_H-1", bound)]
    assert reading.rejections


def test_a_dispensing_day_of_ndr_that_cannot_be_read_leaves_the_visits_day(tmp_path: Path) -> None:
    path = tmp_path / "one.xml"
    path.write_text(
        message(1).replace("<PrescribedRegimenDispensedDate>2024-04-09", "<PrescribedRegimenDispensedDate>x"),
        encoding="utf-8",
    )
    (reading,) = read("ndr-xml", path)
    days = [fact.date_dispensed for fact in reading.facts if isinstance(fact, DispensationFact)]
    assert days == [date(2024, 1, 10), date(2024, 4, 9)]
    assert (len(reading.rejections), unread([reading])) == (1, [])


@pytest.mark.parametrize(
    ("where", "field"), [("visits", "dateStarted"), ("encounters", "encounterDatetime")], ids=["visit", "encounter"]
)
def test_a_contact_of_nmrs_without_a_day(tmp_path: Path, where: str, field: str) -> None:
    content = container(1)
    content["messageData"][where][0][field] = "2024-31-06 09:00:00"
    path = tmp_path / "one.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    (reading,) = read("nmrs-json", path)
    assert [fact.patient for fact in unread([reading])] == ["patient-1"]
    content["messageData"][where][0]["voided"] = 1
    path.write_text(json.dumps(content), encoding="utf-8")
    assert unread(read("nmrs-json", path)) == []


def test_an_unread_contact_of_a_document_leaves_the_person_unknown(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    late = dispense(1, "2024-04-09") | {"whenHandedOver": "2024-04"}
    path = tmp_path / "resources.ndjson"
    path.write_text(
        ndjson([patient(1), encounter(1, "2024-01-10"), dispense(1, "2024-01-10"), late, location()]), encoding="utf-8"
    )
    run_import(tenant, [path], "{}", data_date=DOCUMENTS_DAY)
    assert statuses(tenant)[-1] == "unknown"


def statuses(tenant: TenantRef) -> list[str]:
    with tenant_session(tenant, actor="test:1") as session:
        return [row[0] for row in rows(session, "SELECT to_status FROM status_transitions ORDER BY seq")]


def pharmacy(folder: Path, **cells: object) -> list[Path]:
    """A person of regular refills until April, one of whose rows has a day that cannot be read."""
    list_rows = [
        pharmacy_row(1, "2023-11-10", 60),
        pharmacy_row(1, "2024-01-32", 60, **cells),
        pharmacy_row(1, "2024-03-08", 30),
    ]
    return [write_csv(folder / "pharmacy.csv", PHARMACY, list_rows)]


@pytest.mark.parametrize(
    ("following", "status"),
    [("2024-03-08", "iit"), ("2024-02-01", "iit"), ("2024-05-10", "unknown"), (None, "unknown")],
)
def test_an_old_row_matters_only_where_nothing_bounds_it_before_a_later_contact(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, following: str | None, status: str
) -> None:
    run_import(
        tenant, pharmacy(tmp_path, **{"Next Appointment": following}), "refill: {unit: days}", data_date=SEPTEMBER
    )
    assert statuses(tenant)[-1] == status


def test_a_list_with_repeated_rows_keeps_its_unread_contacts(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    days = "id,day,days,regimen,next\nP1,2024-02-10,30,TLD,\nP1,2024-04-32,30,TLD,\n"
    twice = "P2,2024-02-10,30,TLD,\nP2,2024-02-10,60,TLD,\n"
    summary = run_import(tenant, write(tmp_path, patients__csv=PATIENTS, pickups__csv=days + twice))
    assert [problem["count"] for problem in summary.problems if "another row" in problem["problem"]] == [1]
    assert statuses(tenant).count("unknown") == 1


def test_a_rejected_row_marks_a_gap_for_its_person(tenant: TenantRef, run_import: RunImport, tmp_path: Path) -> None:
    list_rows = [
        pharmacy_row(1, "2024-01-10"),
        pharmacy_row(2, "2024-01-10"),
        pharmacy_row(2, "2024-03-10", **{"DATIM Id": "2024-05-05"}),
    ]
    path = write_csv(tmp_path / "pharmacy.csv", PHARMACY, list_rows)
    summary = run_import(tenant, [path], "refill: {unit: days}", data_date=JUNE)
    assert summary.rows_rejected == 1
    with tenant_session(tenant, actor="test:1") as session:
        gaps = rows(
            session,
            "SELECT count(*) FROM record_gaps AS g JOIN patients AS p ON p.uuid = g.patient_uuid"
            " WHERE p.known_to IS NULL",
        )
    assert gaps == [(1,)]


SUPPLIES = """
source: partner
files: {people: {name: people.csv}, drugs: {name: drugs.csv}, visits: {name: visits.csv, optional: true}}
facility: {datim_id: {constant: C1}}
records:
  - {into: patients, file: people, patient: id, columns: {sex: sex}}
  - {into: dispensations, file: drugs, patient: id, columns: {date_dispensed: day, days_supplied: days, regimen: drug}}
  - {into: visits, file: visits, patient: id, columns: {date_started: day, next_appointment: next}}
"""


@pytest.mark.parametrize(
    ("rows_of", "status"),
    [
        ([("2024-04-09", "900")], "unknown"),
        ([("2024-04-09", "3 months")], "unknown"),
        ([("2024-04-09", "28,5")], "unknown"),
        ([("2024-04-09", None)], "iit"),
        ([("2024-04-09", "900"), ("2024-05-10", 30)], "iit"),
        ([("2024-04-09", "900", {"Next Appointment": "2024-05-09"})], "iit"),
        ([("2024-04-09", "900", {"Regimens": "ABC/3TC"}), ("2024-04-09", 30)], "iit"),
        ([("2024-03-09", 30), ("2024-04-09", "900", {"Regimens": "Isoniazid 300mg"})], "iit"),
    ],
)
def test_a_refill_that_cannot_be_read_is_not_guessed_in_a_pharmacy_list(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, rows_of: list[Any], status: str
) -> None:
    list_rows = [pharmacy_row(1, *row[:2], **(row[2] if len(row) > 2 else {})) for row in rows_of]
    path = write_csv(tmp_path / "pharmacy.csv", PHARMACY, list_rows)
    run_import(tenant, [path], "refill: {unit: days}", data_date=SEPTEMBER)
    assert statuses(tenant)[-1] == status


@pytest.mark.parametrize(("days", "following", "status"), [("3 months", "", "unknown"), ("900", "2024-05-09", "iit")])
def test_a_refill_that_cannot_be_read_is_not_guessed_in_mapped_files(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, days: str, following: str, status: str
) -> None:
    texts = {
        "people": "id,sex\np1,F\n",
        "drugs": f"id,day,days,drug\np1,2024-04-09,{days},TLD\n",
        "visits": f"id,day,next\np1,2024-04-09,{following}\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    run_import(tenant, [tmp_path / f"{name}.csv" for name in texts], SUPPLIES, data_date=SEPTEMBER)
    assert statuses(tenant)[-1] == status


def test_a_refill_that_cannot_be_read_is_noted_by_every_document(tmp_path: Path) -> None:
    ndr, nmrs = tmp_path / "one.xml", tmp_path / "one.json"
    ndr.write_text(message(1).replace("Duration>90<", "Duration>3 months<"), encoding="utf-8")
    content = container(1)
    for item in content["messageData"]["obs"]:
        if item.get("variableName") == "Medication duration" or str(item.get("conceptId")) == "159368":
            item["valueNumeric"] = "900"
    nmrs.write_text(json.dumps(content), encoding="utf-8")
    wrong = dispense(1, "2024-05-02") | {"daysSupply": {"value": "three months"}}
    for readings in (read("ndr-xml", ndr), read("nmrs-json", nmrs), fhir(tmp_path, wrong)):
        dispensations = [fact for each in readings for fact in each.facts if isinstance(fact, DispensationFact)]
        assert {(fact.days_supplied, fact.supply_unread) for fact in dispensations} == {(None, True)}
