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
MAPPING = """
source: csv:added
data_date: 2024-06-30
files: {pickups: {name: pickups.csv}, people: {name: people.csv}}
records:
  - {into: patients, file: people, patient: id, facility: {datim_id: clinic}, columns: {pepfar_id: id}}
  - {into: dispensations, file: pickups, patient: id, columns: {date_dispensed: day, supply_point: point}}
"""
READ = """
import json
from core.database import tenant_session
from core.tenancy import get_tenant
from tenants.records.models import Contact, Dispensation
from tenants.records.schemas_care import ContactOut, DispensationOut
from sqlmodel import select

with tenant_session(get_tenant("added"), actor="test:1") as session:
    stored = [session.exec(select(table)).one().supply_point for table in (Dispensation, Contact)]
described = [out.model_fields["supply_point"].description for out in (DispensationOut, ContactOut)]
print(json.dumps([stored, described]))
"""


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The code in a folder that the test may change."""
    copy = tmp_path / "code"
    for name in ("core", "tenants", "plugins", "migrations"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def test_a_declared_and_migrated_column_goes_from_a_file_to_the_contacts(copied: Path, tmp_path: Path) -> None:
    bins = Path(sys.executable).parent
    env = os.environ | {"PYTHONPATH": str(copied), "IIT_STATE_DIR": str(tmp_path / "state"), "NO_COLOR": "1"}
    env.pop("IIT_DATABASE_URL", None)

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=copied, env=env, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    text = PAGE.read_text(encoding="utf-8")
    line = text.split("```python\n")[1].split("```")[0]
    declared = copied / "tenants" / "records" / "care_fields.py"
    source = declared.read_text(encoding="utf-8")
    ends = source.index("\n\n\n", source.index("class PickupFields"))
    declared.write_text(f"{source[:ends]}\n{line.rstrip()}{source[ends:]}", encoding="utf-8")
    title = TITLE.search(text)
    assert title is not None
    run(sys.executable, "-m", "migrations.render", "--title", title[1])

    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "people.csv").write_text("id,clinic\nP1,C1\n")
    (folder / "pickups.csv").write_text("id,day,point\nP1,2024-01-10,pharmacy\n")
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    try:
        run(str(bins / "iit"), "tenant", "create", "added", "--name", "Added")
        run(str(bins / "iit"), "import", "added", str(folder), "--mapping", str(tmp_path / "mapping.yaml"))
        assert json.loads(run(sys.executable, "-c", READ)) == [
            ["pharmacy"] * 2,
            ["Where the drugs were handed out."] * 2,
        ]
    finally:
        run(str(bins / "iit"), "services", "stop")
