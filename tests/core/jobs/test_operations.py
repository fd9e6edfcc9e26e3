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


@pytest.mark.parametrize("verb", ["show", "retry", "discard"])
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


def test_a_dead_job_is_shown_as_failed(api, owner, ask):
    def act(_context, _payload):
        raise ZeroDivisionError

    job_id = ask(owner.ref, act)
    drain(owner.ref)
    assert api.get(f"/v1/jobs/{job_id}").json()["state"] == "failed"
