"""An empty cell never deletes recorded data, in any order of files; a written word replaces it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.database import tenant_session
from tenants.records.personal import open_patient
from tenants.records.service import find_patient
from tests.tenants.imports.conftest import MAPPING, RunImport, write

COLUMNS = (
    "columns: {pepfar_id: id, given_name: name, phone: phone, sex: sex, birthdate: born, art_start_date: art_start}"
)
WITH_ORIGIN = MAPPING.replace(COLUMNS, COLUMNS.replace("}", ", transferred_in: moved, city_village: town}"))
WHOLE = """id,clinic,clinic_name,name,phone,sex,born,art_start,died_on,moved,town
P1,C1,Clinic one,Aaa,08030000001,F,1990-05-01,2023-01-10,,yes,Bbb
"""
EMPTY = """id,clinic,clinic_name,name,phone,sex,born,art_start,died_on,moved,town
P1,C1,Clinic one,,NA,,,,,no,Ccc
"""


FILES = (("2024-06-30", WHOLE), ("2024-09-30", EMPTY))


@pytest.mark.parametrize("files", [FILES, FILES[::-1]], ids=["in order", "the later file first"])
def test_an_empty_cell_leaves_what_was_known(
    make_tenant: Any, run_import: RunImport, tmp_path: Path, files: tuple[tuple[str, str], ...]
) -> None:
    tenant = make_tenant().ref
    for number, (day, text) in enumerate(files):
        folder = tmp_path / str(number)
        folder.mkdir()
        paths = write(folder, patients__csv=text, pickups__csv="id,day,days,regimen,next\nP1,2023-01-10,30,,\n")
        run_import(tenant, paths, WITH_ORIGIN.replace("2024-06-30", day))
    with tenant_session(tenant, actor="test:1") as session:
        person = find_patient(session, "P1")
        named = open_patient(session, person)
    assert (named["given_name"], named["phone"]) == ("Aaa", "08030000001")
    assert (person.sex, str(person.birthdate), str(person.art_start_date)) == ("F", "1990-05-01", "2023-01-10")
    assert (person.transferred_in, person.city_village) == (False, "Ccc"), "what is written replaces"
