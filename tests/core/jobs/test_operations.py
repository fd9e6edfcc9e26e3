"""Operators look at jobs, retry and discard dead ones; tenants see their own over the API."""

import json
from uuid import uuid4

import pytest

from core.cli.main import run
from core.identity.operator import ACTOR
from core.jobs.worker import drain


@pytest.fixture
def iit(database, capsys):
    def call(*arguments):
        code = run(["jobs", *(str(word) for word in arguments)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


@pytest.fixture
def dead(tenant, ask):
    """A job that was given up, and what makes it go well the next time."""
    cured = []

    def act(_context, _payload):
        if not cured:
            raise ZeroDivisionError

    job_id = ask(tenant, act, dedupe_key="once")
    drain(tenant)
    return job_id, cured


def test_a_dead_job_is_listed_shown_and_after_a_retry_done(iit, tenant, dead, row):
    job_id, cured = dead
    code, out, _ = iit("list", "--state", "dead", "--tenant", tenant.slug, "--json")
    (listed,) = json.loads(out)["jobs"]
    assert (code, listed["id"], listed["tenant"]) == (0, str(job_id), tenant.slug)
    assert "ZeroDivisionError" in listed["error"]

    cured.append(True)
    assert iit("retry", job_id)[:2] == (0, "retried 1 job\n")
    assert row(job_id)["attempts"] == 0
    drain(tenant)
    assert row(job_id)["state"] == "done"
    (letter,) = json.loads(iit("show", job_id, "--json")[1])["dead_letters"]
    assert (letter["resolution"], letter["resolved_by"]) == ("retried", ACTOR)


def test_a_discarded_job_stays_discarded(iit, tenant, dead, row):
    job_id, _ = dead
    assert iit("discard", job_id, "--reason", "a new file came", "--json")[0] == 0
    assert row(job_id)["state"] == "discarded"
    assert drain(tenant) == 0
    code, _, err = iit("retry", job_id)
    assert code == 1
    assert "discarded, not dead" in err
    assert "discarded (a new file came)" in iit("show", job_id)[1]


def test_a_retry_is_rejected_while_the_same_work_waits_anew(iit, tenant, dead, ask):
    job_id, _ = dead
    assert ask(tenant, dedupe_key="once") != job_id
    code, _, err = iit("retry", job_id)
    assert code == 1
    assert "requested again" in err


@pytest.mark.parametrize("verb", ["show", "retry", "discard", "cancel"])
def test_an_unknown_job_fails_with_what_to_do(iit, verb):
    code, out, err = iit(verb, uuid4(), *(("--reason", "gone") if verb == "discard" else ()))
    assert (code, out) == (1, "")
    assert "iit jobs list" in err


@pytest.mark.parametrize(
    "words",
    [
        ("retry",),
        ("discard",),
        ("discard", str(uuid4())),
        ("retry", "--all"),
        ("retry", "--all", str(uuid4())),
        ("list", "--state", "x"),
        ("cancel",),
        ("pause", "--kind", "testing.act"),
        ("limits", "--kind", "testing.act"),
        ("limits", "--kind", "testing.act", "--remove", "--at-once", "1"),
    ],
)
def test_what_is_called_wrongly_exits_with_2(iit, words):
    assert iit(*words)[0] == 2


def test_a_tenant_sees_its_own_jobs_over_the_api(api, owner, ask, make_tenant, application, client_for):
    def act(context, _payload):
        context.progress(3, 4, "rows")

    job_id = ask(owner.ref, act)
    assert api.get(f"/v1/jobs/{job_id}").json()["state"] == "queued"
    drain(owner.ref)
    answer = api.get(f"/v1/jobs/{job_id}")
    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["progress"]) == ("done", {"done": 3, "total": 4, "note": "rows"})
    assert "tenant_role" not in answer.json()

    listed = api.get("/v1/jobs", params={"state": "done", "kind": "testing.act"}).json()
    assert [job["id"] for job in listed["items"]] == [str(job_id)]
    assert api.get("/v1/jobs", params={"state": "queued"}).json()["total"] == 0

    stranger = client_for(application, make_tenant().api_key)
    assert stranger.get(f"/v1/jobs/{job_id}").status_code == 404
    assert stranger.get("/v1/jobs").json()["total"] == 0


def test_a_tenant_cancels_its_job_over_the_api(api, owner, ask, row, change):
    waiting, running, done = ask(owner.ref, priority="low"), ask(owner.ref), ask(owner.ref)
    change(running, "state = 'running', lease_token = gen_random_uuid(), lease_until = now() + interval '1 h'")
    change(done, "state = 'done'")
    for job_id, state, under_way in ((waiting, "cancelled", False), (running, "running", True)):
        key = {"Idempotency-Key": f"cancel-{job_id}"}
        answer = api.post(f"/v1/jobs/{job_id}/cancel", headers=key)
        assert answer.status_code == 200
        assert (answer.json()["state"], answer.json()["cancelling"]) == (state, under_way)
        again = api.post(f"/v1/jobs/{job_id}/cancel", headers=key)
        assert again.headers["Idempotency-Replayed"] == "true"
    assert api.get(f"/v1/jobs/{waiting}").json()["priority"] == "low"
    assert api.post(f"/v1/jobs/{done}/cancel", headers={"Idempotency-Key": "too-late"}).status_code == 409


def test_an_operator_cancels_pauses_and_limits_jobs_by_commands(iit, tenant, ask, row):
    job_id = ask(tenant)
    assert iit("cancel", job_id)[0] == 0
    assert row(job_id)["state"] == "cancelled"
    mine = ("--tenant", tenant.slug, "--kind", "testing.act")
    assert iit("pause", *mine, "--reason", "a test")[0] == 0
    (paused,) = json.loads(iit("pauses", "--json")[1])["pauses"]
    assert (paused["tenant"], paused["kind"], paused["set_by"]) == (tenant.slug, "testing.act", ACTOR)
    assert iit("resume", *mine)[0] == 0
    assert iit("resume", *mine)[0] == 1
    (limit,) = json.loads(iit("limits", *mine, "--at-once", 2, "--reason", "a test", "--json")[1])["limits"]
    assert (limit["tenant"], limit["at_once"]) == (tenant.slug, 2)
    assert json.loads(iit("limits", *mine, "--remove", "--json")[1]) == {"limits": []}


def test_a_dead_job_is_shown_as_failed(api, owner, ask):
    def act(_context, _payload):
        raise ZeroDivisionError

    job_id = ask(owner.ref, act)
    drain(owner.ref)
    assert api.get(f"/v1/jobs/{job_id}").json()["state"] == "failed"
