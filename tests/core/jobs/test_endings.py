"""A feature learns that its job is given up, retried or discarded: in the same transaction, as its tenant."""

import threading
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import text

from core import events
from core.database import node_session
from core.errors import Invalid
from core.jobs import Retry, decisions, endings, job
from core.jobs.relay import Relay
from core.jobs.worker import drain
from tests.core.jobs.conftest import acts


@job("testing.long", retry=Retry(1), lease=timedelta(seconds=1), time_limit=timedelta(seconds=1))
def act_long(context, payload):
    """Takes as long as the test has it take."""
    acts[payload["act"]](context, payload)


@pytest.fixture
def job_events(monkeypatch, effect):
    """The events of jobs that a feature got; each also writes a row as the tenant. With ``fails`` it raises."""

    class JobEvents(list):
        fails = False

    heard = JobEvents()

    def listen(event):
        def hear(session, payload):
            effect(session, event)
            heard.append((event, session.tenant.slug, payload))
            if heard.fails:
                raise ZeroDivisionError

        return (hear,) if event.startswith("jobs.") else ()

    monkeypatch.setattr(events, "listeners", listen)
    return heard


@pytest.fixture
def dead(tenant, ask, job_events):
    def act(_context, _payload):
        message = "there is no such column"
        raise Invalid(message)

    job_id = ask(tenant, act)
    drain(tenant)
    return job_id


def letters(job_id):
    with node_session() as session:
        query = text("SELECT reason, resolution FROM node.dead_letters WHERE job_id = :id ORDER BY id")
        return [tuple(row) for row in session.execute(query, {"id": job_id})]


def test_a_rejected_job_is_told_to_its_feature_in_a_session_of_its_tenant(tenant, dead, job_events, row, effects):
    ((event, slug, payload),) = job_events
    assert (event, slug) == ("jobs.given_up", tenant.slug)
    assert payload["job_id"] == dead
    assert (payload["kind"], payload["reason"]) == ("testing.act", "refused")
    assert payload["payload"] == row(dead)["payload"]
    assert payload["error"] == "Invalid: there is no such column"
    assert effects(tenant) == ["jobs.given_up"]


def test_a_job_out_of_attempts_is_told_once(tenant, ask, job_events):
    def act(_context, _payload):
        raise ZeroDivisionError

    ask(tenant, act)
    assert drain(tenant) == 3
    assert [(event, payload["reason"]) for event, _, payload in job_events] == [("jobs.given_up", "attempts")]


def test_a_job_that_died_alone_is_told(tenant, ask, change, job_events, row):
    job_id = ask(tenant)
    change(
        job_id,
        "state = 'running', lease_token = gen_random_uuid(), lease_until = now() - interval '1 s', suspicion = 2,"
        f" interruptions = {endings.MAX_INTERRUPTIONS - 1}",
    )
    from core.jobs.broker import LocalMessages

    assert Relay(LocalMessages(), tenant=tenant).tick().buried == 1
    assert row(job_id)["state"] == "dead"
    assert [(event, payload["reason"]) for event, _, payload in job_events] == [("jobs.given_up", "interruptions")]


def test_a_job_of_a_kind_that_nobody_knows_is_told_when_it_is_given_up(tenant, ask, change, job_events, row):
    job_id = ask(tenant)
    change(job_id, "kind = 'testing.of_tomorrow', max_attempts = 1")
    drain(tenant)
    assert row(job_id)["state"] == "dead"
    assert [(event, payload["kind"]) for event, _, payload in job_events] == [("jobs.given_up", "testing.of_tomorrow")]


def test_a_feature_that_fails_does_not_keep_a_job_from_being_given_up(tenant, ask, job_events, row, effects):
    job_events.fails = True

    def act(_context, _payload):
        message = "no"
        raise Invalid(message)

    job_id = ask(tenant, act)
    drain(tenant)
    assert row(job_id)["state"] == "dead"
    assert letters(job_id) == [("refused", None)], "once"
    assert effects(tenant) == [], "what the feature had begun is not kept"


@pytest.mark.parametrize("verb", ["retry", "discard"])
def test_what_an_operator_decides_is_told_and_in_the_audit_of_the_tenant(
    tenant, dead, job_events, row, open_session, verb
):
    act, resolution, state = {
        "retry": (decisions.retry, "retried", "queued"),
        "discard": (partial(decisions.discard, reason="no longer needed"), "discarded", "discarded"),
    }[verb]
    job_events.clear()
    act(dead, actor="cli:operator")
    ((event, slug, payload),) = job_events
    assert (event, slug, payload["job_id"]) == (f"jobs.{resolution}", tenant.slug, dead)
    assert row(dead)["state"] == state
    assert letters(dead) == [("refused", resolution)]
    with open_session(tenant) as session:
        query = text("SELECT actor, subject_uuid FROM audit_events WHERE action = :action")
        assert session.execute(query, {"action": f"cli:job:{verb}"}).all() == [("cli:operator", dead)]


def test_a_retry_that_a_feature_rejects_did_not_happen(dead, job_events, row):
    job_events.fails = True
    with pytest.raises(ZeroDivisionError):
        decisions.retry(dead, actor="cli:operator")
    assert row(dead)["state"] == "dead"
    assert letters(dead) == [("refused", None)]


def test_a_job_that_takes_longer_than_its_limit_is_blamed_at_once(tenant, ask, row, monkeypatch, job_events):
    monkeypatch.setattr(endings, "MAX_INTERRUPTIONS", 1)
    pause = threading.Event()

    def act(context, _payload):
        while True:
            with context.session():
                pass
            pause.wait(0.05)

    job_id = ask(tenant, act, kind="testing.long")
    drain(tenant)
    for _ in range(600):
        if row(job_id)["state"] == "dead":
            break
        pause.wait(0.05)
    state = row(job_id)
    assert (state["state"], state["suspicion"], state["interruptions"]) == ("dead", 0, 1)
    assert "longer than its limit" in state["error"]
    assert [payload["reason"] for _, _, payload in job_events] == ["interruptions"]


@pytest.fixture
def announcement(tenant, ask, job_events, change):
    """The job that announces a give-up at which the feature failed, due at once, with the id of the job given up."""
    job_events.fails = True

    def act(_context, _payload):
        message = "no"
        raise Invalid(message)

    job_id = ask(tenant, act)
    drain(tenant)
    (announce_id,) = announcements(tenant)
    change(announce_id, "run_after = now()")
    job_events.clear()
    return announce_id, job_id


def announcements(tenant):
    with node_session() as session:
        query = text("SELECT id FROM node.jobs WHERE tenant_role = :role AND kind = 'jobs.announce'")
        return list(session.scalars(query, {"role": tenant.role_name}))


def test_a_give_up_at_which_the_feature_failed_is_announced_again(tenant, announcement, job_events, row, effects):
    announce_id, job_id = announcement
    job_events.fails = False
    drain(tenant)
    ((event, slug, payload),) = job_events
    assert (event, slug) == ("jobs.given_up", tenant.slug)
    assert (payload["job_id"], payload["reason"]) == (job_id, "refused")
    assert effects(tenant) == ["jobs.given_up"]
    assert (row(announce_id)["state"], row(job_id)["state"]) == ("done", "dead")


def test_an_announcement_that_fails_each_time_is_a_dead_letter(tenant, announcement, change, row):
    announce_id, _ = announcement
    change(announce_id, "max_attempts = 1")
    drain(tenant)
    assert row(announce_id)["state"] == "dead"
    assert letters(announce_id) == [("attempts", None)]
    assert announcements(tenant) == [announce_id], "nobody announces an announcement"


def test_a_job_that_was_retried_meanwhile_is_not_announced_as_given_up(tenant, announcement, job_events, change, row):
    announce_id, job_id = announcement
    job_events.fails = False
    decisions.discard(job_id, "no longer needed", actor="cli:operator")
    job_events.clear()
    drain(tenant)
    assert job_events == []
    assert row(announce_id)["state"] == "done"
