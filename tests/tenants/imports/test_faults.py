"""A killed import resumes, and its final rows are those of an undisturbed import."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from core.cli.main import run
from core.database import TenantRef, tenant_session
from core.errors import Unavailable
from core.services import ensure
from core.tenancy import create_tenant
from tenants.imports import report, repository, runner, service
from tenants.imports.applying import apply
from tenants.imports.mapping import parse_mapping
from tenants.imports.reading.sources import from_paths
from tenants.imports.runner import ImportStopped, Runner
from tenants.imports.service import GivenFile, Order
from tenants.imports.staging import checks
from tests.tenants.imports.newest import newest_import

from . import killed_import
from .conftest import MAPPING, RunImport, interrupted, rows, write

PEOPLE = 60
KILLED = -signal.SIGKILL
IN_PART = 3


@pytest.fixture
def many_files(tmp_path: Path) -> list[Path]:
    """Enough rows for several steps of each kind, some of them broken."""
    start = date(2022, 1, 3)
    patients, pickups = ["id,clinic,clinic_name,name,phone,sex,born,art_start,died_on"], ["id,day,days,regimen,next"]
    for person in range(PEOPLE):
        began = start + timedelta(days=person)
        died = "2024-05-01" if person % 10 == 0 else ""
        patients.append(
            f"P{person},C{person % 3},Clinic {person % 3},Name,0803{person:07d},F,{1950 + person}-01-01,{began},{died}"
        )
        pickups += [f"P{person},{began + timedelta(days=30 * n)},30,TDF/3TC/DTG," for n in range(4)]
    pickups.insert(100, "P1,never,30,TDF/3TC/DTG,")
    pickups.insert(200, "NOBODY,2023-01-01,30,TDF/3TC/DTG,")
    return write(
        tmp_path,
        patients__csv="\n".join(patients) + "\n",
        pickups__csv="\n".join(pickups) + "\n",
        mapping__yaml=MAPPING,
    )


def content(tenant: TenantRef) -> dict[str, Any]:
    """The records without what differs between tenants (ids, keys). Birthdates identify the people."""

    def events(table: str, columns: str) -> str:
        joined = f"{table} AS t JOIN patients AS p ON p.uuid = t.patient_uuid"
        return f"SELECT p.birthdate, {columns} FROM {joined} ORDER BY 1, 2"  # noqa: S608 - names of this module

    statements = {
        "patients": "SELECT birthdate, datim_id, art_start_date, known_from, known_assumed FROM patients ORDER BY 1",
        "states": events("patient_states", "start_date, state, t.known_from"),
        "dispensations": events("dispensations", "date_dispensed, days_supplied, t.known_from, t.known_to"),
        "contacts": events("contacts", "contact_date, days_supplied, pickup, t.known_from"),
        "transitions": events("status_transitions", "t.seq, t.to_status, t.date, t.reason"),
        "facilities": "SELECT datim_id, name, data_date, complete_through FROM facilities ORDER BY 1",
        "refused": "SELECT file, line, field, problem FROM import_rejections ORDER BY 1, 2",
        "imports": "SELECT state, rows_read, rows_refused, rows_repeated, counts FROM imports ORDER BY created_at",
        "staged": "SELECT count(*) FROM import_staging",
        "usage": "SELECT meter, value FROM node.usage_events ORDER BY 1",
    }
    with tenant_session(tenant, actor="test:1") as session:
        return {name: rows(session, statement) for name, statement in statements.items()}


def start(tenant: TenantRef, files: list[Path], step: int, place: str) -> int:
    """One run of the command, killed at the step; its exit code."""
    words = ["import", tenant.slug, str(files[0]), str(files[1]), "--mapping", str(files[2])]
    child = subprocess.run(
        [sys.executable, killed_import.__file__, str(step), place, *words], capture_output=True, text=True, check=False
    )
    assert child.returncode in (KILLED, IN_PART), child.stderr
    return child.returncode


def test_an_import_killed_again_and_again_ends_with_the_same_rows(
    tenant: TenantRef, make_tenant: Callable[..., Any], run_import: RunImport, many_files: list[Path]
) -> None:
    undisturbed = make_tenant().ref
    run_import(undisturbed, many_files[:2])
    kills = 0
    for place in cycle(("within", "after")):
        # A run killed at its ninth step has committed eight.
        if start(tenant, many_files, 9, place) != KILLED:
            break
        kills += 1
        assert kills < 30, "it makes no headway"
    assert kills >= 3
    assert content(tenant) == content(undisturbed)


def test_an_import_killed_while_reading_changes_no_records(tenant: TenantRef, many_files: list[Path]) -> None:
    assert start(tenant, many_files, 6, "after") == KILLED
    records = content(tenant)
    assert records["imports"][0][0] == "reading"
    assert records["staged"] != [(0,)]
    assert not records["patients"]
    assert not records["facilities"]


def order_of(files: list[Path]) -> Order:
    sources = from_paths(files[:2])
    return Order([GivenFile(item.name, item.size, item.digest()) for item in sources], parse_mapping(MAPPING))


def begin(tenant: TenantRef, files: list[Path], tell: Callable[[str], None]) -> Runner:
    """A runner of the files' import, which reports every step."""

    def open_session() -> Any:
        return tenant_session(tenant, actor="cli:operator")

    with open_session() as session:
        uuid = service.begin(session, order_of(files))[0].uuid
    return Runner(open_session, uuid, from_paths(files[:2]), lambda _done, _total, note: tell(note))


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of few rows."""
    monkeypatch.setattr(runner, "READ_ROWS", 40)
    monkeypatch.setattr(apply, "STEP_ROWS", 40)
    monkeypatch.setattr(repository, "CLEAR_ROWS", 40)


@pytest.mark.usefixtures("small_steps")
def test_a_second_runner_of_an_import_stops_the_first(tenant: TenantRef, many_files: list[Path]) -> None:
    finished: list[str] = []

    def tell(note: str) -> None:
        if not finished and note.startswith("writing dispensations"):
            finished.append(note)
            begin(tenant, many_files, lambda _: None).run()

    with pytest.raises(ImportStopped, match="taken the import over"):
        begin(tenant, many_files, tell).run()
    records = content(tenant)
    assert [state for state, *_ in records["imports"]] == ["done"]
    assert len(records["dispensations"]) == PEOPLE * 4
    assert records["usage"] == [("import_rows", PEOPLE * 5 + 2), ("imports", 1)]


@pytest.mark.usefixtures("small_steps")
def test_an_import_cancelled_while_reading_stops_and_leaves_nothing(tenant: TenantRef, many_files: list[Path]) -> None:
    def tell(note: str) -> None:
        if note.startswith("reading"):
            with tenant_session(tenant, actor="test:1") as session:
                service.cancel(session, newest_import(session).uuid)

    with pytest.raises(ImportStopped, match="was cancelled"):
        begin(tenant, many_files, tell).run()

    def open_session() -> Any:
        return tenant_session(tenant, actor="cli:operator")

    service.sweep(open_session)
    records = content(tenant)
    assert records["staged"] == [(0,)]
    assert not records["patients"]
    with open_session() as session:
        last = report.summary(session, newest_import(session))
    assert (last.state, last.rows_read > 0) == ("cancelled", True)


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize("moment", ["reading", "checking", "writing dispensations"])
def test_the_same_command_resumes_when_postgresql_died(own_services: Any, many_files: list[Path], moment: str) -> None:
    undisturbed, tenant = (
        create_tenant(f"{name}-{moment.split(maxsplit=1)[0]}", name).ref for name in ("whole", "broken")
    )
    begin(undisturbed, many_files, lambda _: None).run()
    killed: list[str] = []

    def tell(note: str) -> None:
        if not killed and note.startswith(moment):
            killed.append(note)
            (postmaster,) = Path(os.environ["IIT_STATE_DIR"]).rglob("postmaster.pid")
            os.kill(int(postmaster.read_text(encoding="utf-8").split()[0]), signal.SIGKILL)

    with pytest.raises(Unavailable):
        begin(tenant, many_files, tell).run()
    ensure()
    begin(tenant, many_files, lambda _: None).run()
    assert content(tenant) == content(undisturbed)


@pytest.mark.usefixtures("small_steps")
def test_an_import_killed_while_clearing_its_staged_rows_is_done_and_not_repeated(
    tenant: TenantRef, many_files: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(runner, "clear", lambda *_: None)
        begin(tenant, many_files, lambda _: None).run()
    before = content(tenant)
    assert before["staged"] != [(0,)]
    words = ["import", tenant.slug, str(many_files[0]), str(many_files[1]), "--mapping", str(many_files[2])]
    assert run([*words, "--json"]) == IN_PART
    assert '"state": "done"' in capsys.readouterr().out
    assert content(tenant) == before | {"staged": [(0,)]}


MIXED = """id,clinic,born,day,days
P1,C1,1990-01-01,2022-01-10,30
P1,C1,2022-06-01,2023-01-10,30
"""
PEOPLE_FROM_EVENTS = """
source: csv:test
data_date: 2024-06-30
files:
  mixed: {name: mixed.csv}
records:
  - into: patients
    file: mixed
    patient: id
    seen_on: day
    facility: {datim_id: clinic}
    columns: {birthdate: born}
  - into: dispensations
    file: mixed
    patient: id
    columns: {date_dispensed: day, days_supplied: days}
"""


@pytest.mark.parametrize("after", checks.STEPS)
def test_a_run_that_resumes_after_a_check_does_not_repeat_it(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, after: str
) -> None:
    files = write(tmp_path, mixed__csv=MIXED)
    interrupted(tenant, files, f"checking {after}", PEOPLE_FROM_EVENTS)
    summary = run_import(tenant, files, PEOPLE_FROM_EVENTS)
    assert (summary.state, summary.rows_read, summary.rows_rejected) == ("done", 2, 0)
    with tenant_session(tenant, actor="test:1") as session:
        assert rows(session, "SELECT count(*) FROM dispensations") == [(2,)]
