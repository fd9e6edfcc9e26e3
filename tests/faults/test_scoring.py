"""Scoring killed in the middle and begun again gives the rows of one that was not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from sqlalchemy import text

from core import metering
from core.database import node_session
from tenants.cohort.timelines import to_date
from tenants.risk import scoring
from tests import zygote
from tests.tenants.risk.clinics import END, clinics
from tests.tenants.risk.conftest import opener, predictions, store

DAY = to_date(END)
WORKER = Path(__file__).with_name("score_worker.py")
LAST_BEFORE_STEPS = 3
"""Transactions before the first step: which model, the rates, the run's row."""


@pytest.fixture(scope="module")
def undisturbed(make_tenant):
    tenant = make_tenant().ref
    store(tenant, clinics(120, facilities=3))
    scoring.score(tenant, opener(tenant), DAY)
    return predictions(tenant, DAY)


def killed(tenant, step, place):
    process = zygote.start(WORKER, tenant.slug, DAY, step, place, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "waiting\n"
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.parametrize(
    ("step", "place"),
    [
        (LAST_BEFORE_STEPS, "within"),
        (LAST_BEFORE_STEPS + 1, "within"),
        (LAST_BEFORE_STEPS + 1, "between"),
        (LAST_BEFORE_STEPS + 2, "within"),
        (LAST_BEFORE_STEPS + 3, "within"),
    ],
    ids=["before the first step", "in the first", "between two", "in the second", "in the last"],
)
def test_a_killed_scoring_goes_on_to_the_same_rows(make_tenant, undisturbed, step, place):
    tenant = make_tenant().ref
    store(tenant, clinics(120, facilities=3))
    killed(tenant, step, place)
    seen = []
    outcome = scoring.score(tenant, opener(tenant), DAY, progress=lambda done, *_: seen.append(done), chunk_patients=40)
    assert predictions(tenant, DAY) == undisturbed
    with opener(tenant)() as session:
        assert metering.totals(session)["patients_scored"] == outcome.at_risk
        with session.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM audit_events WHERE action = 'risk:patients:score'")
            assert cursor.fetchone()[0] == 1
    with node_session(tenant.database) as session:
        query = text(
            "SELECT payload ->> 'at_risk' FROM node.outbox WHERE event = 'risk.scored' AND tenant_id = :tenant"
        )
        assert session.scalars(query, {"tenant": tenant.id}).all() == [str(outcome.at_risk)]
    if step > LAST_BEFORE_STEPS + 1:
        assert seen[0] > 40, "it went on from its cursor"
