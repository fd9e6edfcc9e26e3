"""What results and drugs of FHIR resources mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tenants.imports.facts import DispensationFact, Fact, ObservationFact
from tenants.imports.formats.fhir import FhirResources
from tenants.imports.mapping import parse_mapping
from tenants.imports.reading.sources import from_paths

from .documents_of import dispense, ndjson, observation

DAY = "2024-01-10"


def of(folder: Path, resource: dict[str, Any], kind: type[Fact]) -> list[Any]:
    path = folder / "one.ndjson"
    path.write_text(ndjson([resource]), encoding="utf-8")
    readings = FhirResources().read(from_paths([path]), parse_mapping("{}"))
    return [fact for reading in readings for fact in reading.facts if isinstance(fact, kind)]


@pytest.mark.parametrize(
    "value",
    [
        {"valueString": "LDL"},
        {"valueString": "<LDL"},
        {"valueString": "Target Not Detected"},
        {"valueCodeableConcept": {"text": "Not detected"}},
        {"valueCodeableConcept": {"coding": [{"code": "1302".ljust(36, "A")}]}},
        {"valueCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": "260415000"}]}},
    ],
)
@pytest.mark.parametrize("concept", [856, 1305])
def test_a_viral_load_too_low_to_be_measured_is_a_result(tmp_path: Path, value: dict[str, Any], concept: int) -> None:
    (fact,) = of(tmp_path, observation(1, concept, DAY, value), ObservationFact)
    assert (fact.variable_name, fact.value_numeric, fact.value_text) == ("viral_load", 1.0, "<")


def test_a_number_of_copies_may_have_its_unit_and_other_answers_stay_answers(tmp_path: Path) -> None:
    (limit,) = of(tmp_path, observation(1, 856, DAY, {"valueString": "<20 copies/ml"}), ObservationFact)
    assert (limit.value_numeric, limit.value_text) == (20.0, "<")
    coded = {"valueCodeableConcept": {"text": "Specimen rejected"}}
    (other,) = of(tmp_path, observation(1, 856, DAY, coded), ObservationFact)
    assert (other.value_numeric, other.value_coded) == (None, "Specimen rejected")


@pytest.mark.parametrize(
    ("drug", "antiretroviral"),
    [
        ({"text": "TLD"}, True),
        ({"coding": [{"code": "1", "display": "Dolutegravir 50mg"}]}, True),
        ({"text": "Cough syrup"}, False),
        ({"text": "Cotrimoxazole 960mg"}, False),
    ],
)
def test_a_drug_that_is_no_antiretroviral_is_no_treatment(
    tmp_path: Path, drug: dict[str, Any], *, antiretroviral: bool
) -> None:
    (fact,) = of(tmp_path, dispense(1, DAY, medicationCodeableConcept=drug), DispensationFact)
    assert fact.antiretroviral is antiretroviral
