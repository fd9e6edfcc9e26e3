"""Rows about people whom no import has named wait: reported, released, waiting again, erased, or rejected at last."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from core.clock import now
from core.database import TenantRef, tenant_session
from core.errors import Invalid
from tenants.imports import report, service, waiting
from tenants.imports.formats.radet_lamisplus import HEADINGS as RADET
from tenants.imports.report import Summary
from tenants.records.erasing import erase_person
from tests.tenants.imports.applying.file_worlds import undo
from tests.tenants.imports.conftest import RunImport, rows
from tests.tenants.imports.formats.fixtures_lists import VERIFICATION, lamisplus_row, verification_row, write_csv

MAY, JUNE = date(2024, 5, 31), date(2024, 6, 30)
DIED = {"Discontinued": "Yes", "Reason For Discontinuation": "Death", "Date of Discontinuation": "2024-05-19"}
NAMED = "no import has named a patient with this identifier yet"


@pytest.fixture
def radet(tmp_path: Path) -> Path:
    """A RADET of persons 1 and 2."""
    return write_csv(tmp_path / "radet.csv", RADET, [lamisplus_row(1), lamisplus_row(2)])


@pytest.fixture
def verification(tmp_path: Path) -> Path:
    """A verification list without DATIM ids: person 1 died, 2 and 9 were reached."""
    people = [verification_row(1, **DIED), verification_row(2), verification_row(9)]
    return write_csv(tmp_path / "verification.csv", VERIFICATION, people)


def again(tenant: TenantRef, summary: Summary) -> Summary:
    """The report of an import as it stands now."""
    with tenant_session(tenant, actor="test:1") as session:
        return report.summary(session, service.get(session, summary.id))


def counted(summary: Summary) -> tuple[int, int, int, int]:
    return summary.rows_read, summary.rows_accepted, summary.rows_rejected, summary.rows_waiting


def asked(tenant: TenantRef, query: str) -> list[tuple[object, ...]]:
    with tenant_session(tenant, actor="test:1") as session:
        return rows(session, query)


def test_rows_wait_are_reported_and_are_released_by_the_list_that_names_their_people(
    tenant: TenantRef, run_import: RunImport, radet: Path, verification: Path
) -> None:
    first = run_import(tenant, [verification], "{}", data_date=MAY)
    assert counted(first) == (3, 0, 0, 3)
    assert (first.problems, first.people) == ([], 0)
    (reason,) = first.waiting
    assert (reason["field"], reason["problem"], reason["rows"], reason["people"]) == ("Patient Id", NAMED, 3, 3)
    assert "import the list that names the patient" in reason["remedy"]
    assert asked(tenant, "SELECT count(*) FROM patient_states") == [(0,)]

    second = run_import(tenant, [radet], "{}", data_date=date(2024, 4, 30))
    assert (counted(second), second.rows_released) == ((2, 2, 0, 0), 2)
    assert counted(again(tenant, first)) == (3, 2, 0, 1)
    assert asked(tenant, "SELECT state, start_date, data_date FROM patient_states") == [
        ("died", date(2024, 5, 19), MAY)
    ]
    dead = "SELECT count(*) FROM status_transitions WHERE to_status = 'died' AND date = '2024-05-19'"
    assert asked(tenant, dead) == [(1,)]

    undo(tenant, [second.id])
    assert counted(again(tenant, first)) == (3, 0, 0, 3)
    for table in ("patients", "patient_states", "encounters", "observations", "contacts", "status_transitions"):
        assert asked(tenant, f"SELECT count(*) FROM {table}") == [(0,)], table  # noqa: S608 - ours
    assert run_import(tenant, [radet], "{}", data_date=date(2024, 4, 30)).rows_released == 2
    assert asked(tenant, dead) == [(1,)]

    undo(tenant, [first.id])
    for table in ("import_placements", "import_waiting_facts", "patient_states", "encounters"):
        assert asked(tenant, f"SELECT count(*) FROM {table}") == [(0,)], table  # noqa: S608 - ours


def test_a_list_that_waits_twice_is_in_the_records_one_time(
    tenant: TenantRef, run_import: RunImport, radet: Path, verification: Path
) -> None:
    twice = [run_import(tenant, [verification], "{}", data_date=MAY) for _ in range(2)]
    run_import(tenant, [radet], "{}", data_date=JUNE)
    assert [counted(again(tenant, one)) for one in twice] == [(3, 2, 0, 1)] * 2
    assert asked(tenant, "SELECT count(*), count(DISTINCT uuid) FROM encounters") == [(2, 2)]
    undo(tenant, [twice[0].id])
    assert asked(tenant, "SELECT count(*) FROM encounters") == [(2,)]
    assert counted(again(tenant, twice[1])) == (3, 2, 0, 1)


def test_strict_rejects_a_list_of_which_rows_would_wait(
    tenant: TenantRef, run_import: RunImport, radet: Path, verification: Path
) -> None:
    message = "3 of 3 rows are about people whom no import has named"
    with pytest.raises(Invalid, match=message) as caught:
        run_import(tenant, [verification], "{}", data_date=MAY, strict=True)
    assert "import the list that names the people first" in (caught.value.remedy or "")
    assert run_import(tenant, [radet], "{}", data_date=JUNE).rows_released == 0, "what failed is not released"
    assert asked(tenant, "SELECT count(*) FROM import_waiting_facts") == [(0,)]


def test_an_erased_person_has_no_rows_waiting_and_none_comes_back(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, radet: Path, verification: Path
) -> None:
    elsewhere = [lamisplus_row(1), lamisplus_row(1, DatimId="def456", **{"Facility Name": "Clinic two"})]
    run_import(tenant, [write_csv(tmp_path / "two.csv", RADET, elsewhere)], "{}", data_date=JUNE)
    unclear = [verification_row(1, **{"Facility Name": "Elsewhere"}), verification_row(9)]
    listed = run_import(tenant, [write_csv(tmp_path / "v.csv", VERIFICATION, unclear)], "{}", data_date=MAY)
    assert sorted(one["rows"] for one in listed.waiting) == [1, 1]
    ((uuid,), (other,)) = asked(tenant, "SELECT uuid FROM patients ORDER BY datim_id")
    with tenant_session(tenant, actor="test:1") as session:
        erase_person(session, uuid, reason="asked for")
    assert counted(again(tenant, listed))[3] == 1
    assert asked(tenant, "SELECT count(DISTINCT patient_key) FROM import_waiting_facts") == [(1,)]
    with tenant_session(tenant, actor="test:1") as session:
        erase_person(session, other, reason="asked for")
    undo(tenant, [run_import(tenant, [verification], "{}", data_date=MAY).id])
    assert asked(tenant, "SELECT count(*) FROM encounters") == [(0,)]


def test_rows_that_nobody_releases_are_rejected_when_their_time_is_over(
    tenant: TenantRef, run_import: RunImport, radet: Path, verification: Path
) -> None:
    run_import(tenant, [radet], "{}", data_date=JUNE)
    listed = run_import(tenant, [verification], "{}", data_date=MAY)
    with tenant_session(tenant, actor="test:1") as session:
        assert waiting.let_go(session, now() - timedelta(days=1)) == 0
        assert waiting.let_go(session, now() + timedelta(days=1)) == 1
        assert waiting.let_go(session, now() + timedelta(days=1)) == 0
    assert counted(again(tenant, listed)) == (3, 2, 1, 0)
    assert asked(tenant, "SELECT count(*) FROM import_waiting_facts") == [(0,)]
