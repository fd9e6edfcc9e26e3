"""Rows that repeat others or share a rejected fact: the report counts each by its outcome."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from core.database import TenantRef, tenant_session
from core.privacy import vault
from tenants.imports.formats.radet_lamisplus import HEADINGS
from tests.tenants.imports.conftest import MAPPING, PATIENTS, PICKUPS, RunImport, rows, write
from tests.tenants.imports.formats.fixtures_lists import PHARMACY, lamisplus_row, pharmacy_row, write_csv

JUNE = date(2024, 6, 30)
PEOPLE, PICKED_UP = PATIENTS.splitlines()[0], PICKUPS.splitlines()[0]
PERSON = "P1,C1,Clinic one,Aaa,,F,1990-05-01,2023-01-10,"


def test_a_row_that_repeats_a_rejected_one_is_rejected_like_it(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    lines = ["P1,1989-02-01,30,TDF,", "Q1,2024-01-10,30,TDF,", "P1,2024-02-01,30,TDF,"]
    twice = "\n".join([PICKED_UP, *lines, *lines, *lines[:2]]) + "\n"
    summary = run_import(tenant, write(tmp_path, patients__csv=f"{PEOPLE}\n{PERSON}\n", pickups__csv=twice))
    assert (summary.rows_read, summary.rows_rejected, summary.rows_waiting, summary.rows_repeated) == (9, 3, 1, 3)
    assert [(problem["problem"], problem["count"]) for problem in summary.problems] == [
        ("the date lies before the date of birth of the patient", 3)
    ]
    assert summary.counts["dispensations"]["inserted"] == 1


VISITS_TOO = MAPPING + (
    "  - into: visits\n    file: pickups\n    patient: id\n    key: [day]\n"
    "    columns: {date_started: day, next_appointment: next}\n"
)


def test_a_fact_of_a_rejected_row_is_imported_where_another_row_repeats_it(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    # The first row has other values of the second row's visit; the third row repeats the second one's pick-up.
    lines = [
        "P1,2024-01-10,30,TDF,2024-02-01",
        "P1,2024-01-10,60,TDF,2024-03-01",
        "P1,2024-01-10,60,TDF,2024-02-01",
    ]
    keyed = VISITS_TOO.replace("columns: {date_dispensed: day", "key: [day, days]\n    columns: {date_dispensed: day")
    keyed = keyed.replace("regimen: regimen, next_appointment: next", "regimen: regimen")
    files = write(tmp_path, patients__csv=f"{PEOPLE}\n{PERSON}\n", pickups__csv="\n".join([PICKED_UP, *lines]) + "\n")
    summary = run_import(tenant, files, keyed)
    with tenant_session(tenant, actor="test:1") as session:
        supplied = rows(session, "SELECT days_supplied FROM dispensations ORDER BY 1")
    assert (summary.rows_read, summary.rows_rejected, supplied) == (4, 1, [(30,), (60,)])


def test_repeated_rows_of_a_list_that_names_people_are_counted(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    list_rows = [pharmacy_row(1, "2024-01-10"), pharmacy_row(1, "2024-01-10"), pharmacy_row(2, "2024-01-10")]
    summary = run_import(tenant, [write_csv(tmp_path / "p.csv", PHARMACY, list_rows)], "{}", data_date=JUNE)
    assert (summary.rows_read, summary.rows_rejected, summary.rows_repeated) == (3, 0, 1)


@pytest.mark.parametrize("order", [("radet", "pharmacy"), ("pharmacy", "radet")])
def test_an_event_before_a_birth_that_another_list_gives_is_kept_and_counted_in_any_order(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, order: tuple[str, str]
) -> None:
    list_rows = [pharmacy_row(1, "1989-01-10"), pharmacy_row(1, "2024-01-10")]
    files = {
        "radet": write_csv(tmp_path / "r.csv", HEADINGS, [lamisplus_row(1)]),
        "pharmacy": write_csv(tmp_path / "p.csv", PHARMACY, list_rows),
    }
    summaries = [run_import(tenant, [files[name]], "{}", data_date=JUNE) for name in order]
    assert [summary.rows_rejected for summary in summaries] == [0, 0]
    noted = [note for summary in summaries for note in summary.notes if "before the date of birth" in note]
    assert len(noted) == (order[0] == "radet"), "the other list's report could not count it"
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT count(*) FROM dispensations WHERE date_dispensed < '2000-01-01'") == [(1,)]


@pytest.mark.parametrize("first", ["here", "there"])
def test_a_person_is_known_from_the_first_event_whether_or_not_it_names_the_facility(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, first: str
) -> None:
    mapping = MAPPING + (
        "  - into: observations\n    file: labs\n    patient: id\n    facility: {datim_id: clinic}\n"
        "    columns: {obs_datetime: day, variable_name: {constant: cd4}, value_numeric: value}\n"
    )
    mapping = mapping.replace("  pickups: {name", "  labs: {name: labs.csv}\n  pickups: {name")
    picked, tested = ("2022-01-05", "2023-03-05") if first == "here" else ("2023-03-05", "2022-01-05")
    files = write(
        tmp_path,
        labs__csv=f"id,clinic,day,value\nP1,C1,{tested},300\n",
        patients__csv=f"{PEOPLE}\nP1,C1,Clinic one,Aaa,,F,1990-05-01,,\n",
        pickups__csv=f"{PICKED_UP}\nP1,{picked},30,TDF,\n",
    )
    run_import(tenant, files, mapping)
    with tenant_session(tenant, actor="test:1") as session:
        known = rows(session, "SELECT (known_from AT TIME ZONE 'Africa/Lagos')::date FROM patients")
    assert known == [(date(2022, 1, 5),)]


def test_rows_that_contradict_others_are_counted_together(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    people = [PERSON.replace("P1", f"P{n}") for n in range(3)]
    others = [person.replace(",F,", ",M,") for person in people]
    summary = run_import(
        tenant,
        write(tmp_path, patients__csv="\n".join([PEOPLE, *people, *others]) + "\n", pickups__csv=PICKED_UP + "\n"),
    )
    (problem,) = summary.problems
    assert (problem["field"], problem["problem"], problem["count"]) == (
        "id",
        "another row with the same key has different values",
        3,
    )


def test_one_wrong_cell_is_one_line_of_the_report(tenant: TenantRef, run_import: RunImport, tmp_path: Path) -> None:
    pick_ups = f"{PICKED_UP}\nP1,2031-01-10,30,TDF,\n"
    files = write(tmp_path, patients__csv=f"{PEOPLE}\n{PERSON}\n", pickups__csv=pick_ups)
    summary = run_import(tenant, files, VISITS_TOO)
    assert [(problem["field"], problem["count"]) for problem in summary.problems] == [("day", 1)]


STAMPED = MAPPING.replace("columns: {date_dispensed", "key: [day_of]\n    stamp: changed\n    columns: {date_dispensed")
STAMPED_HEAD = "id,day_of,changed,day,days,regimen,next"


def test_a_version_that_its_source_has_corrected_is_not_checked(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    lines = [STAMPED_HEAD, "P1,K1,2024-01-01,1989-01-01,30,TDF,", "P1,K1,2024-02-01,2024-01-01,30,TDF,"]
    # Another person's event before birth, so that the import checks events at all.
    lines += ["P1,K2,2024-02-01,1988-01-01,30,TDF,"]
    files = write(tmp_path, patients__csv=f"{PEOPLE}\n{PERSON}\n", pickups__csv="\n".join(lines) + "\n")
    summary = run_import(tenant, files, STAMPED)
    assert (summary.rows_read, summary.rows_rejected, summary.rows_repeated) == (4, 1, 1)
    assert [problem["count"] for problem in summary.problems] == [1]


def test_an_older_version_does_not_replace_a_rejected_newer_one(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    weighed = STAMPED + (
        "  - into: observations\n    file: pickups\n    patient: id\n    key: [day_of]\n"
        "    when: {next: {present: true}}\n"
        "    columns: {obs_datetime: next, variable_name: {constant: weight}, value_numeric: days}\n"
    )
    weighed = weighed.replace("regimen: regimen, next_appointment: next", "regimen: regimen")
    lines = [STAMPED_HEAD, "P1,K1,2024-01-01,2024-01-10,30,TDF,", "P1,K1,2024-02-01,2024-01-10,60,TDF,1980-01-01"]
    files = write(tmp_path, patients__csv=f"{PEOPLE}\n{PERSON}\n", pickups__csv="\n".join(lines) + "\n")
    summary = run_import(tenant, files, weighed)
    assert (summary.rows_read, summary.rows_rejected) == (3, 1)
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT count(*) FROM dispensations") == [(0,)]


@pytest.mark.parametrize("wrong_first", [True, False])
def test_a_person_with_the_right_date_replaces_the_same_person_with_a_wrong_one(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, *, wrong_first: bool
) -> None:
    both = ["P1,C1,Clinic one,Aaa,,,2094-05-01,2023-01-10,", PERSON]
    lines = [PEOPLE, *(both if wrong_first else reversed(both))]
    files = write(tmp_path, patients__csv="\n".join(lines) + "\n", pickups__csv=PICKED_UP + "\n")
    summary = run_import(tenant, files)
    assert (summary.rows_read, summary.rows_in_part) == (2, 1)
    assert [problem["problem"] for problem in summary.problems] == ["the date lies after the data date"]
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT birthdate, sex FROM patients") == [(date(1990, 5, 1), "F")]


def test_the_places_of_rows_of_erased_people_are_not_recorded(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path], tmp_path: Path
) -> None:
    people, pickups = partner_files
    run_import(
        tenant, [people], MAPPING.split("  - into: dispensations")[0].replace("  pickups: {name: pickups.csv}\n", "")
    )
    with tenant_session(tenant, actor="test:1") as session:
        for (uuid,) in rows(session, "SELECT uuid FROM patients WHERE datim_id = 'C1'"):
            vault(session).erase_patient(uuid)
    summary = run_import(tenant, [people, pickups])
    assert summary.counts["dispensations"]["inserted"] == 1, "only P3 is still somebody"
    newcomer = write(
        tmp_path,
        patients__csv=f"{PATIENTS.splitlines()[0]}\nP4,C1,Clinic one,Ccc,,F,1990-05-01,2023-01-10,\n",
        pickups__csv=f"{PICKUPS.splitlines()[0]}\nP4,2023-01-10,30,TDF/3TC/DTG,2023-02-09\n",
    )
    run_import(tenant, newcomer, data_date=date(2024, 7, 31))
    with tenant_session(tenant, actor="test:1") as session:
        known = rows(
            session,
            "SELECT known_assumed, (known_from AT TIME ZONE 'Africa/Lagos')::date FROM dispensations AS d"
            " JOIN facilities AS f ON f.uuid = d.facility_uuid WHERE f.datim_id = 'C1'",
        )
    assert known == [(True, date(2023, 1, 10))], "the first events of a facility count as known when they happened"
