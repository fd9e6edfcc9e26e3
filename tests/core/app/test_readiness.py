"""/health/ready and ``iit status``: one report, which says what is wrong, where, and what to do."""

from __future__ import annotations

import base64
import json
import secrets

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from uuid_utils.compat import uuid7

from core import blobs
from core.app import probes, readiness
from core.cli.main import run as iit
from core.database import databases, owner_connection, platform_session, tenant_session
from core.database.upgrade import migrate
from core.jobs import enqueue
from core.jobs.heartbeat import Heartbeat
from core.services import stop
from core.services.manager import add_database
from core.services.status import status
from core.settings import get_settings
from core.tenancy import create_tenant
from tests.core.data_databases import Closed, Unknown

MEMBERS = {"ready", "checks", "workers", "queue", "disk"}


@pytest.fixture(scope="module")
def app(own_services):
    from core.app.factory import create_app

    return create_app()


@pytest.fixture
def anonymous(app):
    with TestClient(app) as client:
        yield client


@pytest.fixture
def ask(anonymous):
    def ask():
        probes.forget()
        answer = anonymous.get("/health/ready")
        report = answer.json()
        assert set(report) >= MEMBERS
        return answer.status_code, report, {check["name"]: check for check in report["checks"]}

    return ask


def test_accounts_of_the_demo_that_are_left_in_production_are_a_warning(own_services, monkeypatch):
    insert = text(
        "INSERT INTO platform.people (id, email, name, state, password_hash, created_at, created_by)"
        " VALUES (:id, :email, 'Person', 'active', 'x', now(), 'test:1')"
    )
    with platform_session() as session:
        for email in ("demo@lakeside.example.org", "own@programme.ng"):
            session.execute(insert, {"id": uuid7(), "email": email})
    readiness.check_demo_accounts(readiness.Report())
    production = get_settings().model_copy(update={"environment": "production"})
    monkeypatch.setattr(readiness, "get_settings", lambda: production)
    with pytest.raises(readiness.Finding, match="1 accounts with example addresses") as raised:
        readiness.check_demo_accounts(readiness.Report())
    assert raised.value.state == "warning"
    with platform_session() as session:
        session.execute(text("UPDATE platform.people SET password_hash = NULL"))
    readiness.check_demo_accounts(readiness.Report())


def test_an_installation_that_works_is_ready_and_warns_that_no_worker_is_alive(ask):
    code, report, checks = ask()
    assert (code, report["status"], report["ready"]) == (200, "ready", True)
    assert list(checks) == list(readiness.CHECKS)
    assert {name for name, check in checks.items() if check["state"] != "ok"} == {"workers"}
    assert checks["workers"]["state"] == "warning"
    assert checks["workers"]["remedy"] == "Start a worker."
    assert (report["workers"], report["queue"]) == (0, {"waiting": 0, "running": 0, "oldest_seconds": 0.0})
    assert {disk["place"] for disk in report["disk"]} == {"state", "database", "files", "scratch", "temporary"}


def test_the_scratch_folder_is_a_place_of_its_own(tmp_path, settings_of):
    settings_of(scratch_dir=tmp_path / "elsewhere")
    assert readiness.places()["scratch"] == tmp_path / "elsewhere"


def test_a_live_worker_is_counted(ask):
    beat = Heartbeat(uuid7(), 4)
    beat.beat()
    _, report, checks = ask()
    beat.end()
    assert (report["workers"], checks["workers"]["state"]) == (1, "ok")


def test_a_job_that_waits_for_long_is_a_warning(ask):
    tenant = create_tenant("waiting", "Partner").ref
    with tenant_session(tenant, actor="test:1") as session:
        enqueue(session, "cohort.rebuild", {})
    with owner_connection() as connection:
        connection.execute("UPDATE node.jobs SET created_at = now() - interval '1 hour', run_after = created_at")
        connection.execute("UPDATE node.jobs SET run_after = created_at")
    code, report, checks = ask()
    with owner_connection() as connection:
        connection.execute("DELETE FROM node.jobs")
    assert (code, report["queue"]["waiting"], checks["queue"]["state"]) == (200, 1, "warning")
    assert report["queue"]["oldest_seconds"] >= 3600


def test_another_master_key_is_not_ready(ask, settings_of):
    ask()
    settings_of(master_key=base64.b64encode(secrets.token_bytes(32)).decode())
    code, report, checks = ask()
    assert (code, report["ready"], checks["master_key"]["state"]) == (503, False, "failed")
    assert [error["field"] for error in report["errors"]] == ["master_key"]
    assert "IIT_MASTER_KEY" in report["errors"][0]["remedy"]


def test_another_store_of_files_is_not_ready(ask, settings_of, tmp_path):
    blobs.require_shared_store(fresh=True)
    settings_of(blob_url=tmp_path.as_uri())
    code, _, checks = ask()
    assert (code, checks["blob_store"]["state"]) == (503, "failed")
    assert "IIT_BLOB_URL" in checks["blob_store"]["remedy"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("limit", "code", "state"), [("disk_full_bytes", 503, "failed"), ("disk_low_bytes", 200, "warning")]
)
def test_a_full_disk_is_not_ready_and_a_nearly_full_one_warns(ask, settings_of, limit, code, state):
    settings_of(**{limit: 10**18})
    answered, _, checks = ask()
    assert (answered, checks["disk"]["state"]) == (code, state)
    assert "state" in checks["disk"]["detail"]


def test_a_redis_that_does_not_answer_is_named_without_its_password(ask, anonymous, settings_of):
    settings_of(redis_url="redis://:secret@127.0.0.1:1/0")
    code, report, _ = ask()
    assert (code, [error["field"] for error in report["errors"]]) == (503, ["redis"])
    assert "secret" not in json.dumps(report)
    assert anonymous.get("/health/live").status_code == 200


def test_a_database_that_does_not_answer_is_told_once(ask, monkeypatch):
    from core.errors import Unavailable

    def away():
        raise Unavailable("the database cannot be reached")

    monkeypatch.setattr(readiness, "platform_session", away)
    code, report, checks = ask()
    assert (code, [error["field"] for error in report["errors"]]) == (503, ["postgresql"])
    assert checks["master_key"]["state"] == "skipped"
    assert report["workers"] is None


def test_a_database_behind_the_code_is_not_ready(ask, monkeypatch, capsys):
    from core.database import scripts

    genuine = scripts.revisions
    monkeypatch.setattr(
        scripts, "revisions", lambda tree: (*genuine(tree), "9999") if tree == "node" else genuine(tree)
    )
    code, report, _ = ask()
    assert code == 503
    assert [(error["field"], error["remedy"]) for error in report["errors"]] == [("migrations", readiness.PAGE)]
    assert "`" not in json.dumps(report)
    assert iit(["status"]) == 1
    assert "migrations: run `iit migrate`" in capsys.readouterr().err


@pytest.fixture
def second():
    """Makes sure that the data database ``second`` is there and migrated, whichever test runs first."""
    if "second" not in databases():
        add_database("second")
    migrate()


def test_a_data_database_is_needed_from_its_first_tenant_on(ask, anonymous, capsys):
    add_database("second")
    code, _, checks = ask()
    assert (code, checks["data_databases"]["state"]) == (200, "warning")
    assert checks["data_databases"]["remedy"] == readiness.PAGE
    migrate()
    assert ask()[2]["data_databases"]["state"] == "ok"
    create_tenant("elsewhere", "Partner", database="second")
    with Closed("second"):
        code, report, _ = ask()
        assert (code, [error["field"] for error in report["errors"]]) == (503, ["data_databases"])
        assert "second" in report["errors"][0]["problem"]
        probes.forget()
        excluded = anonymous.get("/health/ready", params={"exclude": "data_databases"})
        assert (excluded.status_code, excluded.json()["ready"]) == (200, True)
        assert anonymous.get("/health/ready", params={"exclude": "nothing"}).status_code == 422
        assert iit(["status"]) == 1
        assert "second" in capsys.readouterr().out
    assert ask()[0] == 200


def test_a_process_that_does_not_know_a_tenants_database_is_not_ready_and_says_so_to_the_tenant(second, ask, anonymous):
    tenant = create_tenant("unknown", "Partner", database="second")
    key = {"X-API-Key": tenant.api_key}
    assert anonymous.get("/v1/audit", headers=key).status_code == 200
    with Unknown("second"):
        code, report, _ = ask()
        assert (code, [error["field"] for error in report["errors"]]) == (503, ["data_databases"])
        answer = anonymous.get("/v1/audit", headers=key)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "IIT_DATA_DATABASES" in answer.json()["remedy"]


def test_the_command_shows_the_same_report(ask, capsys):
    capsys.readouterr()
    assert iit(["status", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert set(shown) == MEMBERS
    assert [check["name"] for check in shown["checks"]] == list(readiness.CHECKS)
    assert iit(["status"]) == 0
    output = capsys.readouterr()
    assert "live workers: 0" in output.out
    assert "disk of state" in output.out
    assert "workers: start `iit worker`" in output.err


def test_the_command_starts_no_server(own_services, capsys):
    from core.database import dispose

    dispose()
    stop()
    assert iit(["status"]) == 1
    output = capsys.readouterr().out
    assert "not started" in output
    assert "disk of state" in output, "a full disk may be why"
    assert not any(server.running for server in status())
