"""A worker that is killed within a part of a divided scoring: every facility is scored once, and the run ends once."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from sqlalchemy import text

from core import metering
from core.database import node_session
from core.jobs import enqueue
from core.jobs.worker import drain
from tenants.cohort.timelines import to_date
from tenants.risk import repository, scoring, spread
from tests import zygote
from tests.tenants.risk.clinics import END, clinics
from tests.tenants.risk.conftest import opener, predictions, store

DAY = to_date(END)
WORKER = Path(__file__).with_name("spread_worker.py")
EXPIRE = text(
    "UPDATE node.jobs SET lease_until = now() - interval '1 s' WHERE tenant_role = :role AND state = 'running'"
)
DUE = text(
    "UPDATE node.jobs SET run_after = now(), sent_at = now() - interval '1 day'"
    " WHERE tenant_role = :role AND state IN ('queued', 'sent')"
)
"""What time would do: waiting jobs are due, and messages that the killed worker had are sent again."""


@pytest.fixture(scope="module")
def people():
    return clinics(120, facilities=5)


@pytest.fixture(scope="module")
def undisturbed(make_tenant, people):
    tenant = make_tenant().ref
    store(tenant, people)
    outcome = scoring.score(tenant, opener(tenant), DAY)
    return predictions(tenant, DAY), outcome


@pytest.mark.parametrize("step", [1, 4])
def test_a_killed_part_goes_on_to_the_rows_of_one_worker(make_tenant, people, undisturbed, monkeypatch, step):
    for name, value in {"SPREAD_FROM": 50, "LEAST_OF_PART": 20, "MOST_PARTS": 3}.items():
        monkeypatch.setattr(spread, name, value)
    monkeypatch.setattr(scoring, "CHUNK_PATIENTS", 20)
    tenant = make_tenant().ref
    store(tenant, people)
    with opener(tenant)() as session:
        enqueue(session, "risk.score", {"as_of": DAY.isoformat()})
    process = zygote.start(WORKER, tenant.slug, step, stdout=subprocess.PIPE, text=True)
    while (line := process.stdout.readline()) != "waiting\n":
        assert line, "the worker ended before the step"
    process.kill()
    process.wait()
    process.stdout.close()
    for _ in range(5):
        with node_session(tenant.database) as session:
            session.execute(EXPIRE, {"role": tenant.role_name})
            session.execute(DUE, {"role": tenant.role_name})
        drain(tenant)
    rows, outcome = undisturbed
    assert predictions(tenant, DAY) == rows
    with opener(tenant)() as session:
        run = repository.run_of(session, DAY)
        figures = (run.state, run.patients_seen, run.at_risk, run.to_trace)
        assert figures == ("done", outcome.patients, outcome.at_risk, outcome.to_trace)
        assert metering.totals(session)["patients_scored"] == outcome.at_risk
        with session.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM audit_events WHERE action = 'risk:patients:score'")
            assert cursor.fetchone()[0] == 1
