"""A cancelled job ends, at once or before its next step, and a job after its deadline is given up; the room hears."""

import threading
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import text

from core.database import node_session, platform_session, tenant_session
from core.errors import Conflict, NotFound
from core.jobs import Retry, enqueue_platform, job, platform_job
from core.jobs.broker import LocalMessages
from core.jobs.cancelling import cancel, cancel_any
from core.jobs.registry import kind_of
from core.jobs.relay import Relay
from core.jobs.runner import Runner
from core.jobs.worker import drain
from core.resilience import seconds_left
from tests.core.jobs.conftest import acts

ended = []


def note(_session, end):
    """Remember what the room heard."""
    ended.append((end.decision, end.reason, end.problem))


@job("testing.ending", retry=Retry(3, first=timedelta(0)), lease=timedelta(seconds=1), on_end=note)
def ending(context, payload):
    """Do what the test wants done."""
    acts[payload["act"]](context, payload)


@platform_job("testing.platform_ending", on_end=note)
def platform_ending(_context, _payload):
    """Do nothing."""


@pytest.fixture(autouse=True)
def heard():
    ended.clear()
    return ended


@pytest.fixture
def stop(tenant):
    """``stop(job_id)`` cancels the job as its tenant; gives the outcome."""

    def cancel_(job_id):
        with tenant_session(tenant, actor="test:1") as session:
            return cancel(session, job_id)

    return cancel_


@pytest.mark.parametrize("state", ["queued", "sent"])
def test_a_job_that_waits_is_cancelled_at_once(tenant, ask, row, change, stop, heard, state):
    job_id = ask(tenant, kind="testing.ending")
    change(job_id, f"state = '{state}'")
    assert stop(job_id) == "cancelled"
    assert (row(job_id)["state"], heard) == ("cancelled", [("cancelled", "", "its job was cancelled")])
    assert drain(tenant) == 0
    assert stop(job_id) == "cancelled"
    with tenant_session(tenant, actor="test:1") as session:
        query = text("SELECT actor, subject_uuid FROM audit_events WHERE action = 'api:job:cancel'")
        assert session.execute(query).tuples().all() == [("test:1", job_id)]


def test_a_cancellation_that_is_rolled_back_did_not_happen(tenant, ask, row):
    job_id = ask(tenant, kind="testing.ending")
    with pytest.raises(ZeroDivisionError), tenant_session(tenant, actor="test:1") as session:
        cancel(session, job_id)
        raise ZeroDivisionError
    assert row(job_id)["state"] == "queued"


def test_a_job_that_runs_ends_before_its_next_step_and_keeps_the_steps_before(
    tenant, ask, row, stop, effect, effects, heard
):
    def act(context, _payload):
        with context.session() as session:
            effect(session, "a")
            assert stop(context.job_id) == "requested", "while a step is open, too"
            effect(session, "b")
        with context.session() as session:
            effect(session, "c")

    job_id = ask(tenant, act, kind="testing.ending")
    assert drain(tenant) == 1
    assert [one for one in effects(tenant) if one] == ["a", "b"]
    job = row(job_id)
    assert (job["state"], job["attempts"], job["lease_token"]) == ("cancelled", 0, None)
    assert heard == [("cancelled", "", "its job was cancelled")]
    with node_session() as session:
        query = text("SELECT count(*) FROM node.job_cancellations WHERE job_id = :id")
        assert session.scalar(query, {"id": job_id}) == 0


def test_a_job_that_is_cancelled_in_its_last_step_is_done(tenant, ask, row, stop, heard):
    def act(context, _payload):
        with context.session() as session:
            stop(context.job_id)
            context.finish(session)

    job_id = ask(tenant, act, kind="testing.ending")
    assert drain(tenant) == 1
    assert (row(job_id)["state"], heard) == ("done", [])
    with pytest.raises(Conflict, match="has ended"):
        stop(job_id)


def test_a_job_whose_worker_vanished_before_it_heeded_the_request_is_cancelled_by_the_relay(
    tenant, ask, row, change, stop, heard
):
    job_id = ask(tenant, kind="testing.ending")
    change(job_id, "state = 'running', lease_token = gen_random_uuid(), lease_until = now() + interval '1 h'")
    assert stop(job_id) == "requested"
    relay = Relay(LocalMessages(), database=tenant.database, tenant=tenant)
    relay.tick()
    assert row(job_id)["state"] == "running"
    change(job_id, "lease_until = now() - interval '1 s'")
    relay.tick()
    assert (row(job_id)["state"], len(heard)) == ("cancelled", 1)


KERNEL = ("events.deliver", "jobs.announce", "jobs.announce_platform", "webhooks.announce", "webhooks.dispatch")


def test_nobody_cancels_the_platforms_own_work(tenant, ask, row, change, stop):
    assert not any(kind_of(kind).cancellable for kind in KERNEL)
    job_id = ask(tenant, kind="testing.ending")
    change(job_id, "kind = 'webhooks.dispatch'")
    for act in (stop, partial(cancel_any, actor="test:2")):
        with pytest.raises(Conflict, match="cannot be cancelled"):
            act(job_id)
    assert row(job_id)["state"] == "queued"


def test_no_tenant_cancels_the_job_of_another(two_tenants, ask, row):
    first, second = two_tenants
    job_id = ask(first)
    with tenant_session(second, actor="test:1") as session, pytest.raises(NotFound):
        cancel(session, job_id)
    assert row(job_id)["state"] == "queued"


def test_an_operator_cancels_the_job_of_any_tenant_and_of_the_platform(tenant, ask, row, heard):
    of_tenant = ask(tenant, kind="testing.ending")
    with platform_session() as session:
        of_platform = enqueue_platform(session, "testing.platform_ending", {}, actor="test:1")
    for job_id in (of_tenant, of_platform):
        assert cancel_any(job_id, actor="test:2") == "cancelled"
        assert row(job_id)["state"] == "cancelled"
    assert len(heard) == 2


def test_a_job_that_has_not_begun_by_its_deadline_is_given_up_not_run(tenant, ask, row, change, heard):
    job_id = ask(tenant, kind="testing.ending", deadline=datetime.now(UTC) + timedelta(hours=1))
    change(job_id, "deadline = now() - interval '1 s'")
    assert drain(tenant) == 0
    assert row(job_id)["state"] == "dead"
    assert heard == [("given_up", "deadline", "its job was given up: it had not ended by its deadline")]
    with node_session() as session:
        query = text("SELECT reason FROM node.dead_letters WHERE job_id = :id")
        assert session.scalar(query, {"id": job_id}) == "deadline"


def test_after_its_deadline_a_job_begins_no_step(tenant, ask, row, change, effect, effects, heard):
    def act(context, _payload):
        with context.session() as session:
            effect(session, "before")
        change(context.job_id, "deadline = now() - interval '1 s'")
        with context.session() as session:
            effect(session, "after")

    job_id = ask(tenant, act, kind="testing.ending", deadline=datetime.now(UTC) + timedelta(hours=1))
    assert drain(tenant) == 1
    assert (row(job_id)["state"], effects(tenant)) == ("dead", ["before"])
    assert [reason for _, reason, _ in heard] == ["deadline"]


def test_a_job_that_thinks_past_its_deadline_is_given_up_by_its_worker(tenant, ask, row, change):
    gone_on = threading.Event()
    job_id = ask(tenant, lambda _context, _payload: gone_on.wait(60), kind="testing.ending", deadline=soon(1))
    change(job_id, "state = 'sent', sent_at = now()")
    runner = Runner()
    running = threading.Thread(target=runner.run, args=(job_id,))
    running.start()
    try:
        for _ in range(600):
            if row(job_id)["state"] == "dead":
                break
            gone_on.wait(0.05)
        assert row(job_id)["state"] == "dead"
    finally:
        gone_on.set()
        running.join()
        runner.close()


def test_the_calls_of_a_job_end_at_its_deadline(tenant, ask):
    left = []
    ask(tenant, lambda _context, _payload: left.append(seconds_left(1e6)), kind="testing.ending", deadline=soon(100))
    drain(tenant)
    assert 0 < left[0] <= 100


def soon(seconds):
    return datetime.now(UTC) + timedelta(seconds=seconds)
