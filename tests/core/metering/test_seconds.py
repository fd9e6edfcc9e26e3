"""What a tenant's jobs and requests take is added up in the process, and recorded once, also at its end."""

from uuid import uuid4

import pytest
from sqlalchemy import text

from core.database import node_session, tenant_session
from core.jobs import enqueue
from core.jobs.worker import drain
from core.metering import seconds
from core.metering.seconds import JOBS, REQUESTS, SecondsLedger, job_time, seconds_recorded

ROWS = text(
    "SELECT meter, dimensions ->> 'feature' AS feature, value FROM node.usage_events"
    " WHERE tenant_id = :tenant AND meter IN ('job_seconds', 'request_seconds') ORDER BY 1, 2, 3"
)


def rows(tenant):
    with node_session(tenant.database) as session:
        return [(row.meter, row.feature, float(row.value)) for row in session.execute(ROWS, {"tenant": tenant.id})]


@pytest.fixture
def ledger(monkeypatch):
    own = SecondsLedger(active=True)
    monkeypatch.setattr(seconds, "LEDGER", own)
    return own


def test_seconds_are_added_up_by_feature_and_recorded_once(tenant, ledger):
    ledger.add(tenant.id, JOBS, "risk", 1.25)
    ledger.add(tenant.id, JOBS, "risk", 0.5)
    ledger.add(tenant.id, REQUESTS, "portal", 0.02)
    assert (ledger.flush(), ledger.flush()) == (1, 0)
    ledger.add(tenant.id, JOBS, "risk", 1)
    ledger.flush()
    assert rows(tenant) == [
        ("job_seconds", "risk", 1.0),
        ("job_seconds", "risk", 1.75),
        ("request_seconds", "portal", 0.02),
    ]


def test_the_seconds_of_a_deleted_tenant_are_dropped_and_others_recorded(tenant, ledger):
    ledger.add(uuid4(), JOBS, "risk", 1)
    ledger.add(tenant.id, JOBS, "risk", 2)
    assert ledger.flush() == 1
    assert rows(tenant) == [("job_seconds", "risk", 2.0)]


def test_what_cannot_be_recorded_waits_for_the_next_round(tenant, ledger, monkeypatch):
    ledger.add(tenant.id, JOBS, "risk", 2)
    with monkeypatch.context() as broken:
        broken.setattr(seconds, "tenant_of_id", lambda _id: 1 / 0)
        assert ledger.flush() == 0
    assert ledger.flush() == 1
    assert rows(tenant) == [("job_seconds", "risk", 2.0)]


def test_the_end_of_a_process_records_the_rest_and_nothing_is_counted_after_it(tenant, ledger):
    with seconds_recorded():
        with job_time(tenant.id, "imports.run"):
            pass
        ledger.add(tenant.id, JOBS, "imports", 3)
    ledger.add(tenant.id, JOBS, "imports", 5)
    assert ledger.flush() == 0
    ((meter, feature, value),) = rows(tenant)
    assert (meter, feature) == ("job_seconds", "imports")
    assert value >= 3


def test_a_job_and_a_request_count_for_their_tenant(api, owner, ledger):
    tenant = owner.ref
    with tenant_session(tenant, actor="test:1") as session:
        enqueue(session, "quality.link", {})
    drain(tenant)
    assert api.get("/v1/patients").status_code == 200
    assert api.get("/health/live").status_code == 200
    ledger.flush()
    assert [(meter, feature) for meter, feature, _ in rows(tenant)] == [
        ("job_seconds", "quality"),
        ("request_seconds", "records"),
    ]
