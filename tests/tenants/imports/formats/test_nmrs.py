"""NMRS containers: the facts of one, voided and rejected records, folders and archives of containers."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from core.errors import Invalid
from tenants.imports.facts import (
    DispensationFact,
    Fact,
    ObservationFact,
    PatientFact,
    PatientStateFact,
    Reading,
    VisitFact,
)
from tenants.imports.formats import documents
from tenants.imports.formats.nmrs import NmrsContainers
from tenants.imports.mapping import Mapping, parse_mapping
from tenants.imports.reading.reader import Position, detect
from tenants.imports.reading.sources import from_paths

from .documents_of import container, inner_zip, obs, zipped


def read(path: Path, mapping: Mapping | None = None) -> list[Reading]:
    return list(NmrsContainers().read(from_paths([path]), mapping or Mapping()))


def one(folder: Path, content: object, mapping: Mapping | None = None) -> Reading:
    path = folder / "one.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    (reading,) = read(path, mapping)
    return reading


def of(reading: Reading, kind: type[Fact]) -> list[Any]:
    return [fact for fact in reading.facts if isinstance(fact, kind)]


def test_a_container_becomes_a_person_with_pickups_visits_and_results(tmp_path: Path) -> None:
    reading = one(tmp_path, container())
    assert not reading.rejections
    (person,) = of(reading, PatientFact)
    assert (person.patient, person.facility, person.pepfar_id, person.hospital_number) == (
        "patient-1",
        "dat1",
        "PEP-1",
        "H-1",
    )
    assert (person.sex, person.birthdate, person.art_start_date) == ("F", date(1988, 2, 3), date(2024, 1, 10))
    assert [
        (fact.date_dispensed, fact.days_supplied, fact.regimen, fact.regimen_line, fact.next_appointment)
        for fact in of(reading, DispensationFact)
    ] == [
        (date(2024, 1, 10), 90, "TDF/3TC/DTG", "Adult first line", date(2024, 4, 9)),
        (date(2024, 4, 9), 90, "TDF/3TC/DTG", "Adult first line", date(2024, 7, 8)),
    ]
    assert [(fact.date_started, fact.next_appointment) for fact in of(reading, VisitFact)] == [
        (date(2024, 1, 10), None),
        (date(2024, 4, 9), None),
        (date(2024, 4, 9), date(2024, 7, 8)),
    ]
    assert {(fact.variable_name, fact.value_numeric, fact.value_coded) for fact in of(reading, ObservationFact)} == {
        ("viral_load", 40, None),
        ("weight", 61.5, None),
        ("arv_adherence", None, "good"),
    }


def test_voided_records_are_tombstones_on_every_level(tmp_path: Path) -> None:
    content = container()
    body = content["messageData"]
    body["visits"][0]["voided"] = 1
    body["encounters"][0]["voided"] = "1"
    body["obs"][4]["voided"] = body["obs"][5]["voided"] = True  # everything in the second pick-up
    body["obs"][8]["voided"] = 1
    reading = one(tmp_path, content)
    assert not reading.rejections
    assert [fact.voided for fact in of(reading, VisitFact)] == [True, False, False]
    assert [fact.voided for fact in of(reading, DispensationFact)] == [True, True]
    assert {fact.variable_name for fact in of(reading, ObservationFact) if fact.voided} == {"viral_load"}
    (person,) = of(reading, PatientFact)
    assert not person.voided
    assert person.art_start_date is None  # stated only in a voided encounter


def test_a_voided_patient_voids_everything(tmp_path: Path) -> None:
    reading = one(tmp_path, container(voided=1))
    assert all(fact.voided for fact in reading.facts if fact.kind != "facilities")


def test_a_voided_visit_voids_its_encounters_and_their_observations(tmp_path: Path) -> None:
    content = container()
    content["messageData"]["visits"][1]["voided"] = 1
    for encounter in content["messageData"]["encounters"][1:]:
        encounter["visitUuid"] = "v1-2"
    reading = one(tmp_path, content)
    assert [fact.voided for fact in of(reading, DispensationFact)] == [False, True]
    assert all(fact.voided for fact in of(reading, ObservationFact))


def test_an_observation_without_its_own_id_that_was_corrected_counts_once(tmp_path: Path) -> None:
    content = container()
    wrong = obs("e1-3", "2024-04-09 10:00:00", 9_000_000_000_000, conceptId=856, voided=1)
    content["messageData"]["obs"].insert(0, wrong)
    loads = [fact for fact in of(one(tmp_path, content), ObservationFact) if fact.variable_name == "viral_load"]
    assert [(fact.value_numeric, fact.voided) for fact in loads] == [(40, False)]


@pytest.mark.parametrize(
    ("reason", "state"),
    [("159492", "transferred_out"), (165889, "died"), ("Transferred Out", "transferred_out"), ("elsewhere", None)],
)
def test_the_tracking_form_says_how_care_ended(tmp_path: Path, reason: object, state: str | None) -> None:
    content = container()
    body = content["messageData"]
    body["encounters"].append(
        {"encounterUuid": "t", "encounterDatetime": "2024-05-20 00:00:00", "encounterType": 15, "voided": 0}
    )
    body["obs"] += [
        obs("t", "2024-05-20 00:00:00", "Yes", conceptId=165586),
        obs("t", "2024-05-20 00:00:00", reason, conceptId=165470),
        obs("t", "2024-05-20 00:00:00", "2024-05-02", conceptId=165469),
    ]
    states = [(fact.state, fact.start_date) for fact in of(one(tmp_path, content), PatientStateFact)]
    assert states == ([(state, date(2024, 5, 2))] if state else [])


def test_the_mapping_sets_other_concepts_types_and_answers(tmp_path: Path) -> None:
    content = container()
    body = content["messageData"]
    body["patientIdentifiers"][1]["identifierType"] = 3
    body["obs"] = [
        obs("e1-1", "2024-01-10 09:30:00", 60, conceptId=7777),
        obs("e1-3", "2024-04-09 10:00:00", "166666", conceptId=165290),
    ]
    mapping = parse_mapping("""
nmrs:
  concepts: {days_supplied: 7777}
  hospital_number: [3]
  answers: {166666: poor}
""")
    reading = one(tmp_path, content, mapping)
    assert [fact.days_supplied for fact in of(reading, DispensationFact)] == [60, None]
    assert [fact.value_coded for fact in of(reading, ObservationFact)] == ["poor"]
    assert of(reading, PatientFact)[0].hospital_number == "H-1"


def test_a_wrong_record_is_rejected_by_its_place_and_the_person_stays(tmp_path: Path) -> None:
    content = container(gender="?", birthdate="soon")
    body = content["messageData"]
    body["obs"][8]["obsDatetime"] = "2024-13-45"
    body["obs"][9]["valueNumeric"] = "heavy"
    body["visits"][0]["dateStarted"] = None
    body["encounters"].append("not a record")
    reading = one(tmp_path, content)
    assert {bad.field for bad in reading.rejections} == {
        "messageData.demographics.gender",
        "messageData.demographics.birthdate",
        "messageData.obs[8].obsDatetime",
        "messageData.obs[9].valueNumeric",
        "messageData.visits[0].dateStarted",
        "messageData.encounters[3]",
    }
    assert of(reading, PatientFact)
    assert len(of(reading, DispensationFact)) == 2
    report = " ".join(f"{bad.problem} {bad.remedy}" for bad in reading.rejections)
    assert not any(value in report for value in ("soon", "heavy", "2024-13-45", "patient-1"))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "empty"),
        (b"{", "not whole JSON"),
        (b"[1, 2]", "not an NMRS container"),
        (b'{"messageData": {}}', "not an NMRS container"),
        (b'{"messageData": {"demographics": {}}}', "identifier is missing"),
        (b'{"messageData": {"demographics": {"patientUuid": "a\\u0000b"}}}', "control character"),
        (b'{"messageData": {"demographics": {"patientUuid": "a"}}}', "facility is missing"),
        (b'{"messageData":' * 2000, "not whole JSON"),
        (b"\x81\x8d\x8f", "not UTF-8"),
        (b"PK\x03\x04 not really", "cut off or damaged"),
    ],
)
def test_a_file_that_is_no_container_is_rejected(tmp_path: Path, data: bytes, problem: str) -> None:
    path = tmp_path / "one.json"
    path.write_bytes(data)
    try:
        (reading,) = read(path)
    except Invalid as rejected:
        assert problem in rejected.detail  # noqa: PT017 - an archive that cannot be opened fails the import
        return
    assert not reading.facts
    assert problem in reading.rejections[0].problem
    assert reading.rejections[0].remedy


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_other_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps(container(cityVillage="Ségou"), ensure_ascii=False), encoding=encoding)
    (reading,) = read(path)
    assert of(reading, PatientFact)[0].city_village == "Ségou"


def test_times_with_a_zone_are_days_of_the_tenant(tmp_path: Path) -> None:
    content = container()
    content["messageData"]["visits"] = [
        {"visitUuid": "a", "dateStarted": "2024-01-09T23:30:00.000Z", "voided": 0},
        {"visitUuid": "b", "dateStarted": {"$date": "2024-01-09T23:30:00Z"}, "voided": 0},
        {"visitUuid": "c", "dateStarted": 1704843000000, "voided": 0},
        {"visitUuid": "d", "dateStarted": "2024-01-10 00:30:00", "voided": 0},
        {"visitUuid": "e", "dateStarted": "Jan 10, 2024 12:30:00 AM", "voided": 0},
    ]
    reading = one(tmp_path, content, parse_mapping("time_zone: Africa/Lagos"))
    assert [fact.date_started for fact in of(reading, VisitFact)][:5] == [date(2024, 1, 10)] * 5


def test_an_archive_is_read_member_by_member_and_broken_ones_are_rejected(tmp_path: Path) -> None:
    path = zipped(
        tmp_path / "all.zip",
        {
            "clinic/": "",
            "clinic/1.json": json.dumps(container(1)),
            "../../2.json": json.dumps(container(2))[:-20],
            "__MACOSX/x.json": "junk",
            "inner.zip": inner_zip(),
            "3.json": json.dumps(container(3)),
        },
    )
    sources = from_paths([path])
    assert detect(sources).name == "nmrs-json"
    readings = list(NmrsContainers().read(sources, Mapping()))
    assert [(reading.line, bool(reading.facts)) for reading in readings] == [
        (1, True),
        (2, False),
        (3, False),
        (4, True),
    ]
    assert [reading.rejections[0].field for reading in readings if reading.rejections] == [
        "file (in 2.json)",
        "file (in inner.zip)",
    ]
    assert "archive within the archive" in readings[2].rejections[0].problem
    rest = list(NmrsContainers().read(sources, Mapping(), after=Position(0, 2)))
    assert [reading.line for reading in rest] == [3, 4]
    assert not (tmp_path.parent.parent / "2.json").exists()


def test_bombs_and_archives_of_too_many_files_are_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MIN_BOMB_BYTES", 1 << 16)
    bomb = zipped(tmp_path / "bomb.zip", {"1.json": b" " * (4 << 20)})
    with pytest.raises(Invalid, match="expands to"):
        read(bomb)
    monkeypatch.setattr(documents, "MAX_MEMBERS", 2)
    crowd = zipped(tmp_path / "crowd.zip", {f"{number}.json": "{}" for number in range(3)})
    with pytest.raises(Invalid, match="members"):
        read(crowd)
    monkeypatch.setattr(documents, "MAX_DOCUMENT", 1000)
    large = tmp_path / "large.json"
    large.write_text(json.dumps(container()), encoding="utf-8")
    (reading,) = read(large)
    assert "the file is over" in reading.rejections[0].problem


def test_the_data_date_is_the_latest_date_in_the_files(tmp_path: Path) -> None:
    content = container()
    path = tmp_path / "one.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert NmrsContainers().data_date(from_paths([path]), Mapping()) == date(2024, 6, 30)
    del content["messageHeader"]["messageCreationDateTime"]
    path.write_text(json.dumps(content), encoding="utf-8")
    assert NmrsContainers().data_date(from_paths([path]), Mapping()) == date(2024, 4, 9)


def test_records_keep_their_stamps(tmp_path: Path) -> None:
    content = container(dateCreated="2024-01-10 11:00:00", dateChanged="2024-05-01 10:00:00")
    content["messageData"]["visits"][0]["dateChanged"] = "2024-01-12 08:00:00"
    reading = one(tmp_path, content)
    assert of(reading, PatientFact)[0].known_at == datetime(2024, 1, 10, 11)  # noqa: DTZ001 - of the tenant's zone
    assert of(reading, VisitFact)[0].known_at == datetime(2024, 1, 12, 8)  # noqa: DTZ001 - of the tenant's zone


def test_a_date_of_zeros_is_not_recorded(tmp_path: Path) -> None:
    zeros = "0000-00-00 00:00:00"
    reading = one(tmp_path, container(1, birthdate=zeros, deathDate=zeros))
    (person,) = of(reading, PatientFact)
    assert (person.birthdate, of(reading, PatientStateFact), reading.rejections) == (None, [], [])


@pytest.mark.parametrize("flag", ["dead", "deceased", "markAsDeceased"])
def test_a_person_marked_as_dead_is_dead_without_a_day(tmp_path: Path, flag: str) -> None:
    (state,) = of(one(tmp_path, container(1, **{flag: True})), PatientStateFact)
    assert (state.state, state.start_date) == ("died", None)
    assert not of(one(tmp_path, container(1, **{flag: 0})), PatientStateFact)


def test_of_two_durations_on_one_form_the_shorter_counts(tmp_path: Path) -> None:
    content = container(1)
    for item in content["messageData"]["obs"]:
        if item.get("variableName") == "Medication duration":
            content["messageData"]["obs"].append({**item, "valueNumeric": 180, "valueText": None})
            break
    pickups = of(one(tmp_path, content), DispensationFact)
    assert min(pickups, key=lambda fact: fact.date_dispensed).days_supplied == 90
