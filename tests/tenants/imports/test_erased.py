"""No import brings back an erased person, with any list and any key."""

from __future__ import annotations

import io
import json
from datetime import date
from pathlib import Path
from uuid import UUID

import pytest

from core.cli.main import run
from core.database import TenantRef, tenant_session
from core.errors import NotFound
from core.privacy import vault
from core.tenancy import describe_tenant
from core.tenancy.backup.saving import backup
from core.tenancy.backup.service import from_file
from tenants.imports.formats.radet_lamisplus import HEADINGS
from tenants.quality.candidates import merge_patients
from tenants.records.erasing import erase_person, find
from tenants.records.personal import FIELDS, open_patient
from tenants.records.service import find_patient
from tests.tenants.imports.formats.fixtures_lists import lamisplus_row, write_csv

from .conftest import MAPPING, PATIENTS, RunImport, rows, write

OTHER_SOURCE = MAPPING.replace("csv:test", "csv:other")


def erase(tenant: TenantRef, who: str) -> UUID:
    with tenant_session(tenant, actor="test:1") as session:
        uuid = find(session, who)
        erase_person(session, uuid, reason="request 12")
    return uuid


def names(tenant: TenantRef) -> set[str | None]:
    with tenant_session(tenant, actor="test:1") as session:
        patients = rows(session, "SELECT DISTINCT uuid FROM patients")
        return {open_patient(session, find_patient(session, str(uuid)))["given_name"] for (uuid,) in patients}


def test_without_an_erasure_another_list_brings_the_name_back(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path]
) -> None:
    run_import(tenant, partner_files)
    run_import(tenant, partner_files, OTHER_SOURCE)
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT count(DISTINCT uuid) FROM patients") == [(6,)]


@pytest.mark.parametrize("mapping", [MAPPING, OTHER_SOURCE], ids=["the same list", "a list of another source"])
def test_no_list_brings_the_person_back(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path], tmp_path: Path, mapping: str
) -> None:
    run_import(tenant, partner_files)
    uuid = erase(tenant, "P1")
    before = names(tenant)
    assert "Aaa" not in before
    newer = write(
        tmp_path, patients__csv=PATIENTS.replace("Aaa", "Aaa Again"), pickups__csv=partner_files[1].read_text()
    )
    run_import(tenant, newer, mapping.replace("2024-06-30", "2024-07-31"))
    assert names(tenant) == before
    with tenant_session(tenant, actor="test:1") as session:
        others = rows(session, "SELECT count(*) FROM dispensations WHERE patient_uuid = %s", uuid)
        assert others == [(2,)], "the record without a name stays unchanged"
        assert rows(session, "SELECT count(DISTINCT patient_uuid) FROM dispensations") == [
            (3 if mapping == MAPPING else 5,)
        ]


def test_names_and_search_keys_of_the_person_are_deleted_from_every_version(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path], tmp_path: Path
) -> None:
    run_import(tenant, partner_files)
    changed = write(tmp_path, patients__csv=PATIENTS.replace("08030000001", "08039999999"))
    run_import(tenant, [*changed, partner_files[1]], MAPPING.replace("2024-06-30", "2024-07-31"))
    uuid = erase(tenant, "P1")
    with tenant_session(tenant, actor="test:1") as session:
        columns = ", ".join([*(f"{name}_enc" for name in FIELDS), "pepfar_id_bidx", "phone_bidx", "personal_hash"])
        left = rows(session, f"SELECT num_nonnulls({columns}) FROM patients WHERE uuid = %s", uuid)  # noqa: S608
        assert left == [(0,), (0,)]
        assert rows(session, "SELECT wrapped_key FROM patient_keys WHERE patient_uuid = %s", uuid) == [(None,)]
        with pytest.raises(NotFound):
            find_patient(session, "P1")
        acts = rows(session, "SELECT action, actor, detail->>'reason' FROM audit_events WHERE subject_uuid = %s", uuid)
        assert ("cli:patient:erase", "test:1", "request 12") in acts


def test_records_that_were_merged_are_erased_together(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path]
) -> None:
    run_import(tenant, partner_files)
    with tenant_session(tenant, actor="test:1") as session:
        one, two = (find_patient(session, who).uuid for who in ("P1", "P2"))
        merge_patients(session, one, two, "the same")
    erase(tenant, str(one))
    assert names(tenant) == {None, "Givenname"}
    with tenant_session(tenant, actor="test:1") as session:
        assert vault(session).ensure_patient_keys([one, two]) == {one, two}


def test_an_identifier_shared_with_somebody_else_destroys_nothing_of_theirs(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path]
) -> None:
    run_import(tenant, partner_files)
    run_import(tenant, partner_files, OTHER_SOURCE)
    with tenant_session(tenant, actor="test:1") as session:
        first = rows(session, "SELECT uuid FROM patients WHERE source = 'csv:test' ORDER BY art_start_date LIMIT 1")[0][
            0
        ]
        erase_person(session, first, reason="x")
    run_import(tenant, partner_files, OTHER_SOURCE.replace("2024-06-30", "2024-07-31"))
    assert names(tenant) == {None, "Aaa", "Bbb", "Givenname"}


def test_the_command_asks_says_what_it_did_and_can_be_run_again(
    tenant: TenantRef,
    run_import: RunImport,
    partner_files: list[Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_import(tenant, partner_files)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert run(["person", "erase", tenant.slug, "P1", "--reason", "request 12"]) != 0, "nobody said yes"
    assert "Aaa" in names(tenant)
    capsys.readouterr()
    assert run(["person", "erase", tenant.slug, "P1", "--reason", "request 12", "--yes", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["rows"], answer["versions"], answer["entries"], answer["already"]) == (2, 1, 1, False)
    assert run(["person", "erase", tenant.slug, answer["patients"][0], "--reason", "again", "--yes"]) == 0
    assert "had been erased before" in capsys.readouterr().out
    assert run(["person", "erase", tenant.slug, "nobody", "--reason", "x", "--yes"]) == 1


def test_a_second_run_erases_again_what_a_restored_backup_brought_back(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path], tmp_path: Path
) -> None:
    run_import(tenant, partner_files)
    file = tmp_path / "before.iitbackup"
    backup(tenant.slug, file)
    uuid = erase(tenant, "P1")
    from_file(tenant.slug, file)
    back = describe_tenant(tenant.slug).ref()
    assert "Aaa" not in names(back)
    with tenant_session(back, actor="test:1") as session:
        assert rows(session, "SELECT count(*) FROM erased_identifiers") == [(1,)]
        done = erase_person(session, uuid, reason="restored")
        assert (done.rows, done.already) == (2, False)
    run_import(back, partner_files, OTHER_SOURCE)
    assert "Aaa" not in names(back)


def test_no_status_list_brings_back_a_row_of_the_person(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path
) -> None:
    people = [lamisplus_row(1, **{"Last Pickup Date (yyyy-mm-dd)": "nonsense"}), lamisplus_row(2)]
    radet = [write_csv(tmp_path / "radet.csv", HEADINGS, people)]
    run_import(tenant, radet, "{}", data_date=date(2024, 6, 30))
    uuid = erase(tenant, "NG-0001")
    run_import(tenant, radet, "{}", data_date=date(2024, 9, 30))
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT FROM radet_list_rows WHERE patient_uuid = %s AND number > 1", uuid) == []
        assert (
            rows(session, "SELECT FROM unread_contacts WHERE patient_uuid = %s AND list_date > '2024-07-01'", uuid)
            == []
        )
        assert len(rows(session, "SELECT FROM radet_list_rows WHERE number = 2")) == 1, "the other person's"
