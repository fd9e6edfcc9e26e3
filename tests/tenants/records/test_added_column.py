"""A new column of the records is its declaration and its migration: docs/how-to/add-a-column.md, done in a copy."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "how-to" / "add-a-column.md"
TITLE = re.compile(r"python -m migrations\.render --title (\w+)")
DECLARATION = re.compile(r"adds this to (\w+) -->\n```python\n(.*?)\n```", re.DOTALL)
KINDS = ("FacilityDetails", "PatientDetails", "PickupFields")
MAPPING = """
source: csv:added
data_date: DAY
files: {pickups: {name: pickups.csv}, people: {name: people.csv}}
records:
  - {into: patients, file: people, patient: id, facility: {datim_id: clinic, landmark: by},
     columns: {pepfar_id: id, landmark: home}}
  - {into: dispensations, file: pickups, patient: id, columns: {date_dispensed: day, supply_point: point}}
"""
READ = """
import json
import sys
from core.app.factory import create_app
from core.database import tenant_session
from core.tenancy import get_tenant
from fastapi.testclient import TestClient
from sqlmodel import select
from tenants.records.models import Contact, Dispensation, Facility, Patient, PatientStatement
from tenants.records.schemas import FacilityPut, PatientOut, PatientPatch
from tenants.records.schemas_care import ContactOut, DispensationOut

COLUMNS = {Dispensation: "supply_point", Contact: "supply_point", Facility: "landmark", Patient: "landmark",
           PatientStatement: "landmark"}
with tenant_session(get_tenant("added"), actor="test:1") as session:
    stored = [sorted({getattr(row, name) for row in session.exec(select(table))}) for table, name in COLUMNS.items()]
described = [model.model_fields[name].description for model, name in
             [(DispensationOut, "supply_point"), (ContactOut, "supply_point"), (FacilityPut, "landmark"),
              (PatientPatch, "landmark"), (PatientOut, "landmark")]]

with TestClient(create_app(), headers={"Authorization": f"Bearer {sys.argv[1]}"}) as client:
    def get(path):
        answer = client.get(f"/v1{path}")
        assert answer.status_code == 200, answer.text
        return answer

    clinic, = get("/facilities").json()["items"]
    patient, = get("/patients").json()["items"]
    exported = json.loads(get("/patients/export").text)
    answered = [clinic["landmark"], patient["landmark"], get(f"/patients/{patient['id']}").json()["landmark"],
                exported["landmark"]]
    put = client.put(f"/v1/facilities/{clinic['id']}", json={"name": "C1", "landmark": "mosque"},
                     headers={"If-Match": f'"{clinic["version_id"]}"'})
    patched = client.patch(f"/v1/patients/{patient['id']}", json={"landmark": "bridge"},
                           headers={"If-Match": f'"{patient["version_id"]}"'})
    written = [put.json().get("landmark"), patched.json().get("landmark")]
    rejected = client.post("/v1/patients", json={"facility": "C1", "landmark": 5},
                           headers={"Idempotency-Key": "rejected"}).status_code
print(json.dumps({"stored": stored, "described": described, "answered": answered, "written": written,
                  "rejected": rejected}))
"""


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The code in a folder that the test may change."""
    copy = tmp_path / "code"
    for name in ("core", "tenants", "plugins", "migrations"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def declare(declared: Path, page: str) -> None:
    """Add the lines of the page to the ends of their classes."""
    source = declared.read_text(encoding="utf-8")
    lines = dict(DECLARATION.findall(page))
    assert tuple(lines) == KINDS
    for name, line in lines.items():
        ends = source.index("\n\n\n", source.index(f"class {name}"))
        source = f"{source[:ends]}\n{line}{source[ends:]}"
    declared.write_text(source, encoding="utf-8")


def test_declared_and_migrated_columns_go_from_files_to_the_records_and_the_api(copied: Path, tmp_path: Path) -> None:
    bins = Path(sys.executable).parent
    env = os.environ | {"PYTHONPATH": str(copied), "IIT_STATE_DIR": str(tmp_path / "state"), "NO_COLOR": "1"}
    env.pop("IIT_DATABASE_URL", None)

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=copied, env=env, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    page = PAGE.read_text(encoding="utf-8")
    declare(copied / "tenants" / "records" / "care_fields.py", page)
    title = TITLE.search(page)
    assert title is not None
    run(sys.executable, "-m", "migrations.render", "--title", title[1])

    folder = tmp_path / "files"
    folder.mkdir()
    mapping = tmp_path / "mapping.yaml"
    (folder / "pickups.csv").write_text("id,day,point\nP1,2024-01-10,pharmacy\n")
    try:
        tenant = json.loads(run(str(bins / "iit"), "tenant", "create", "added", "--name", "Added", "--json"))
        for day, by, home in (("2024-05-31", "market", "river"), ("2024-06-30", "school", "hill")):
            (folder / "people.csv").write_text(f"id,clinic,by,home\nP1,C1,{by},{home}\n")
            mapping.write_text(MAPPING.replace("DAY", day))
            run(str(bins / "iit"), "import", "added", str(folder), "--mapping", str(mapping))
        answer = json.loads(run(sys.executable, "-c", READ, tenant["api_key"]))
    finally:
        run(str(bins / "iit"), "services", "stop")
    assert answer == {
        "stored": [["pharmacy"], ["pharmacy"], ["school"], ["hill", "river"], ["hill", "river"]],
        "described": [
            *["Where the drugs were handed out."] * 2,
            "What the facility is next to.",
            *["What the patient's home is next to."] * 2,
        ],
        "answered": ["school", "hill", "hill", "hill"],
        "written": ["mosque", "bridge"],
        "rejected": 422,
    }
