"""Numbers that spreadsheets or other languages have changed: identifiers and days of supply."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tenants.imports.facts import DispensationFact, PatientFact, Reading
from tenants.imports.formats.radet_lamisplus import HEADINGS
from tenants.imports.formats.radet_nmrs import HEADINGS as NMRS_HEADINGS
from tenants.imports.mapping import parse_mapping
from tenants.imports.reading.reader import reader
from tenants.imports.reading.sources import from_paths
from tests.tenants.imports.formats.documents_of import container, dispense, location, message, ndjson, patient
from tests.tenants.imports.formats.fixtures_lists import PHARMACY, lamisplus_row, nmrs_row, pharmacy_row, write_csv

GENERIC = """
source: partner
files: {drugs: {name: drugs.csv}}
records:
  - {into: dispensations, file: drugs, patient: id, columns: {date_dispensed: day, days_supplied: days, regimen: drug}}
"""


def read(name: str, path: Path, mapping: str = "{}") -> list[Reading]:
    return list(reader(name).read(from_paths([path]), parse_mapping(mapping)))


def pick_ups(readings: list[Reading]) -> list[DispensationFact]:
    return [fact for item in readings for fact in item.facts if isinstance(fact, DispensationFact)]


@pytest.mark.parametrize("cell", ["1,23457E+11", "1.23457E+11", "12345678901234560000", "12345678901234500"])
def test_an_identifier_that_lost_digits_identifies_nobody_in_any_list(tmp_path: Path, cell: str) -> None:
    lists = {
        "lamisplus-pharmacy": (PHARMACY, pharmacy_row(1, "2024-04-09", **{"Patient Id": cell})),
        "radet-lamisplus": (HEADINGS, lamisplus_row(1, **{"Patient ID": cell})),
        "radet-nmrs": (NMRS_HEADINGS, nmrs_row(1, PatientUniqueID=cell)),
    }
    for name, (headings, row) in lists.items():
        (reading,) = read(name, write_csv(tmp_path / f"{name}.csv", headings, [row]))
        assert not [fact for fact in reading.facts if isinstance(fact, PatientFact | DispensationFact)], name
        assert reading.rejections, name
    path = tmp_path / "drugs.csv"
    path.write_text(f'id,day,days,drug\n"{cell}",2024-04-09,90,TLD\n', encoding="utf-8")
    (reading,) = read("csv", path, GENERIC)
    assert (pick_ups([reading]), len(reading.rejections)) == ([], 1)


def semicolons(folder: Path, *refills: str) -> Path:
    """A pharmacy list as a spreadsheet with decimal commas saves it."""
    out = io.StringIO()
    writer = csv.DictWriter(out, PHARMACY, delimiter=";", extrasaction="ignore")
    writer.writeheader()
    for person, refill in enumerate(refills, start=1):
        writer.writerow(pharmacy_row(person, "2024-04-09", refill))
    path = folder / "pharmacy.csv"
    path.write_text(out.getvalue(), encoding="utf-8")
    return path


def test_a_fraction_in_a_list_of_days_is_a_refill_that_cannot_be_read(tmp_path: Path) -> None:
    readings = read("lamisplus-pharmacy", semicolons(tmp_path, "30", "60", "90", "90", "2,8", "1,5", "28,5"))
    assert [fact.days_supplied for fact in pick_ups(readings)] == [30, 60, 90, 90, None, None, None]
    assert [bad.problem for item in readings for bad in item.omissions] == ["a supply of days with a fraction"] * 3


def test_a_fraction_in_a_list_of_months_is_packs_of_four_weeks(tmp_path: Path) -> None:
    readings = read("lamisplus-pharmacy", semicolons(tmp_path, "2,8", "0,9", "3"))
    assert [fact.days_supplied for fact in pick_ups(readings)] == [84, 28, 90]


def test_a_fraction_of_a_day_is_no_supply_in_documents_and_mapped_files(tmp_path: Path) -> None:
    generic, fhir, ndr, nmrs = (tmp_path / name for name in ("drugs.csv", "one.ndjson", "one.xml", "one.json"))
    generic.write_text("id,day,days,drug\np1,2024-04-09,28.5,TLD\n", encoding="utf-8")
    assert [fact.days_supplied for fact in pick_ups(read("csv", generic, GENERIC))] == [None]
    for supply, days in (
        ({"value": 28.5}, None),
        ({"value": 2.8, "unit": "months"}, 84),
        ({"value": 90, "unit": "pills"}, None),
    ):
        dispensation = dispense(1, "2024-04-09") | {"daysSupply": supply}
        fhir.write_text(ndjson([patient(1), dispensation, location()]), encoding="utf-8")
        assert [fact.days_supplied for fact in pick_ups(read("fhir-r4", fhir))] == [days]
    ndr.write_text(message(1).replace("Duration>90<", "Duration>28.5<"), encoding="utf-8")
    assert {fact.days_supplied for fact in pick_ups(read("ndr-xml", ndr))} == {None}
    content = container(1)
    for item in content["messageData"]["obs"]:
        if item.get("conceptId") == 159368 or item.get("variableName") == "Medication duration":
            item["valueNumeric"] = 28.5
    nmrs.write_text(json.dumps(content), encoding="utf-8")
    assert {fact.days_supplied for fact in pick_ups(read("nmrs-json", nmrs))} == {None}


def test_antiretrovirals_for_prevention_are_no_treatment_in_any_format(tmp_path: Path) -> None:
    lists = {
        "lamisplus-pharmacy": (PHARMACY, pharmacy_row(1, "2024-04-09", **{"Regimen Line": "PrEP"})),
        "radet-lamisplus": (HEADINGS, lamisplus_row(1, **{"Current Regimen Line": "PEP"})),
        "radet-nmrs": (NMRS_HEADINGS, nmrs_row(1, CurrentRegimenLine="Hepatitis B")),
    }
    for name, (headings, row) in lists.items():
        pick_up_facts = pick_ups(read(name, write_csv(tmp_path / f"{name}.csv", headings, [row])))
        assert [fact.antiretroviral for fact in pick_up_facts] == [False], name
    ndr, fhir = tmp_path / "one.xml", tmp_path / "one.ndjson"
    ndr.write_text(message(1).replace(">TDF/3TC/DTG<", ">TDF/3TC (PrEP)<"), encoding="utf-8")
    assert {fact.antiretroviral for fact in pick_ups(read("ndr-xml", ndr))} == {False}
    dispensation = dispense(1, "2024-04-09") | {"medicationCodeableConcept": {"text": "TDF/FTC for PrEP"}}
    fhir.write_text(ndjson([patient(1), dispensation, location()]), encoding="utf-8")
    assert {fact.antiretroviral for fact in pick_ups(read("fhir-r4", fhir))} == {False}
