"""What is old goes, batch by batch; the record and the audit never do."""

from __future__ import annotations

import json
from datetime import timedelta
from threading import Event
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from core import blobs
from core.cli.main import run as iit
from core.clock import now
from core.database import tenant_session
from core.errors import Invalid
from core.feature_registry import resolve
from core.preferences import amend, group
from core.retention import run, run_due, service
from core.retention.service import days_of
from core.retention.settings import kinds
from core.tenancy import rounds
from tenants.imports.models import Import, ImportRejection
from tenants.records.models import Facility
from tenants.risk.models import Prediction

RECORD = {
    "patients",
    "patient_states",
    "visits",
    "encounters",
    "observations",
    "dispensations",
    "appointments",
    "contacts",
}

NOTHING = dict.fromkeys(
    (
        "rejected_rows",
        "waiting_rows",
        "fetched_files",
        "predictions",
        "model_checks",
        "quality_reports",
        "report_files",
        "plugin_failures",
        "unmatched_messages",
        "knowledge_questions",
        "superseded_documents",
    ),
    0,
)


def count(tenant, table):
    with tenant_session(tenant, actor="test:1", readonly=True) as session:
        return (
            session.cursor().execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchall()[0][0]
        )


def fill(tenant, days):
    """One rejected row and one score, so many days old; and a facility of the same age."""
    old = now() - timedelta(days=days)
    done = Import(
        state="done",
        format="csv",
        source="csv:t",
        content_hash=uuid4().hex,
        mapping={},
        requested_by="test:1",
        finished_at=old,
    )
    score = Prediction(
        uuid=uuid4(), patient_uuid=uuid4(), facility_uuid=uuid4(), as_of=old.date(), kind="to_trace",
        expected_date=old.date(), prediction_timestamp=old, model_version="naive-0", risk_level="late",
    )  # fmt: skip
    clinic = Facility(datim_id=uuid4().hex[:11], name="Clinic", source="csv:t", created_at=old, updated_at=old)
    with tenant_session(tenant, actor="test:1") as session:
        session.add_all([done, score, clinic])
        session.flush()
        session.add(ImportRejection(import_uuid=done.uuid, file=1, line=1, field="f", problem="p", remedy="r"))


def test_what_is_older_than_its_days_goes_and_the_rest_stays(tenant):
    fill(tenant, 2000)
    fill(tenant, 10)
    assert run(tenant).rows == {**NOTHING, "rejected_rows": 1, "predictions": 1}
    assert (count(tenant, "import_rejections"), count(tenant, "predictions")) == (1, 1)
    assert (count(tenant, "facilities"), count(tenant, "imports")) == (2, 2)
    assert run(tenant).rows == NOTHING


def test_a_tenants_own_days_hold(tenant):
    fill(tenant, 100)
    with tenant_session(tenant, actor="test:1") as session:
        amend(session, group("retention"), {"predictions": 60})
    assert run(tenant).rows == {**NOTHING, "predictions": 1}
    with tenant_session(tenant, actor="test:1") as session:
        assert days_of(session)["predictions"] == 60


@pytest.mark.parametrize("days", [{"patients": 400}, {"predictions": 1}, {"predictions": 10**9}])
def test_days_that_cannot_be_kept_are_rejected_with_the_kind(tenant, days):
    with tenant_session(tenant, actor="test:1") as session, pytest.raises(Invalid) as rejected:
        amend(session, group("retention"), days)
    assert rejected.value.errors[0].field == next(iter(days))


def test_many_rows_go_in_many_transactions(tenant, monkeypatch):
    for _ in range(3):
        fill(tenant, 2000)
    for module in ("tenants.imports.repository", "tenants.risk.repository"):
        monkeypatch.setattr(resolve(module), "LET_GO_AT_ONCE", 1)
    batches = []
    run(tenant, progress=lambda done, _total, kind: batches.append((kind, done)))
    assert [done for kind, done in batches if kind == "predictions"] == [4, 5, 6, 6]
    assert count(tenant, "predictions") == count(tenant, "import_rejections") == 0


def test_expired_files_go_and_kept_ones_stay(tenant):
    permanent = blobs.put(tenant, "kept", b"1")
    gone = blobs.put(tenant, "gone", b"2", expires_in_days=0)
    run(tenant)
    assert blobs.exists(tenant, permanent.key)
    blobs.purge(tenant, today=now().date() + timedelta(days=3))
    assert not blobs.exists(tenant, gone.key)


def test_it_runs_once_a_day_and_tenant_and_says_what_it_did(tenant, monkeypatch):
    monkeypatch.setattr(rounds, "list_tenants", lambda: [tenant])
    fill(tenant, 2000)
    assert tenant.slug not in run_due(Event())
    assert count(tenant, "predictions") == 0
    fill(tenant, 2000)
    run_due(Event())
    assert count(tenant, "predictions") == 1, "today's run was made"
    with tenant_session(tenant, actor="test:1") as session:
        acts = (
            session.cursor().execute("SELECT detail FROM audit_events WHERE action = 'system:retention:run'").fetchall()
        )
    assert acts == [({"rows": {**NOTHING, "rejected_rows": 1, "predictions": 1}},)]


@pytest.mark.parametrize("error", [Invalid("no"), psycopg.errors.UndefinedTable("no"), ZeroDivisionError("no")])
def test_a_tenant_that_fails_does_not_keep_the_others(two_tenants, monkeypatch, error):
    first, second = two_tenants
    good = service.run

    def sometimes(tenant, **options):
        if tenant.id == first.id:
            raise error
        return good(tenant, **options)

    monkeypatch.setattr(service, "run", sometimes)
    monkeypatch.setattr(rounds, "list_tenants", lambda: [first, second])
    fill(second, 2000)
    assert type(error).__name__ in run_due(Event())[first.slug]
    assert count(second, "predictions") == 0


def test_the_record_and_the_audit_are_no_kinds():
    functions = [kind.function for kind in kinds().values()]
    assert not any("audit" in name or "records" in name for name in functions)
    assert not RECORD & set(kinds())


def test_the_command_removes_what_is_old(tenant, capsys):
    fill(tenant, 100)
    assert iit(["settings", "set", tenant.slug, "retention.predictions", "60"]) == 0
    capsys.readouterr()
    assert iit(["retention", "run", tenant.slug, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"]["predictions"] == 1
