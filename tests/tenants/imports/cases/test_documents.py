"""Documents with the troubles that partners report: whole imports give the right status and report."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from core.database import TenantRef, tenant_session
from tests.tenants.imports.conftest import RunImport, rows
from tests.tenants.imports.formats.documents_of import (
    container,
    dispense,
    location,
    message,
    ndjson,
    obs,
    patient,
)

from .people import called, facts, statuses

SEPTEMBER = date(2024, 9, 30)
Content = dict[str, Any]


def fhir(folder: Path) -> None:
    people = [
        (1, {}, {"whenHandedOver": "2024-06-03T23:30:00Z"}),  # the 4th where the tenant is
        (2, {}, {"daysSupply": {"value": 12, "unit": "weeks", "code": "wk", "system": "http://unitsofmeasure.org"}}),
        (3, {}, {"daysSupply": {"value": 3, "unit": "months", "code": "mo", "system": "http://unitsofmeasure.org"}}),
        (4, {}, {"status": "entered-in-error"}),
        (5, {}, {"whenHandedOver": "2024-08"}),
        (6, {}, {"whenHandedOver": None, "whenPrepared": "2024-08-01T09:00:00+01:00",
                 "subject": {"reference": "https://emr.example/fhir2/R4/Patient/patient-6"}}),
        (7, {}, {"medicationCodeableConcept": {"text": "Paracetamol 500mg"}}),
        (8, {"deceasedBoolean": True, "deceasedDateTime": None}, {}),
    ]  # fmt: skip
    content: list[Content] = [location()]
    for number, person, supply in people:
        content += [patient(number, **person), dispense(number, "2024-08-01", **supply)]
    (folder / "export.ndjson").write_text(
        ndjson([{name: value for name, value in one.items() if value is not None} for one in content]), encoding="utf-8"
    )


def changed(number: int, change: Callable[[Content], None]) -> str:
    """A container of one pick-up, on 1 August, of 90 days, changed."""
    document = container(number)
    body = document["messageData"]
    document["messageHeader"]["messageCreationDateTime"] = "2024-09-30 12:00:00"
    day = "2024-08-01 09:30:00"
    body["visits"] = []
    body["encounters"] = [body["encounters"][0] | {"encounterDatetime": day}]
    uuid = body["encounters"][0]["encounterUuid"]
    body["obs"] = [obs(uuid, day, 90, conceptId=159368), obs(uuid, day, "TDF/3TC/DTG", conceptId=164506)]
    change(body)
    return json.dumps(document)


def voided_supply(body: Content) -> None:
    body["obs"].append(body["obs"][0] | {"valueNumeric": 180, "voided": 1})


def voided_pick_up(body: Content) -> None:
    body["encounters"][0]["voided"] = 1
    for one in body["obs"]:
        one["voided"] = 1


def before_midnight_elsewhere(body: Content) -> None:
    for one in body["obs"]:
        one["obsDatetime"] = "2024-06-03T23:00:00Z"
    body["encounters"][0]["encounterDatetime"] = "2024-06-03T23:00:00Z"


def zeros(body: Content) -> None:
    body["demographics"] |= {"birthdate": "0000-00-00 00:00:00", "deathDate": "0000-00-00 00:00:00"}


def two_durations(body: Content) -> None:
    before_midnight_elsewhere(body)
    body["obs"].append(body["obs"][0] | {"valueNumeric": 180})


NMRS = [lambda _: None, voided_supply, voided_pick_up, before_midnight_elsewhere, zeros, two_durations]


def nmrs(folder: Path) -> None:
    for number, change in enumerate(NMRS, start=1):
        (folder / f"{number}.json").write_text(changed(number, change), encoding="utf-8")
    (folder / "README.txt").write_text("Export of September\n", encoding="utf-8")


def ndr(folder: Path) -> None:
    def at(text: str) -> str:
        text = text.replace("<NextAppointmentDate>2024-04-09", "<NextAppointmentDate>2024-04-08")
        return text.replace("2024-06-30T12", "2024-09-30T12").replace("2024-04-09", "2024-08-01")

    cotrimoxazole = """<Regimen><VisitID>1-9</VisitID><VisitDate>2024-08-01</VisitDate>
        <PrescribedRegimen><Code>96</Code><CodeDescTxt>Cotrimoxazole</CodeDescTxt></PrescribedRegimen>
        <PrescribedRegimenTypeCode>CTX</PrescribedRegimenTypeCode>
        <PrescribedRegimenDuration>180</PrescribedRegimenDuration>
        <PrescribedRegimenDispensedDate>2024-08-01</PrescribedRegimenDispensedDate></Regimen>"""
    parts = at(message(1)).split("<HIVEncounter>")
    text = parts[0] + "<HIVEncounter>" + parts[1] + "</Encounters>" + parts[2].split("</Encounters>")[1]
    head, *regimens = text.split("<Regimen>")
    first, last = regimens[0], regimens[1].split("</Regimen>")[1]
    (folder / "1.xml").write_text(head + "<Regimen>" + first + cotrimoxazole + last, encoding="utf-8")
    died = "<PatientHasDied>true</PatientHasDied>"
    (folder / "2.xml").write_text(at(message(2, questions=died)), encoding="utf-8")
    gone = at(message(3)).replace(
        "</PatientDemographics>", "<PatientDeceasedIndicator>true</PatientDeceasedIndicator></PatientDemographics>"
    )
    (folder / "3.xml").write_text(gone, encoding="utf-8")
    (folder / "4.xml").write_text(at(message(4)), encoding="utf-8")


PEOPLE = {
    fhir: {1: ("active", "2024-06-04"), 2: ("active", "2024-08-01"), 3: ("active", "2024-08-01"), 4: ("none", ""),
           5: ("unknown", "2024-09-30"), 6: ("active", "2024-08-01"), 7: ("none", ""), 8: ("died", "2024-09-30")},
    nmrs: {1: ("active", "2024-08-01"), 2: ("active", "2024-08-01"), 3: ("none", ""), 4: ("active", "2024-06-04"),
           5: ("active", "2024-08-01"), 6: ("active", "2024-06-04")},
    ndr: {1: ("iit", "2024-05-08"), 2: ("died", "2024-09-30"), 3: ("died", "2024-09-30"), 4: ("active", "2024-08-01")},
}  # fmt: skip


@pytest.mark.parametrize("make", PEOPLE, ids=lambda make: make.__name__)
def test_documents_with_a_trouble_give_each_person_the_right_status(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    make(folder)
    summary = run_import(tenant, [folder], "{}", data_date=SEPTEMBER)
    status_of = statuses(tenant, SEPTEMBER)
    assert status_of == {f"H-{number}": status for number, status in PEOPLE[make].items()}
    at_risk, traced = called(tenant, SEPTEMBER)
    assert not (at_risk | traced) & {number for number, (status, _) in status_of.items() if status in {"died", "none"}}
    assert summary.rows_rejected == {fhir: 1, nmrs: 1, ndr: 0}[make]
    with tenant_session(tenant, actor="test:1") as session:
        supplies = {row[0] for row in rows(session, "SELECT days_supplied FROM contacts WHERE known_to IS NULL")}
    assert supplies <= {None, 84, 90}
    if make is nmrs:
        assert facts(tenant)["H-5"][1] is None
