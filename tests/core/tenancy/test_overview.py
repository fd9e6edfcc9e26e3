"""The list of tenants shows what each did last, with a number of queries that does not grow with the tenants."""

import json

import pytest

from core import metering
from core.cli.main import run as iit
from core.database import dispose, tenant_session
from core.database.upgrade import migrate
from core.metering.storage import measure
from core.services.manager import add_database
from core.tenancy import create_tenant, overview
from core.tenancy.move.service import move
from tests.core.data_databases import Closed, Unknown


@pytest.fixture(scope="module")
def east(own_services):
    add_database("east")
    dispose()
    migrate()
    return "east"


@pytest.fixture
def listed(capsys):
    def listed():
        capsys.readouterr()
        code = iit(["tenant", "list", "--json"])
        output = capsys.readouterr()
        report = json.loads(output.out)
        return code, {row["slug"]: row for row in report["tenants"]}, report["unasked"], output.err

    return listed


def use(tenant):
    with tenant_session(tenant, actor="test:1") as session:
        metering.record(session, "imports", 1, key="1")
        metering.record(session, "patients_scored", 5, key="2026-01-01:naive-1")
    return measure(tenant)


def test_what_each_tenant_did_last_is_shown_and_nothing_for_who_did_nothing(east, listed):
    size = use(create_tenant("busy", "Partner").ref)
    use(create_tenant("busy-east", "Partner", database=east).ref)
    create_tenant("idle", "Partner")
    code, rows, unasked, _ = listed()
    assert (code, unasked) == (0, {})
    assert rows["busy"]["size_bytes"] == size
    assert all(rows["busy"][name] for name in ("last_import", "last_score", "size_measured_at"))
    assert rows["busy-east"]["last_import"]
    assert [rows["idle"][name] for name in ("last_import", "last_score", "size_bytes", "size_measured_at")] == [
        None
    ] * 4


def test_what_a_tenant_did_before_it_was_moved_is_shown(east, listed):
    size = use(create_tenant("moving", "Partner").ref)
    move("moving", east)
    row = listed()[1]["moving"]
    assert (row["database"], row["size_bytes"]) == (east, size)
    assert row["last_import"]


def test_each_database_is_asked_once_however_many_tenants_there_are(east, monkeypatch):
    asked = []
    genuine = overview._rows

    def counted(database, ids):
        asked.append(database)
        return genuine(database, ids)

    monkeypatch.setattr(overview, "_rows", counted)
    seen_once = overview.overview()
    assert len(seen_once.tenants) > 2
    assert sorted(asked) == ["default", "east"]


def test_the_table_shows_megabytes_and_minutes(east, capsys):
    assert iit(["tenant", "list"]) == 0
    output = capsys.readouterr().out
    for head in ("last import", "last score", "size mb"):
        assert head in output.splitlines()[0]


@pytest.mark.parametrize("without", [Closed, Unknown])
def test_a_database_that_cannot_be_asked_is_named_and_the_other_tenants_are_listed(east, listed, without):
    with without("east"):
        code, rows, unasked, error_text = listed()
    assert (code, list(unasked)) == (3, ["east"])
    assert rows["busy"]["last_import"]
    assert "east" in error_text
