"""A report names an implausible value as its file does: by a heading, or by a place in the document."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from tenants.imports.formats.radet_lamisplus import HEADINGS
from tenants.imports.formats.radet_nmrs import HEADINGS as NMRS_HEADINGS
from tenants.imports.mapping import Mapping
from tenants.imports.plausibility import judged
from tenants.imports.reading.reader import reader
from tenants.imports.reading.sources import from_paths

from .documents_of import container, location, message, ndjson, obs, resources
from .fixtures_lists import lamisplus_row, nmrs_row, write_csv

DATA_DATE = date(2024, 6, 30)
NEWER = (*NMRS_HEADINGS, "CurrentCD4Count", "CurrentCD4CountDate", "PatientOutcomeDate")
LATE = "2024-12-24"


def named(name: str, path: Path) -> list[str]:
    """The fields of the implausible values in a file."""
    (*readings,) = reader(name).read(from_paths([path]), Mapping())
    assert not [bad for reading in readings for bad in reading.rejections]
    facts = [fact for reading in readings for fact in reading.facts]
    verdicts = [judged(fact, DATA_DATE, date(2026, 1, 1)) for fact in facts]
    return [bad.field for verdict in verdicts for bad in (*verdict.rejections, *verdict.omissions)]


SAMPLE, REPORTED = "Date of Current ViralLoad Result Sample (yyyy-mm-dd)", "Date of Current Viral Load (yyyy-mm-dd)"
EAC, EAC_SAMPLE = (
    "Repeat Viral load result (c/ml)- POST EAC",
    "Date of Repeat Viral Load - Post EAC VL Sample collected (yyyy-mm-dd)",
)


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ({"Current Viral Load (c/ml)": -5, SAMPLE: "2024-05-01"}, "Current Viral Load (c/ml)"),
        ({"Current Viral Load (c/ml)": 5, SAMPLE: LATE}, SAMPLE),
        ({"Current Viral Load (c/ml)": 5, REPORTED: LATE}, REPORTED),
        ({EAC: -5, EAC_SAMPLE: "2024-05-01"}, EAC),
        ({"Last CD4 Count": 90_000, "Date of Last CD4 Count": "2024-05-01"}, "Last CD4 Count"),
        ({"Last CD4 Count": 90, "Date of Last CD4 Count": LATE}, "Date of Last CD4 Count"),
        ({"Current ART Status": "Died", "Date of Current ART Status": LATE}, "Date of Current ART Status"),
    ],
)
def test_a_radet_of_lamisplus_is_named_by_its_headings(tmp_path: Path, cells: dict[str, object], field: str) -> None:
    path = write_csv(tmp_path / "radet.csv", HEADINGS, [lamisplus_row(1, **cells)])
    assert named("radet-lamisplus", path) == [field]
    assert field in HEADINGS


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ({"CurrentViralLoad(c/ml)": -5}, "CurrentViralLoad(c/ml)"),
        ({"ViralLoadSampleCollectionDate": LATE}, "ViralLoadSampleCollectionDate"),
        ({"ViralLoadSampleCollectionDate": "", "ViralLoadReportedDate": LATE}, "ViralLoadReportedDate"),
        ({"CurrentCD4Count": 90_000, "CurrentCD4CountDate": "2024-05-01"}, "CurrentCD4Count"),
        ({"CurrentWeight(Kg)": 900}, "CurrentWeight(Kg)"),
        ({"CurrentWeightDate": LATE}, "CurrentWeightDate"),
        ({"PregnancyStatus": "Pregnant", "PregnancyStatusDate": LATE}, "PregnancyStatusDate"),
        ({"MarkAsDeseased": "true", "MarkAsDeseasedDeathDate": LATE}, "MarkAsDeseasedDeathDate"),
        ({"CurrentARTStatus": "Transferred Out", "PatientOutcomeDate": LATE}, "PatientOutcomeDate"),
    ],
)
def test_a_radet_of_nmrs_is_named_by_its_headings(tmp_path: Path, cells: dict[str, object], field: str) -> None:
    path = write_csv(tmp_path / "radet.csv", NEWER, [nmrs_row(1, **cells)])
    assert named("radet-nmrs", path) == [field]
    assert field in NEWER


LAB = "IndividualReport.Condition[0].LaboratoryReport[0]"
VALUE = "<AnswerNumeric><Value1>40</Value1></AnswerNumeric>"
RESULT = f"{LAB}.LaboratoryOrderAndResult[0].LaboratoryResult"
DATES = "<VisitDate>2024-04-09</VisitDate>\n        <CollectionDate>2024-04-09</CollectionDate>"
ORDERED = "<OrderedTestDate>2024-04-09</OrderedTestDate>"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({VALUE: VALUE.replace("40", "-5")}, f"{RESULT}.AnswerNumeric.Value1"),
        ({VALUE: "<AnswerNumeric>-5</AnswerNumeric>"}, f"{RESULT}.AnswerNumeric"),
        ({VALUE: "<AnswerText>-5</AnswerText>"}, f"{RESULT}.AnswerText"),
        ({DATES: DATES.replace("<CollectionDate>2024-04-09", f"<CollectionDate>{LATE}")}, f"{LAB}.CollectionDate"),
        ({DATES: f"<VisitDate>{LATE}</VisitDate>"}, f"{LAB}.VisitDate"),
        (
            {DATES: "", ORDERED: f"<OrderedTestDate>{LATE}</OrderedTestDate>"},
            f"{LAB}.LaboratoryOrderAndResult[0].OrderedTestDate",
        ),
        (
            {"<CD4>": f"<CD4TestDate>{LATE}</CD4TestDate><CD4>"},
            "IndividualReport.Condition[0].Encounters.HIVEncounter[0].CD4TestDate",
        ),
    ],
)
def test_an_ndr_message_is_named_by_its_elements(tmp_path: Path, changes: dict[str, str], field: str) -> None:
    text = message()
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after, 1)
    path = tmp_path / "one.xml"
    path.write_text(text, encoding="utf-8")
    assert named("ndr-xml", path) == [field]


@pytest.mark.parametrize(
    ("name", "concept", "value"),
    [
        ("valueNumeric", 5497, 90_000),
        ("valueText", 5497, "90000"),
        ("valueCoded", 5497, "90000"),
        ("valueCoded", 165290, "Sometimes"),
    ],
)
def test_a_container_is_named_by_the_field_of_the_value(tmp_path: Path, name: str, concept: int, value: object) -> None:
    content = container()
    observation = obs("e1-3", "2024-04-09 10:00:00", 0, conceptId=concept)
    del observation["valueNumeric"]
    content["messageData"]["obs"].append({**observation, name: value})
    path = tmp_path / "one.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert named("nmrs-json", path) == [f"messageData.obs[11].{name}"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"valueQuantity": {"value": 90_000}}, "Observation.valueQuantity.value"),
        ({"valueInteger": 90_000}, "Observation.valueInteger"),
        ({"valueString": "90000"}, "Observation.valueString"),
    ],
)
def test_an_observation_is_named_by_the_element_of_its_value(
    tmp_path: Path, values: dict[str, object], field: str
) -> None:
    cd4 = {
        "resourceType": "Observation",
        "id": "cd4",
        "status": "final",
        "code": {"coding": [{"code": "24467-3"}]},
        "subject": {"reference": "Patient/patient-1"},
        "effectiveDateTime": "2024-04-09",
        **values,
    }
    path = tmp_path / "all.ndjson"
    path.write_text(ndjson([*resources(), location(), cd4]), encoding="utf-8")
    assert named("fhir-r4", path) == [field]
