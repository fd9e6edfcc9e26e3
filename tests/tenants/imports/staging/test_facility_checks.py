"""The import holds back an unknown facility that resembles a known one, and adds any other with a note."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from core.cli.main import run as iit
from core.database import TenantRef, tenant_session
from core.preferences import amend, group
from tenants.imports.confirming import confirm, list_held
from tests.tenants.imports.conftest import RunImport, everything, rows
from tests.tenants.imports.formats.fixtures_lists import PHARMACY, pharmacy_row, write_csv

JUNE = date(2024, 6, 30)
CODE_PROBLEM = "the facility is not known, and its code is like that of a known one"
NAME_PROBLEM = "the facility is not known, and its name is like that of a known one"


def listed(folder: Path, *clinics: tuple[str, str], day: str = "2024-04-10") -> list[Path]:
    """A pharmacy list with a person of each clinic (DATIM id, name)."""
    list_rows = [
        pharmacy_row(number, day, **{"DATIM Id": code, "Facility Name": name})
        for number, (code, name) in enumerate(clinics, 1)
    ]
    return [write_csv(folder / "list.csv", PHARMACY, list_rows)]


def on_record(tenant: TenantRef) -> list[tuple[str, str]]:
    with tenant_session(tenant, actor="test:1") as session:
        return rows(session, "SELECT datim_id, name FROM facilities ORDER BY 1")


@pytest.fixture
def known(tenant: TenantRef, run_import: RunImport, tmp_path: Path) -> TenantRef:
    """A tenant with one facility on record."""
    assert run_import(tenant, listed(tmp_path, ("abc123", "Clinic one")), "{}", data_date=JUNE).notes == []
    return tenant


@pytest.mark.parametrize(
    ("code", "name", "problem"),
    [
        ("abc124", "Elsewhere", CODE_PROBLEM),
        ("abc12", "Elsewhere", CODE_PROBLEM),
        ("abc1234", "Elsewhere", CODE_PROBLEM),
        ("acb123", "Elsewhere", CODE_PROBLEM),
        ("ABC123", "Elsewhere", CODE_PROBLEM),
        ("abc145", "Elsewhere", None),
        ("zyx987", "CLINIC-ONE.", NAME_PROBLEM),
        ("zyx987", "Elsewhere", None),
    ],
)
def test_an_unknown_facility_is_held_back_where_its_code_or_name_resembles_a_known_one(
    known: TenantRef, run_import: RunImport, tmp_path: Path, code: str, name: str, problem: str | None
) -> None:
    summary = run_import(known, listed(tmp_path, ("abc123", "Clinic one"), (code, name)), "{}", data_date=JUNE)
    assert [entry["problem"] for entry in summary.problems] == ([problem] if problem else [])
    assert {entry["field"] for entry in summary.problems} == ({"DATIM Id"} if problem else set())
    assert (summary.rows_read, summary.rows_rejected) == (2, 1 if problem else 0)
    assert [there for there, _ in on_record(known)] == sorted(["abc123"] if problem else ["abc123", code])
    note = "1 facility was not known before and was held back: the rejected rows say what to do"
    assert (note if problem else "1 facility was not known before and was added") in summary.notes
    for entry in summary.problems:
        assert "as a new facility or as another spelling of abc123" in entry["remedy"]
    expected = [{"code": code, "name": name, "like": "abc123"}]
    assert summary.held_facilities == (expected if problem else [])
    with tenant_session(known, actor="test:1") as session:
        assert [each["code"] for each in list_held(session)] == ([code] if problem else [])


def test_short_codes_resemble_each_other_by_chance(tenant: TenantRef, run_import: RunImport, tmp_path: Path) -> None:
    run_import(tenant, listed(tmp_path, ("C0001", "Clinic one")), "{}", data_date=JUNE)
    assert run_import(tenant, listed(tmp_path, ("C0002", "Clinic two")), "{}", data_date=JUNE).rows_rejected == 0


def test_a_confirmed_clinic_is_added_by_the_next_import(
    known: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    files = listed(tmp_path, ("abc123", "Clinic one"), ("abc124", "Clinic one"))
    assert run_import(known, files, "{}", data_date=JUNE).rows_rejected == 1
    assert iit(["facility", "confirm", known.slug, "abc124"]) == 0
    assert run_import(known, files, "{}", data_date=JUNE).rows_rejected == 0
    assert on_record(known) == [("abc123", "Clinic one"), ("abc124", "Clinic one")]


def test_a_facility_is_listed_until_somebody_confirms_it_or_the_import_is_undone(
    known: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    summary = run_import(known, listed(tmp_path, ("abc124", "Clinic uno"), ("bc123", "")), "{}", data_date=JUNE)
    with tenant_session(known, actor="test:1") as session:
        assert [(each["code"], each["import_id"]) for each in list_held(session)] == [
            ("abc124", summary.id),
            ("bc123", summary.id),
        ]
        confirm(session, "abc124", "abc123")
        assert [each["code"] for each in list_held(session)] == ["bc123"]
        rows(session, "UPDATE imports SET state = 'undone' WHERE uuid = %s RETURNING uuid", summary.id)
        assert list_held(session) == []


def test_an_alias_is_read_as_the_clinic_that_is_meant(
    known: TenantRef, run_import: RunImport, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = listed(tmp_path, ("abc124", "Clinic uno"), day="2024-06-01")
    assert iit(["facility", "confirm", known.slug, "abc124", "--as", "abc123", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["value"] == {"confirmed": [], "aliases": {"abc124": "abc123"}}
    summary = run_import(known, files, "{}", data_date=JUNE)
    assert (summary.rows_rejected, summary.counts["dispensations"]["inserted"]) == (0, 1)
    assert on_record(known) == [("abc123", "Clinic one")], "the spelling does not rename the clinic"
    people = {(place, key) for _, place, _, key, *_ in everything(known)["patients"]}
    assert len(people) == 1, "the person is the one on record"
    with tenant_session(known, actor="test:1") as session:
        days = rows(session, "SELECT date_dispensed FROM dispensations WHERE known_to IS NULL ORDER BY 1")
    assert days == [(date(2024, 4, 10),), (date(2024, 6, 1),)]


def test_an_alias_from_the_settings_counts_as_well(known: TenantRef, run_import: RunImport, tmp_path: Path) -> None:
    with tenant_session(known, actor="test:1") as session:
        amend(session, group("facilities"), {"aliases": {"zyx987": "abc123", "elsewhere": "never seen"}})
    summary = run_import(known, listed(tmp_path, ("zyx987", "X"), ("elsewhere", "Y")), "{}", data_date=JUNE)
    assert summary.rows_rejected == 0
    assert [code for code, _ in on_record(known)] == ["abc123", "elsewhere"]


def test_only_unknown_facilities_are_confirmed_and_only_as_known_ones(
    known: TenantRef, capsys: pytest.CaptureFixture[str]
) -> None:
    assert iit(["facility", "confirm", known.slug, "abc123"]) == 1
    assert "the code belongs to a facility on record" in capsys.readouterr().err
    assert iit(["facility", "confirm", known.slug, "abc124", "--as", "nowhere"]) == 1
    assert "the known facility is not on record" in capsys.readouterr().err
