"""The reader rejects values that cannot be stored, so that none stops an import halfway."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.database import TenantRef, tenant_session
from tenants.records.personal import open_patient

from .conftest import MAPPING, PATIENTS, PICKUPS, RunImport, rows, write


@pytest.mark.parametrize("phone", ["nil", "-", "none given"])
def test_a_phone_without_digits_rejects_only_the_phone(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, phone: str
) -> None:
    paths = write(tmp_path, patients__csv=PATIENTS.replace("08030000002", phone), pickups__csv=PICKUPS)
    summary = run_import(tenant, paths)
    assert (summary.state, summary.rows_accepted, summary.rows_in_part, summary.rows_rejected) == ("done", 7, 1, 0)
    assert [problem["field"] for problem in summary.problems] == ["phone"]
    from sqlmodel import select

    from tenants.records.models import Patient

    with tenant_session(tenant, actor="test:1") as session:
        opened = [open_patient(session, row) for row in session.exec(select(Patient)).all()]
        assert {patient["pepfar_id"]: patient["phone"] for patient in opened} == {
            "P1": "08030000001",
            "P2": None,
            "P3": None,
        }
        assert rows(session, "SELECT count(*) FROM dispensations") == [(4,)]


@pytest.mark.parametrize("letter", ["\u6f22", "a", "\U0001f9ea"])
@pytest.mark.parametrize("length", [600, 1990])
def test_texts_too_long_for_an_index_reject_their_cell_or_row_and_not_the_import(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, letter: str, length: int
) -> None:
    long = letter * length
    mapping = MAPPING.replace(
        "datim_id: clinic, name: clinic_name", "datim_id: clinic, name: clinic_name, state_province: state"
    ) + (
        "  - into: observations\n    file: pickups\n    patient: id\n"
        "    columns: {obs_datetime: day, variable_name: regimen, value_text: regimen}\n"
    )
    patients = "\n".join(f"{line},{'state' if at == 0 else long}" for at, line in enumerate(PATIENTS.splitlines()))
    patients = patients.replace("P3,C2", f"P3,{long}")
    pickups = PICKUPS.replace("ABC/3TC/DTG", "x").replace("P2,2023-02-01,30,TDF/3TC/DTG", f"P2,2023-02-01,30,{long}")
    summary = run_import(tenant, write(tmp_path, patients__csv=patients, pickups__csv=pickups), mapping)
    assert summary.state == "done"
    with tenant_session(tenant, actor="test:1") as session:
        people = 2 if len(long.encode()) > 1000 else 3
        assert rows(session, "SELECT count(*) FROM patients") == [(people,)]
