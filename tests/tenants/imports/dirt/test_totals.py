"""The import leaves out totals below a list, wherever the word stands, and keeps people of such a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.database import TenantRef, tenant_session
from tenants.imports.facts import Reading
from tenants.imports.formats.radet_lamisplus import HEADINGS
from tenants.imports.formats.radet_nmrs import HEADINGS as NMRS_HEADINGS
from tenants.imports.mapping import parse_mapping
from tenants.imports.reading.no_records import NoRecord
from tenants.imports.reading.reader import reader
from tenants.imports.reading.sources import from_paths
from tests.tenants.imports.conftest import RunImport, rows
from tests.tenants.imports.formats.fixtures_lists import (
    MISSED,
    PHARMACY,
    PHARMACY_DAY,
    VERIFICATION,
    lamisplus_row,
    missed_row,
    nmrs_row,
    pharmacy_row,
    verification_row,
    write_csv,
    write_xlsx,
)

TOTALS = (
    "Total", "TOTAL: 12", "Sub-total", "Sub Total", "Grand Total", "TOTAL PATIENTS", "Total (25)", "Total = 1,250",
    "Sous-total", "Total général", "Totaux", "Somme", "Total geral", "Totais", "Soma", "Total de pacientes: 30",
    "total number of clients",
)  # fmt: skip
LISTS = {
    "lamisplus-pharmacy": (PHARMACY, pharmacy_row(1, "2024-04-09"), "Patient Id", "Facility Name"),
    "radet-lamisplus": (HEADINGS, lamisplus_row(1), "Patient ID", "DatimId"),
    "radet-nmrs": (NMRS_HEADINGS, nmrs_row(1), "PatientUniqueID", "DatimCode"),
    "missed-appointments": (MISSED, missed_row(1), "PepfarID", "HospID"),
    "lamisplus-verification": (VERIFICATION, verification_row(1), "Patient Id", "Facility Name"),
}
GENERIC = """
source: partner
files: {people: {name: people.csv}, drugs: {name: drugs.csv}}
facility: {datim_id: {constant: C1}}
records:
  - {into: patients, file: people, patient: id, columns: {sex: sex, birthdate: born, hospital_number: folder}}
  - {into: dispensations, file: drugs, patient: id, columns: {date_dispensed: day, days_supplied: days}}
"""


def left_out(readings: list[Reading]) -> list[bool]:
    return [item.left_out for item in readings]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("word", TOTALS)
def test_a_total_in_place_of_the_identifier_is_nobody(tmp_path: Path, name: str, word: str) -> None:
    headings, person, identifier, first = LISTS[name]
    total = {first: "fac1", identifier: word, headings[-1]: 25}
    path = write_csv(tmp_path / "list.csv", headings, [person, total])
    readings = list(reader(name).read(from_paths([path]), parse_mapping("{}")))
    assert left_out(readings) == [False, True]
    path.unlink()
    book = write_xlsx(tmp_path / "list.xlsx", headings, [person, total])
    assert left_out(list(reader(name).read(from_paths([book]), parse_mapping("{}")))) == [False, True]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("word", ["fac1 Total", "TOTAL PATIENTS", "Total", "Sous-total Clinique", None])
def test_a_row_of_nobody_that_counts_others_is_left_out(tmp_path: Path, name: str, word: str | None) -> None:
    headings, person, _, first = LISTS[name]
    path = write_csv(tmp_path / "list.csv", headings, [person, {first: word, headings[-1]: 25}])
    assert left_out(list(reader(name).read(from_paths([path]), parse_mapping("{}")))) == [False, True]


def test_totals_of_mapped_files_are_left_out_row_by_row_and_by_columns(tmp_path: Path) -> None:
    people, drugs = tmp_path / "people.csv", tmp_path / "drugs.csv"
    people.write_text("clinic,id,sex,born,folder\nA,p1,F,1990-05-01,1\nA,Total,1,,\nA total,,1,,\n,,25,,\n", "utf-8")
    drugs.write_text("clinic,id,day,days\nA,p1,2024-01-01,30\nA,TOTAL: 1,,30\n,,,30\nB total,,,30\n", "utf-8")
    readings = list(reader("csv").read(from_paths([people, drugs]), parse_mapping(GENERIC)))
    assert left_out(readings) == [False, True, True, True] * 2


def test_a_person_named_total_stays(tenant: TenantRef, run_import: RunImport, tmp_path: Path) -> None:
    list_rows = [
        lamisplus_row(1, **{"Patient ID": "Total", "Hospital Number": "H7"}),
        lamisplus_row(2, **{"DatimId": "Total", "Last Pickup Date (yyyy-mm-dd)": None}),
        {"DatimId": "abc123", "Patient ID": "TOTAL: 2", "Hospital Number": 2},
    ]
    path = write_csv(tmp_path / "radet.csv", HEADINGS, list_rows)
    summary = run_import(tenant, [path], "{}", data_date=PHARMACY_DAY)
    assert (summary.rows_read, summary.rows_left_out, summary.rows_rejected) == (2, 1, 0)
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT count(*) FROM patients WHERE known_to IS NULL") == [(2,)]


@pytest.mark.parametrize(
    "cells", [("A", "Total", "45000", ""), ("A", "Total", "", "12-Mar-2024"), ("A", "SUM/0012", "", "")]
)
def test_a_row_with_a_day_or_a_code_is_no_total(cells: tuple[str, ...]) -> None:
    assert not NoRecord(["clinic", "id", "born", "seen"], [1], [2, 3])(cells)


@pytest.mark.parametrize(
    "cells",
    [
        ("Tola", "", "", ""),
        ("", "Totalina", "", ""),
        ("A", "", "", "Musa"),
        ("", "", "", "2024-01-01"),
        ("", "", "", ""),
    ],
)
def test_what_only_resembles_a_total_is_read(cells: tuple[str, ...]) -> None:
    assert not NoRecord(["clinic", "id", "born", "seen"], [1], [2, 3])(cells)
