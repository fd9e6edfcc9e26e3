"""Undoing an applied import: over the API by a job, and on the command line in steps that survive a kill."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from core.database import TenantRef, tenant_session
from core.jobs.worker import drain
from core.tenancy import CreatedTenant
from tenants.imports.applying import apply, undoing

from .conftest import PATIENTS, PICKUPS, RunImport, everything, rows, write
from .test_api import get, send


def seen(tenant: TenantRef) -> dict[str, object]:
    return {name: table_rows for name, table_rows in everything(tenant).items() if name != "facilities"}


def opened(tenant: TenantRef):
    return lambda: tenant_session(tenant, actor="cli:operator")


def test_undoing_an_import_restores_the_earlier_records(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_import(tenant, partner_files)
    before = seen(tenant)
    changed = write(
        tmp_path,
        patients__csv=PATIENTS.replace("Aaa", "Zzz") + "P4,C1,Clinic one,Ddd,,F,1990-05-01,2023-01-10,\n",
        pickups__csv=PICKUPS.replace("P1,2023-02-10,90", "P1,2023-02-10,60") + "P4,2024-07-01,30,TDF/3TC/DTG,\n",
    )
    newer = run_import(tenant, changed, data_date=date(2024, 7, 31))
    assert seen(tenant) != before
    monkeypatch.setattr(apply, "SETTLED_AT_ONCE", 1)
    with tenant_session(tenant, actor="cli:operator") as session:
        undoing.begin(session, newer.id)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        undoing.finish(opened(tenant), newer.id, killed)
    undoing.finish(opened(tenant), newer.id, lambda *_: None)
    assert seen(tenant) == before
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT state FROM imports ORDER BY created_at") == [("done",), ("undone",)]
        assert rows(session, "SELECT DISTINCT runs FROM patient_statements") == [([1],)]
        assert rows(session, "SELECT max(data_date) FROM facilities") == [(date(2024, 6, 30),)]


def test_a_job_undoes_an_import_and_one_that_is_not_done_is_a_conflict(api: TestClient, owner: CreatedTenant) -> None:
    upload = send(api).json()
    assert api.post(f"/v1/imports/{upload['id']}/undo").status_code == 409
    drain(owner.ref)
    assert get(api, upload)["state"] == "done"
    answer = api.post(f"/v1/imports/{upload['id']}/undo")
    assert (answer.status_code, answer.json()["state"]) == (202, "undoing")
    drain(owner.ref)
    assert get(api, upload)["state"] == "undone"
    with tenant_session(owner.ref, actor="test:1") as session:
        for table in ("patients", "dispensations", "contacts", "patient_statements", "status_transitions"):
            assert rows(session, f"SELECT count(*) FROM {table}") == [(0,)], table  # noqa: S608 - ours
