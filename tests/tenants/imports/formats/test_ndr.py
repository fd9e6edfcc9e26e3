"""NDR messages: the facts of one, how treatment ended, hostile and damaged XML."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tenants.imports.facts import (
    DispensationFact,
    Fact,
    ObservationFact,
    PatientFact,
    PatientStateFact,
    Reading,
    VisitFact,
)
from tenants.imports.formats.ndr import NdrMessages
from tenants.imports.mapping import Mapping, parse_mapping
from tenants.imports.reading.reader import Position, detect
from tenants.imports.reading.sources import from_paths

from .documents_of import message, zipped

ENTITIES = '<!DOCTYPE Container [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE Container SYSTEM "http://127.0.0.1:9/x.dtd">'


def one(folder: Path, text: str | bytes, mapping: Mapping | None = None) -> Reading:
    path = folder / "one.xml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    (reading,) = NdrMessages().read(from_paths([path]), mapping or Mapping())
    return reading


def of(reading: Reading, kind: type[Fact]) -> list[Any]:
    return [fact for fact in reading.facts if isinstance(fact, kind)]


def test_a_message_becomes_a_person_with_visits_pickups_and_results(tmp_path: Path) -> None:
    reading = one(tmp_path, message())
    assert not reading.rejections
    (person,) = of(reading, PatientFact)
    assert (person.patient, person.facility, person.hospital_number, person.pepfar_id) == (
        "dat1_H-1",
        "dat1",
        "H-1",
        "PEP-1",
    )
    assert (person.birthdate, person.sex, person.art_start_date) == (date(1988, 2, 3), "F", date(2024, 1, 10))
    assert [(fact.date_started, fact.next_appointment) for fact in of(reading, VisitFact)] == [
        (date(2024, 1, 10), date(2024, 4, 9)),
        (date(2024, 4, 9), date(2024, 7, 8)),
    ]
    assert [
        (fact.date_dispensed, fact.days_supplied, fact.regimen, fact.regimen_line, fact.dsd_model)
        for fact in of(reading, DispensationFact)
    ] == [
        (date(2024, 1, 10), 90, "TDF/3TC/DTG", "10", "Facility"),
        (date(2024, 4, 9), 90, "TDF/3TC/DTG", "10", "Facility"),
    ]
    results = {(fact.variable_name, fact.value_numeric, fact.value_coded) for fact in of(reading, ObservationFact)}
    assert results == {
        ("viral_load", 40, None),
        ("cd4", 350, None),
        ("weight", 61, None),
        ("arv_adherence", None, "good"),
    }


@pytest.mark.parametrize(
    ("questions", "expected"),
    [
        ("<PatientHasDied>true</PatientHasDied><DeathDate>2024-05-01</DeathDate>", "died"),
        (
            "<PatientTransferredOut>true</PatientTransferredOut><TransferredOutDate>2024-05-01</TransferredOutDate>",
            "transferred_out",
        ),
        ("<StoppedTreatment>1</StoppedTreatment><DateStoppedTreatment>2024-05-01</DateStoppedTreatment>", "stopped"),
        (
            "<PatientTransferredIn>true</PatientTransferredIn><TransferredInDate>2024-05-01</TransferredInDate>",
            "transferred_in",
        ),
        ("<PatientHasDied>false</PatientHasDied><DeathDate>2024-05-01</DeathDate>", None),
    ],
)
def test_how_treatment_ended(tmp_path: Path, questions: str, expected: str | None) -> None:
    states = [
        (fact.state, fact.start_date) for fact in of(one(tmp_path, message(questions=questions)), PatientStateFact)
    ]
    assert states == ([(expected, date(2024, 5, 1))] if expected else [])


def test_a_redacted_message_voids_everything(tmp_path: Path) -> None:
    reading = one(tmp_path, message(status="REDACTED"))
    assert all(fact.voided for fact in reading.facts if fact.kind != "facilities")


def test_regimens_that_are_not_antiretroviral_are_no_pickups(tmp_path: Path) -> None:
    text = message().replace("<PrescribedRegimenTypeCode>ART<", "<PrescribedRegimenTypeCode>CTX<", 1)
    assert len(of(one(tmp_path, text), DispensationFact)) == 1
    taken = parse_mapping("ndr: {antiretroviral: [ART, CTX]}")
    assert len(of(one(tmp_path, text, taken), DispensationFact)) == 2


def test_a_wrong_record_is_rejected_by_its_place_and_the_person_stays(tmp_path: Path) -> None:
    text = message(questions="<PatientHasDied>true</PatientHasDied>")
    text = text.replace("<PrescribedRegimenDuration>90<", "<PrescribedRegimenDuration>ninety<", 1)
    text = text.replace("<VisitDate>2024-04-09</VisitDate><Weight>", "<VisitDate>never</VisitDate><Weight>")
    text = text.replace("<PatientSexCode>F<", "<PatientSexCode>?<")
    reading = one(tmp_path, text)
    assert {bad.field for bad in reading.rejections} == {
        "IndividualReport.PatientDemographics.PatientSexCode",
        "IndividualReport.Condition[0].Encounters.HIVEncounter[1].VisitDate",
        "IndividualReport.Condition[0].Regimen[0].PrescribedRegimenDuration",
    }
    assert of(reading, PatientFact)
    assert [(fact.state, fact.start_date) for fact in of(reading, PatientStateFact)] == [("died", None)]
    # A wrong duration rejects the supply, not the pick-up.
    assert [fact.days_supplied for fact in of(reading, DispensationFact)].count(None) == 1
    assert not any(value in f"{bad.problem}{bad.remedy}" for bad in reading.rejections for value in ("ninety", "never"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (message(head=ENTITIES), "declares a DTD"),
        (message(head=OUTSIDE), "declares a DTD"),
        (message()[:900], "not whole XML"),
        ("<a/>", "not an NDR message"),
        ("<Container><IndividualReport/></Container>", "the identifier is missing"),
        ("plain text", "not whole XML"),
        ("<Container><IndividualReport>" + "<a>" * 3000, "nested more than"),
        (message(more=f"<Note>{'x' * 100_000}</Note>"), "a text of more than"),
        (message().replace("dat1_H-1", "H1").replace("<FacilityID>dat1</FacilityID>", ""), ""),
        (b"\x00\x01\x02\x03", "not whole XML"),
    ],
)
def test_hostile_and_damaged_xml_is_rejected(tmp_path: Path, text: str | bytes, problem: str) -> None:
    reading = one(tmp_path, text)
    if not problem:  # the sending tenant is the fallback
        assert of(reading, PatientFact)[0].facility == "partner"
        return
    assert not reading.facts
    assert problem in reading.rejections[0].problem
    assert reading.rejections[0].remedy


@pytest.mark.parametrize(
    ("encoding", "declared"),
    [("utf-8-sig", "UTF-8"), ("utf-16", "UTF-16"), ("cp1252", "windows-1252"), ("cp1252", "UTF-8")],
)
def test_other_encodings_are_read(tmp_path: Path, encoding: str, declared: str) -> None:
    text = message().replace('encoding="UTF-8"', f'encoding="{declared}"').replace("<Town>Town<", "<Town>Ségou<")
    assert of(one(tmp_path, text.encode(encoding)), PatientFact)[0].city_village == "Ségou"


def test_archives_are_read_member_by_member(tmp_path: Path) -> None:
    path = zipped(tmp_path / "all.zip", {"1.xml": message(1), "2.xml": message(2)[:500], "3.xml": message(3)})
    sources = from_paths([path])
    assert detect(sources).name == "ndr-xml"
    readings = list(NdrMessages().read(sources, Mapping()))
    assert [(reading.line, bool(reading.facts)) for reading in readings] == [(1, True), (2, False), (3, True)]
    assert [reading.line for reading in NdrMessages().read(sources, Mapping(), after=Position(0, 2))] == [3]


def test_the_data_date_is_that_of_the_messages(tmp_path: Path) -> None:
    path = tmp_path / "one.xml"
    path.write_text(message(), encoding="utf-8")
    assert NdrMessages().data_date(from_paths([path]), Mapping()) == date(2024, 6, 30)


@pytest.mark.parametrize(
    "change",
    [
        ("</PatientDemographics>", "<PatientDeceasedIndicator>true</PatientDeceasedIndicator></PatientDemographics>"),
        ("</CommonQuestions>", "<PatientDieFromThisIllness>true</PatientDieFromThisIllness></CommonQuestions>"),
    ],
)
def test_a_person_marked_as_dead_is_dead_without_a_day(tmp_path: Path, change: tuple[str, str]) -> None:
    reading = one(tmp_path, message().replace(*change, 1))
    assert [(fact.state, fact.start_date) for fact in of(reading, PatientStateFact)] == [("died", None)]
    assert reading.rejections == []


def test_the_day_of_a_death_comes_from_any_place_in_the_message(tmp_path: Path) -> None:
    questions = "<PatientHasDied>true</PatientHasDied><DeathDate>2024-05-01</DeathDate>"
    text = message(questions=questions).replace(
        "</PatientDemographics>", "<PatientDeceasedIndicator>true</PatientDeceasedIndicator></PatientDemographics>", 1
    )
    states = of(one(tmp_path, text), PatientStateFact)
    assert [(fact.state, fact.start_date) for fact in states] == [("died", date(2024, 5, 1))]
