"""Operators list, set and remove pauses and limits of jobs over the API."""

import pytest
from sqlalchemy import text

from core.audit.platform import acts
from core.database import platform_session

PAUSES, LIMITS = "/v1/operators/job-pauses", "/v1/operators/job-limits"


@pytest.fixture(autouse=True)
def no_rules(database):
    yield
    with platform_session() as session:
        session.execute(text("DELETE FROM platform.job_pauses"))
        session.execute(text("DELETE FROM platform.job_limits"))


@pytest.mark.parametrize(
    ("path", "body", "listed", "actions"),
    [
        (PAUSES, {"reason": "the store moves"}, "pauses", ["api:job:resume", "api:job:pause"]),
        (LIMITS, {"reason": "room for imports", "at_once": 2}, "limits", ["api:job:unlimit", "api:job:limit"]),
    ],
    ids=["pause", "limit"],
)
def test_a_rule_is_set_listed_and_removed(operator_client, tenant, path, body, listed, actions):
    client = operator_client("platform_admin")
    jobs = {"tenant": tenant.slug, "kind": "testing.act", "platform": False}
    stored = client.put(path, json={**jobs, **body}).json()
    assert {name: stored[name] for name in (*jobs, *body)} == {**jobs, **body}
    assert client.get(path).json() == {listed: [stored]}
    named = {"tenant": tenant.slug, "kind": "testing.act"}
    assert client.post(f"{path}/remove", json=named).json() == {listed: []}
    assert client.post(f"{path}/remove", json=named).status_code == 404
    assert [act["action"] for act in acts(tenant_id=tenant.id)[:2]] == actions


@pytest.mark.parametrize("path", [PAUSES, LIMITS])
def test_support_reads_rules_and_sets_none(operator_client, path):
    client = operator_client("platform_support")
    assert client.get(path).status_code == 200
    body = {"kind": "testing.act", "reason": "x", **({"at_once": 1} if path == LIMITS else {})}
    assert client.put(path, json=body).status_code == 403


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 422), ({"kind": "no.such"}, 422), ({"tenant": "x", "platform": True}, 422), ({"tenant": "no-such"}, 404)],
    ids=["nothing", "kind", "both", "tenant"],
)
def test_jobs_that_are_not_named_are_rejected(operator_client, body, status):
    assert operator_client("platform_admin").put(PAUSES, json={**body, "reason": "x"}).status_code == status
