"""An import whose job died says so, and can be resumed, retried or cancelled."""

from __future__ import annotations

import threading
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from core.database import node_session, psycopg_connection, tenant_session
from core.jobs import decisions
from core.jobs.worker import drain
from core.tenancy import CreatedTenant
from tenants.imports import jobs, repository, runner
from tenants.imports.applying import steps

from .test_api import get, send

Upload = dict[str, Any]


def given_up(api: TestClient, owner: CreatedTenant, module: ModuleType, place: str) -> Upload:
    """Send an import whose job fails in a function of a module until it runs out of attempts."""
    upload: Upload = send(api).json()
    with pytest.MonkeyPatch.context() as patch:

        def broken(*_: Any, **__: Any) -> None:
            raise ZeroDivisionError

        patch.setattr(module, place, broken)
        for _ in range(5):
            drain(owner.ref)
            with node_session() as session:
                psycopg_connection(session).execute("UPDATE node.jobs SET run_after = now() WHERE state = 'queued'")
    return upload


@pytest.fixture
def unread(api: TestClient, owner: CreatedTenant) -> Upload:
    """An import whose job failed for good before it read anything."""
    return given_up(api, owner, runner, "reading")


@pytest.fixture
def half_applied(api: TestClient, owner: CreatedTenant) -> Upload:
    """An import whose job failed for good after it began to write records."""
    return given_up(api, owner, steps, "apply_chunk")


def test_an_import_whose_job_failed_for_good_says_so_and_what_to_do(api: TestClient, unread: Upload) -> None:
    seen = get(api, unread)
    assert seen["state"] == "stalled"
    assert "given up" in seen["error"]
    (failure,) = seen["failure"]
    assert "it failed too often (ZeroDivisionError at " in failure["problem"]
    assert failure["remedy"] == "send the same files again to resume it, or cancel it"
    assert api.get(f"/v1/jobs/{unread['job_id']}").json()["state"] == "failed"


def test_sending_the_files_again_resumes_it(api: TestClient, owner: CreatedTenant, half_applied: Upload) -> None:
    assert get(api, half_applied)["state"] == "stalled"
    again = send(api).json()
    assert again["id"] == half_applied["id"]
    assert again["job_id"] != half_applied["job_id"]
    assert (again["error"], again["failure"]) == (None, [])
    drain(owner.ref)
    done = get(api, half_applied)
    assert (done["state"], done["error"], done["counts"]["dispensations"]["inserted"]) == ("done", None, 4)


def test_its_dead_letter_can_be_retried(api: TestClient, owner: CreatedTenant, half_applied: Upload) -> None:
    assert "ZeroDivisionError" in get(api, half_applied)["error"]
    decisions.retry(UUID(half_applied["job_id"]), actor="cli:operator")
    assert get(api, half_applied)["error"] is None
    drain(owner.ref)
    assert get(api, half_applied)["state"] == "done"


def test_it_can_be_cancelled_before_it_writes_records(api: TestClient, unread: Upload) -> None:
    answer = api.delete(f"/v1/imports/{unread['id']}")
    assert (answer.status_code, answer.json()["state"], answer.json()["error"]) == (200, "cancelled", None)


def test_a_cancel_after_it_writes_records_says_how_to_end_it(api: TestClient, half_applied: Upload) -> None:
    answer = api.delete(f"/v1/imports/{half_applied['id']}")
    assert answer.status_code == 409
    assert "its job was given up" in answer.json()["detail"]
    assert "send the same files again" in answer.text


def test_an_import_says_that_its_job_was_discarded(api: TestClient, unread: Upload) -> None:
    decisions.discard(UUID(unread["job_id"]), "no longer needed", actor="cli:operator")
    assert get(api, unread)["error"] == "its job was discarded by an operator"


def test_an_old_job_does_not_fail_an_import_that_continues(
    api: TestClient, owner: CreatedTenant, half_applied: Upload
) -> None:
    send(api)
    decisions.discard(UUID(half_applied["job_id"]), "no longer needed", actor="cli:operator")
    assert get(api, half_applied)["error"] is None
    drain(owner.ref)
    assert get(api, half_applied)["state"] == "done"


def test_a_cancel_is_seen_while_its_reader_is_busy(
    api: TestClient, owner: CreatedTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader hangs, and the worker checks for a cancel."""
    from tenants.imports.reading import reader_process

    monkeypatch.setattr(reader_process, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(reader_process, "COMMAND", ("sleep", "600"))
    monkeypatch.setattr(reader_process, "_spare", [])
    monkeypatch.setattr(reader_process.SeparateReading, "close", lambda self: reader_process.end(self._process))
    monkeypatch.setattr(reader_process, "_begun", sleeping)
    upload = send(api).json()
    worker = threading.Thread(target=drain, args=(owner.ref,))
    worker.start()
    while not started(owner, upload):
        worker.join(0.05)
    assert api.delete(f"/v1/imports/{upload['id']}").status_code == 200
    worker.join(60)
    assert not worker.is_alive()
    assert get(api, upload)["state"] == "cancelled"


def sleeping() -> Any:
    """A process that accepts requests and never answers."""
    import subprocess

    return subprocess.Popen(["sleep", "600"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def started(owner: CreatedTenant, upload: Upload) -> bool:
    with tenant_session(owner.ref, actor="test:1") as session:
        row = repository.find(session, UUID(upload["id"]))
    assert row is not None
    return row.runner is not None


def test_the_kind_of_job_is_the_one_that_is_asked_for() -> None:
    from core.jobs.registry import kind_of
    from tenants.imports.given_up import JOB

    assert kind_of(JOB).run is jobs.run
