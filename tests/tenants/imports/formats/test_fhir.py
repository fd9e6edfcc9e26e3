"""FHIR R4: Bundles and NDJSON in any order, references, partial dates, statuses, facilities."""

from __future__ import annotations

import gzip
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from core.errors import Invalid
from tenants.imports.facts import (
    DispensationFact,
    EncounterFact,
    Fact,
    ObservationFact,
    PatientFact,
    PatientStateFact,
    Reading,
    UnreadContactFact,
    VisitFact,
)
from tenants.imports.formats import fhir_stream
from tenants.imports.formats.fhir import FhirResources
from tenants.imports.mapping import Mapping, parse_mapping
from tenants.imports.reading.reader import Position, detect
from tenants.imports.reading.sources import from_paths

from .documents_of import bundle, dispense, encounter, location, ndjson, observation, patient, resources, zipped

DAY = "2024-01-10"
CLINIC = parse_mapping("facility: {datim_id: {constant: dat9}}")


def read(*paths: Path, mapping: Mapping | None = None) -> list[Reading]:
    return list(FhirResources().read(from_paths(list(paths)), mapping or Mapping()))


def lines(folder: Path, content: list[dict[str, Any]], mapping: Mapping | None = None) -> list[Reading]:
    path = folder / "all.ndjson"
    path.write_text(ndjson(content), encoding="utf-8")
    return read(path, mapping=mapping)


def of(readings: list[Reading], kind: type[Fact]) -> list[Any]:
    return [fact for reading in readings for fact in reading.facts if isinstance(fact, kind)]


def one(folder: Path, resource: dict[str, Any], mapping: Mapping | None = None) -> Reading:
    (reading,) = lines(folder, [resource], mapping or CLINIC)
    return reading


def facts_of(readings: list[Reading]) -> list[Any]:
    """The facts of readings, without their places in the files."""
    facts = [fact for reading in readings for fact in reading.facts]
    for fact in facts:
        fact.labels = None
    return facts


def test_resources_become_a_person_with_visits_pickups_and_results(tmp_path: Path) -> None:
    readings = lines(tmp_path, [*resources(), location()])
    assert [reading.left_out for reading in readings] == [False] * 8 + [True]
    assert not [bad for reading in readings for bad in reading.rejections]
    (person,) = of(readings, PatientFact)
    assert (person.patient, person.facility, person.pepfar_id, person.hospital_number) == (
        "patient-1",
        "dat1",
        "PEP-1",
        "H-1",
    )
    assert (person.art_start_date, person.sex, person.given_name) == (date(2024, 1, 10), "F", "Givenname Aaa")
    assert [(fact.date_started, fact.next_appointment) for fact in of(readings, VisitFact)] == [
        (date(2024, 1, 10), None),
        (date(2024, 1, 10), date(2024, 4, 9)),
    ]
    assert len(of(readings, EncounterFact)) == 1
    assert [(fact.days_supplied, fact.regimen) for fact in of(readings, DispensationFact)] == [(90, "TDF/3TC/DTG")]
    results = {fact.variable_name: (fact.value_numeric, fact.value_text) for fact in of(readings, ObservationFact)}
    assert results["viral_load"] == (40, "<")
    assert results["weight"] == (61.5, None)


@pytest.mark.parametrize("form", ["reversed", "bundle", "bundle_lines", "one_line", "gzip", "zip", "two_files", "bom"])
def test_the_form_and_order_of_files_do_not_matter(tmp_path: Path, form: str) -> None:
    content = [*resources(), location()]
    expected = sorted(map(repr, facts_of(lines(tmp_path, content))))
    folder = tmp_path / form
    folder.mkdir()
    path = folder / "all.json"
    if form == "reversed":
        path.write_text(ndjson(content[::-1]), encoding="utf-8")
    elif form == "bundle":
        path.write_text(json.dumps(bundle(content), indent=2), encoding="utf-8")
    elif form == "bundle_lines":
        path.write_text("".join(json.dumps(bundle([item])) + "\n" for item in content), encoding="utf-8")
    elif form == "one_line":
        path.write_text(json.dumps(bundle(content)), encoding="utf-8")
    elif form == "gzip":
        path = folder / "all.ndjson.gz"
        path.write_bytes(gzip.compress(ndjson(content).encode()))
    elif form == "zip":
        zipped(folder / "all.zip", {"Patient.ndjson": ndjson(content[:1]), "rest.ndjson": ndjson(content[1:])})
    elif form == "two_files":
        path.write_text(ndjson(content[3:]), encoding="utf-8")
        (folder / "later.ndjson").write_text(ndjson(content[:3]), encoding="utf-8")
    else:
        path.write_text(ndjson(content), encoding="utf-8-sig")
    sources = from_paths([folder])
    assert detect(sources).name == "fhir-r4"
    readings = list(FhirResources().read(sources, Mapping()))
    assert sorted(map(repr, facts_of(readings))) == expected
    places = [(reading.file, reading.line) for reading in readings]
    assert places == sorted(set(places))
    rest = list(FhirResources().read(sources, Mapping(), after=Position(*places[3])))
    assert [(reading.file, reading.line) for reading in rest] == places[4:]


@pytest.mark.parametrize("status", ["entered-in-error"])
def test_a_resource_entered_in_error_is_a_tombstone(tmp_path: Path, status: str) -> None:
    content = [
        encounter(1, DAY, status=status),
        observation(1, 856, DAY, {"valueQuantity": {"value": 1}}, status=status),
        dispense(1, DAY, status=status),
        patient(1, active=False),
    ]
    readings = lines(tmp_path, content, CLINIC)
    assert all(fact.voided for reading in readings for fact in reading.facts if fact.kind != "facilities")
    assert len(of(readings, PatientFact)) == len(of(readings, DispensationFact)) == 1


@pytest.mark.parametrize("status", ["cancelled", "preparation", "declined"])
def test_resources_of_what_did_not_happen_are_left_out(tmp_path: Path, status: str) -> None:
    assert one(tmp_path, dispense(1, DAY, status=status)).left_out


@pytest.mark.parametrize(
    ("reference", "patient_id"),
    [
        ("Patient/patient-1", "patient-1"),
        ("https://emr.example/fhir2/R4/Patient/patient-1", "patient-1"),
        ("Patient/patient-1/_history/2", "patient-1"),
        ("urn:uuid:patient-1", "patient-1"),
        ("Group/patient-1", None),
        ("#contained", None),
        (None, None),
        (7, None),
    ],
)
def test_references_name_the_patient(tmp_path: Path, reference: object, patient_id: str | None) -> None:
    reading = one(tmp_path, dispense(1, DAY, subject={"reference": reference}))
    assert [fact.patient for fact in of([reading], DispensationFact)] == ([patient_id] if patient_id else [])
    if patient_id is None:
        assert reading.rejections[0].field == "MedicationDispense.subject"


def test_a_bundle_may_name_a_patient_by_an_address_of_its_own(tmp_path: Path) -> None:
    content = bundle([patient(), dispense(1, DAY, subject={"reference": "urn:uuid:own"})])
    content["entry"][0]["fullUrl"] = "urn:uuid:own"
    path = tmp_path / "one.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    readings = read(path, mapping=CLINIC)
    assert of(readings, DispensationFact)[0].patient == of(readings, PatientFact)[0].patient == "patient-1"


@pytest.mark.parametrize(
    ("born", "expected"),
    [
        ("1988-02-03", (date(1988, 2, 3), False)),
        ("1988-02", (date(1988, 2, 1), True)),
        ("1988", (date(1988, 1, 1), True)),
        ("1988-13", (None, False)),
        (None, (None, False)),
    ],
)
def test_a_partial_date_of_birth_is_an_estimate(tmp_path: Path, born: object, expected: object) -> None:
    reading = one(tmp_path, patient(birthDate=born))
    (person,) = of([reading], PatientFact)
    assert (person.birthdate, person.birthdate_estimated) == expected
    assert bool(reading.rejections) == (born == "1988-13")


@pytest.mark.parametrize("when", ["2024", "2024-01"])
def test_an_event_without_its_day_is_rejected(tmp_path: Path, when: str) -> None:
    reading = one(tmp_path, dispense(1, DAY, whenHandedOver=when))
    assert [type(fact) for fact in reading.facts] == [UnreadContactFact]
    assert [(bad.field, bad.problem) for bad in reading.rejections] == [
        ("MedicationDispense.whenHandedOver", "a year or month without the day")
    ]


def test_times_are_days_of_the_tenant(tmp_path: Path) -> None:
    mapping = parse_mapping("{time_zone: Africa/Lagos, facility: {datim_id: {constant: dat9}}}")
    reading = one(tmp_path, dispense(1, DAY, whenHandedOver="2024-01-09T23:15:00Z"), mapping)
    assert of([reading], DispensationFact)[0].date_dispensed == date(2024, 1, 10)


@pytest.mark.parametrize(
    ("supply", "days"),
    [
        ({"daysSupply": {"value": 3, "code": "mo"}}, 90),
        ({"daysSupply": {"value": 12, "unit": "weeks"}}, 84),
        ({"daysSupply": None}, None),
        (
            {
                "daysSupply": None,
                "dosageInstruction": [
                    {
                        "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
                        "doseAndRate": [{"doseQuantity": {"value": 1}}],
                    }
                ],
            },
            45,
        ),
    ],
)
def test_days_of_a_supply(tmp_path: Path, supply: dict[str, Any], days: int | None) -> None:
    assert of([one(tmp_path, dispense(1, DAY, **supply))], DispensationFact)[0].days_supplied == days


@pytest.mark.parametrize(
    ("concept", "quantity", "expected"),
    [
        (856, {"value": 3, "unit": "log10 copies/mL"}, 1000),
        (5497, {"value": 0.35, "code": "10*9/L"}, 350),
        (5089, {"value": 61500, "code": "g"}, 61.5),
        (5090, {"value": 1.7, "code": "m"}, 170),
    ],
)
def test_quantities_come_in_the_units_of_the_platform(
    tmp_path: Path, concept: int, quantity: dict[str, Any], expected: float
) -> None:
    reading = one(tmp_path, observation(1, concept, DAY, {"valueQuantity": quantity}))
    assert of([reading], ObservationFact)[0].value_numeric == pytest.approx(expected)


def test_the_mapping_names_codes_identifiers_and_facilities(tmp_path: Path) -> None:
    mapping = parse_mapping("""
fhir:
  codes: {next_appointment: "https://own|due"}
  variables: {viral_load: [own-vl]}
  hospital_number: ["https://own/ids"]
  facilities: {loc1: dat7}
  antiretrovirals: [TDF/3TC/DTG]
""")
    due = observation(
        1, 1, DAY, {"valueDateTime": "2024-04-09"}, code={"coding": [{"system": "https://own", "code": "due"}]}
    )
    load = observation(1, 2, DAY, {"valueInteger": 50}, code={"coding": [{"code": "own-vl"}]})
    person = patient(1)
    person["identifier"][1] = {"system": "https://own/ids", "value": "H-7"}
    other = dispense(1, "2024-01-11", medicationCodeableConcept={"text": "Cotrimoxazole"})
    readings = lines(tmp_path, [due, load, person, dispense(1, DAY), other], mapping)
    assert of(readings, VisitFact)[0].next_appointment == date(2024, 4, 9)
    assert of(readings, ObservationFact)[0].value_numeric == 50
    assert (of(readings, PatientFact)[0].hospital_number, of(readings, PatientFact)[0].facility) == ("H-7", "dat7")
    assert readings[-1].left_out


def test_the_latest_encounter_gives_the_facility_where_the_patient_names_none(tmp_path: Path) -> None:
    person = patient(1, identifier=[])
    first = {**location(), "id": "loc2", "identifier": [{"type": {"text": "DATIM ID"}, "value": "dat2"}]}
    before = encounter(1, "2023-01-10", location=[{"location": {"reference": "Location/loc2"}}])
    readings = lines(tmp_path, [person, encounter(1, DAY), before, location(), first])
    assert of(readings, PatientFact)[0].facility == "dat1"


def test_an_organization_is_a_facility_too(tmp_path: Path) -> None:
    place = {**location(), "resourceType": "Organization", "id": "org1"}
    named = {"identifier": [{"type": {"text": "DATIM ID"}, "value": "dat8"}]}
    managed = patient(1, identifier=[], managingOrganization={"reference": "Organization/org1"})
    assert of(lines(tmp_path, [{**place, **named}, managed]), PatientFact)[0].facility == "dat8"
    served = encounter(1, DAY, location=[], serviceProvider={"reference": "Organization/org1"})
    readings = lines(tmp_path, [patient(1, identifier=[]), served, {**place, **named}])
    assert of(readings, PatientFact)[0].facility == "dat8"


def test_a_patient_without_a_facility_is_rejected(tmp_path: Path) -> None:
    (reading,) = lines(tmp_path, [patient()])
    assert (reading.facts, reading.rejections[0].problem) == ([], "the facility is missing")


def test_a_death_without_a_day_is_still_a_death(tmp_path: Path) -> None:
    dead = one(tmp_path, patient(deceasedBoolean=None, deceasedDateTime="2024-03-01T10:00:00+01:00"))
    assert [(fact.state, fact.start_date) for fact in of([dead], PatientStateFact)] == [("died", date(2024, 3, 1))]
    undated = one(tmp_path, patient(deceasedBoolean=True))
    assert [(fact.state, fact.start_date) for fact in of([undated], PatientStateFact)] == [("died", None)]
    wrong = one(tmp_path, patient(deceasedBoolean=None, deceasedDateTime="soon"))
    assert [(fact.state, fact.start_date) for fact in of([wrong], PatientStateFact)] == [("died", None)]
    assert [bad.field for bad in wrong.rejections] == ["Patient.deceasedDateTime"]
    alive = one(tmp_path, patient(deceasedBoolean=False))
    assert not of([alive], PatientStateFact)


def test_the_reason_for_the_end_of_care_is_a_state(tmp_path: Path) -> None:
    value = {"valueCodeableConcept": {"coding": [{"code": "159492"}], "text": "Transferred out"}}
    reading = one(tmp_path, observation(1, 165470, DAY, value))
    assert [(fact.state, fact.start_date) for fact in of([reading], PatientStateFact)] == [
        ("transferred_out", date(2024, 1, 10))
    ]


def test_broken_lines_are_rejected_one_by_one(tmp_path: Path) -> None:
    good = json.dumps(dispense(1, DAY))
    path = tmp_path / "all.ndjson"
    path.write_bytes(
        b"\n".join([good.encode(), good[:40].encode(), b"", b"7", b'{"a": 1}', b"\xff\xfe{", good.encode()])
    )
    readings = read(path, mapping=CLINIC)
    assert [(reading.line, bool(reading.facts)) for reading in readings] == [
        (1, True),
        (2, False),
        (4, False),
        (5, False),
        (6, False),
        (7, True),
    ]


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.99])
def test_a_bundle_that_is_cut_off_is_rejected_as_a_whole(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "one.json"
    text = json.dumps(bundle([*resources(), location()]), indent=1)
    path.write_text(text[: int(len(text) * keep)], encoding="utf-8")
    with pytest.raises(Invalid, match="cut off or damaged"):
        read(path)


def outcome(*severities: str) -> dict[str, Any]:
    """What a server sends when it cannot answer, or to comment on its answer."""
    issues = [{"severity": severity, "code": "processing", "diagnostics": "Aaa Bbb"} for severity in severities]
    return {"resourceType": "OperationOutcome", "issue": issues}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(outcome("error")),
        json.dumps(outcome("warning", "fatal"), indent=1),
        json.dumps({"resourceType": "OperationOutcome"}),
        ndjson([outcome("error"), outcome("error")]),
        json.dumps({"resourceType": "Bundle", "entry": [{"resource": outcome("error")}]}, indent=1),
    ],
    ids=["line", "indented", "bare", "lines", "bundle"],
)
def test_the_error_of_a_server_is_no_export(tmp_path: Path, text: str) -> None:
    path = tmp_path / "one.json"
    path.write_text(text, encoding="utf-8")
    for act in (lambda: read(path), lambda: FhirResources().data_date(from_paths([path]), Mapping())):
        with pytest.raises(Invalid, match="holds an OperationOutcome: the server answered with an error") as caught:
            act()
        assert "export it again" in caught.value.remedy
        assert "Aaa" not in f"{caught.value.detail}{caught.value.remedy}"


def test_the_error_of_a_server_among_records_is_rejected_and_its_warnings_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "all.ndjson"
    content = [*resources()[:1], outcome("error"), outcome("warning", "information"), location()]
    path.write_text(ndjson(content), encoding="utf-8")
    readings = read(path)
    assert [bool(item.facts) for item in readings] == [True, False, False, False]
    assert [item.left_out for item in readings] == [False, False, True, True]
    (bad,) = readings[1].rejections
    assert (bad.field, bad.problem) == ("OperationOutcome", "the server answered with an error instead of records")


def test_bundles_without_bounds_are_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "one.json"
    deep = '{"resourceType": "Bundle",\n"entry": [' + '{"resource": ' * 5000
    path.write_text(deep, encoding="utf-8")
    with pytest.raises(Invalid, match="nested too deeply"):
        read(path)
    monkeypatch.setattr(fhir_stream, "MAX_EVENTS", 50)
    path.write_text(json.dumps(bundle(resources()), indent=1), encoding="utf-8")
    with pytest.raises(Invalid, match="too large"):
        read(path)
    monkeypatch.setattr(fhir_stream, "MAX_RESOURCE", 100)
    path.write_text(ndjson(resources()), encoding="utf-8")
    assert all("the line is over" in reading.rejections[0].problem for reading in read(path))


def test_the_data_date_is_the_latest_day_or_stamp(tmp_path: Path) -> None:
    path = tmp_path / "all.ndjson"
    path.write_text(ndjson([dispense(1, DAY, meta={"lastUpdated": "2024-02-20T08:00:00+01:00"})]), encoding="utf-8")
    assert FhirResources().data_date(from_paths([path]), Mapping()) == date(2024, 2, 20)
