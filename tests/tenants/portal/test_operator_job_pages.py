"""Operators' pages of dead letters: failures, an edited payload, a reason, and retries at a rate."""

from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from sqlalchemy import text

from core.database import node_session, platform_session, tenant_session
from core.events.catalogue import type_of
from core.events.outbox import publish_after_commit
from core.identity.people import accounts, sessions
from core.jobs import payloads
from tests.browser.jobs import dead_job
from tests.isolation.pages import OWN
from tests.keyed import KeyedClient

FAILURES = (
    '{"first": {"at": "2026-02-03T08:15:02+00:00", "error": "KeyError"}, "last": {"at": "2026-02-03T08:16:10+00:00",'
    ' "error": "ArithmeticError"}, "trace": [{"error": "ArithmeticError", "frames": [{"file": "tenants/a.py",'
    ' "line": 7, "function": "link"}]}]}'
)


@pytest.fixture(scope="module")
def client(application):
    person = accounts.add_operator(f"jobs-{uuid4().hex[:8]}@example.org", "Operator", "platform_admin", actor="test:1")
    with platform_session() as session:
        begun = sessions.begin(session, person, None, signed_in_by="password")
    client = KeyedClient(application, base_url=OWN, follow_redirects=False)
    client.cookies.set("iit_session", begun.secret)
    return client


@pytest.fixture
def dead(module_tenant):
    """A dead job with a letter, whose payload has a personal field."""
    job_id = dead_job(module_tenant)
    with node_session(module_tenant.database) as session:
        values = {"id": job_id, "failures": FAILURES}
        session.execute(text('UPDATE node.jobs SET payload = \'{"phone": "0803"}\' WHERE id = :id'), values)
        session.execute(
            text(
                "INSERT INTO node.dead_letters (id, job_id, tenant_id, tenant_role, kind, payload, reason, failures,"
                " attempts, deliveries) SELECT gen_random_uuid(), id, tenant_id, tenant_role, kind, payload,"
                " 'attempts', CAST(:failures AS jsonb), 3, 3 FROM node.jobs WHERE id = :id"
            ),
            values,
        )
    return job_id


@pytest.fixture
def post(client):
    def send(path, **fields):
        token = client.get("/me").text.split('name="csrf_token" value="')[1].split('"')[0]
        return client.post(path, data={**fields, "csrf_token": token}, headers={"Origin": OWN})

    return send


def payload_of(job_id):
    with node_session() as session:
        query = text("SELECT * FROM node.jobs WHERE id = :id")
        row = session.execute(query, {"id": job_id}).mappings().one()
    return row["state"], payloads.open_payload(row)


def test_a_letter_shows_its_failures_and_no_personal_field(client, dead):
    page = client.get(f"/operators/jobs/{dead}").text
    assert "KeyError" in page
    assert "tenants/a.py:7 in link" in page
    assert "0803" not in page


def test_a_payload_is_edited_and_a_wrong_one_stays_in_its_field(post, dead):
    rejected = post(f"/operators/jobs/{dead}/edit", payload="[1]")
    assert rejected.status_code == 422
    assert "[1]</textarea>" in rejected.text
    answer = post(f"/operators/jobs/{dead}/edit", payload='{"phone": "[hidden]", "day": "2026-02-03"}')
    assert answer.status_code == 303
    assert payload_of(dead) == ("queued", {"phone": "0803", "day": "2026-02-03"})


def test_a_discarded_letter_shows_the_reason(client, post, dead):
    assert post(f"/operators/jobs/{dead}/discard").status_code == 422
    answer = post(f"/operators/jobs/{dead}/discard", reason="a new file came")
    assert "a new file came" in client.get(answer.headers["location"]).text


def test_all_letters_of_a_kind_and_partner_are_retried(client, post, dead, module_tenant):
    form = {"kind": "quality.link", "tenant": module_tenant.slug, "per_minute": "30"}
    answer = post("/operators/jobs/retry", **form)
    retried = int(parse_qs(urlsplit(answer.headers["location"]).query)["retried"][0])
    assert retried >= 1
    assert f"{retried} job" in client.get(answer.headers["location"]).text
    assert payload_of(dead)[0] == "queued"
    assert post("/operators/jobs/retry").status_code == 422


def test_jobs_of_a_partner_are_paused_and_resumed(client, post, module_tenant):
    form = {"kind": "quality.link", "tenant": module_tenant.slug}
    assert post("/operators/jobs/pause", **form).status_code == 422
    answer = post("/operators/jobs/pause", **form, reason="the store of files moves")
    assert "the store of files moves" in client.get(answer.headers["location"]).text
    answer = post("/operators/jobs/resume", **form)
    assert "the store of files moves" not in client.get(answer.headers["location"]).text
    assert post("/operators/jobs/resume", **form).status_code == 404


def test_a_limit_is_set_shown_and_removed(client, post):
    answer = post("/operators/jobs/limit", kind="quality.link", at_once="2", reason="leaves room for imports")
    assert answer.status_code == 303
    assert "leaves room for imports" in client.get("/operators/jobs?state=queued").text
    assert post("/operators/jobs/unlimit", kind="quality.link").status_code == 303
    assert "leaves room for imports" not in client.get("/operators/jobs?state=queued").text


def test_events_are_shown_without_what_they_carry(client, module_tenant):
    with tenant_session(module_tenant, actor="test:1") as session:
        example = type_of("risk.scored").example
        publish_after_commit(session, "risk.scored", subject="hidden-subject", payload=example)
    page = client.get(f"/operators/events?event=risk.scored&tenant={module_tenant.slug}").text
    table = page.split("<tbody>")[-1]
    assert table.count("risk.scored") == 1
    assert "hidden-subject" not in page
    assert not any(f'"{name}"' in table for name in example)
    assert module_tenant.slug not in client.get("/operators/events?event=imports.completed").text.split("<tbody>")[-1]
