"""A thread that ended a job takes the next one itself: in the relay's order, within every bound, in one transaction."""

from contextlib import ExitStack
from threading import Event
from uuid import uuid4

import pytest
import redis
from sqlalchemy import text

from core.database import RoundTripError, node_session, tenant_session
from core.database.scope import FENCES, fence_number
from core.jobs import next_lease, streak
from core.jobs.broker import LocalMessages
from core.jobs.leases import Lease
from core.jobs.next_lease import Wish, finish_and_take, take_next
from core.jobs.prompt_broker import SHORTEST_REST, _PromptConsumer
from core.jobs.relay import Relay
from core.jobs.runner import Runner
from core.jobs.worker import _guarded
from core.tenancy import create_tenant


@pytest.fixture(scope="module")
def two_tenants(own_services):
    """Two tenants on servers of this file: a thread takes every job that is sent, also those of tests elsewhere."""
    return [create_tenant(f"streaks-{name}", "Streaks").ref for name in ("one", "two")]


@pytest.fixture(scope="module")
def tenant(two_tenants):
    return two_tenants[0]


@pytest.fixture
def alone(own_services):
    """No other test's jobs."""
    with node_session() as session:
        session.execute(text("DELETE FROM node.jobs"))
        session.execute(text("DELETE FROM node.job_cancellations"))


@pytest.fixture
def runner(alone):
    runner = Runner(threads=2)
    yield runner
    runner.close()


@pytest.fixture
def sent(ask, change):
    """``sent(tenant, place, ...)`` enqueues a job that the relay sent at this place."""

    def send(tenant, place, *arguments, **options):
        job_id = ask(tenant, *arguments, **options)
        change(job_id, f"state = 'sent', sent_at = now() + interval '{place} s'")
        return job_id

    return send


def serve(runner, job_id):
    return runner.serve(job_id, ended=lambda: None, hand_over=lambda: True)


def test_one_message_leads_to_all_jobs_that_the_relay_has_sent_in_its_order(tenant, sent, row, runner):
    order = []
    last, first, named, second = (
        sent(tenant, place, lambda context, _payload: order.append(context.job_id)) for place in (4, 1, 3, 2)
    )
    assert serve(runner, named) == 4
    assert order == [named, first, second, last]
    assert {row(job_id)["state"] for job_id in order} == {"done"}
    assert [row(job_id)["deliveries"] for job_id in order] == [1] * 4
    assert not runner._tenants


def test_jobs_that_the_relay_has_not_sent_wait(tenant, ask, sent, row, runner):
    waiting = ask(tenant)
    assert serve(runner, sent(tenant, 1)) == 1
    assert row(waiting)["state"] == "queued"


def test_a_job_of_several_steps_is_followed_by_the_next_too(tenant, sent, runner, effect, effects):
    def act(context, _payload):
        with context.session() as session:
            effect(session, "step")
        with context.session() as session:
            effect(session, "end")
            context.finish(session)

    assert serve(runner, sent(tenant, 1, act)) == 1
    named, _ = sent(tenant, 1, act), sent(tenant, 2, act)
    assert serve(runner, named) == 2
    assert effects(tenant) == ["step", "end"] * 3


def test_a_failing_job_does_not_end_the_streak(tenant, sent, row, runner):
    def fail(_context, _payload):
        raise ZeroDivisionError

    failing, good = sent(tenant, 1, fail), sent(tenant, 2)
    assert serve(runner, failing) == 2
    assert (row(failing)["state"], row(failing)["attempts"], row(good)["state"]) == ("queued", 1, "done")


def test_suspects_and_unknown_kinds_wait_for_a_message_of_their_own(tenant, sent, row, change, runner):
    suspect, unknown, good = sent(tenant, 1), sent(tenant, 2), sent(tenant, 3)
    change(suspect, "suspicion = 1")
    change(unknown, "kind = 'testing.of_tomorrow'")
    assert serve(runner, good) == 1
    assert [row(job_id)["state"] for job_id in (suspect, unknown)] == ["sent", "sent"]
    serve(runner, unknown)
    assert row(unknown)["attempts"] == 1


def test_a_tenant_with_its_full_share_is_passed_over(two_tenants, sent, row, runner):
    busy, calm = two_tenants
    first, second = sent(busy, 1), sent(calm, 2)
    with ExitStack() as seats:
        assert runner._seat(busy.role_name, seats)
        assert serve(runner, second) == 1
    assert (row(first)["state"], row(second)["state"]) == ("sent", "done")


def test_a_stopping_worker_takes_no_further_job(tenant, sent, row, runner):
    first, second = sent(tenant, 1, lambda _context, _payload: runner.stopping.set()), sent(tenant, 2)
    assert serve(runner, first) == 1
    assert (row(first)["state"], row(second)["state"]) == ("done", "sent")


def test_no_job_is_taken_along_while_another_one_waits_to_run_alone(tenant, sent, runner, monkeypatch):
    wishes = []

    def finish(*arguments, wish):
        wishes.append(wish)
        return finish_and_take(*arguments, wish)

    monkeypatch.setattr(type(runner._gate), "awaited", property(lambda _gate: True))
    monkeypatch.setattr("core.jobs.runner.finish_and_take", finish)
    job_id = sent(tenant, 1)
    serve(runner, job_id)
    assert wishes == [None]


def test_after_its_time_a_thread_hands_the_rest_over(tenant, sent, row, runner, monkeypatch):
    monkeypatch.setattr(streak, "STREAK_SECONDS", 0)
    messages = LocalMessages()
    first, second = sent(tenant, 1), sent(tenant, 2)
    _guarded(messages, runner, first, "default", lambda: None)
    assert messages.sent == [(first, "default")]
    assert [row(job_id)["state"] for job_id in (first, second)] == ["done", "sent"]


def test_a_suspect_has_its_turn_while_other_jobs_keep_coming(tenant, sent, row, change, runner, monkeypatch):
    monkeypatch.setattr(streak, "STREAK_SECONDS", 0)
    suspect, *others = (sent(tenant, place) for place in (1, 2, 3))
    change(suspect, "suspicion = 1")
    serve(runner, suspect)
    assert [row(job_id)["state"] for job_id in (suspect, *others)] == ["done", "done", "sent"]


def test_without_redis_a_thread_goes_on(tenant, sent, row, runner, monkeypatch):
    class Away(LocalMessages):
        def send(self, job_id, database):
            raise redis.ConnectionError

    monkeypatch.setattr(streak, "STREAK_SECONDS", 0)
    jobs = [sent(tenant, place) for place in (1, 2)]
    _guarded(Away(), runner, jobs[0], "default", lambda: None)
    assert [row(job_id)["state"] for job_id in jobs] == ["done", "done"]


def test_the_end_of_a_job_takes_the_next_with_its_owner_and_kind(two_tenants, sent, row, alone):
    one, other = two_tenants
    ending, following = sent(one, 1), sent(other, 2)
    lease = take_next(Wish("default"))
    assert (lease.job_id, lease.tenant) == (ending, one)
    done, after = finish_and_take(lease, one, Wish("default"))
    assert done
    assert (after.job_id, after.tenant, after.kind.name) == (following, other, "testing.act")
    assert (row(ending)["state"], row(ending)["lease_token"]) == ("done", None)
    assert (row(following)["state"], row(following)["lease_token"]) == ("running", after.token)
    assert (row(following)["lease_until"] - row(following)["started_at"]) == after.kind.lease
    assert take_next(Wish("default")) is None


@pytest.mark.parametrize("state", ["lost", "late", "cancelled", "moving"])
def test_no_job_ends_that_may_not(tenant, sent, row, change, alone, state):
    job_id = sent(tenant, 1)
    lease = take_next(Wish("default"))
    assert isinstance(lease, Lease)
    with ExitStack() as stack:
        if state == "lost":
            change(job_id, "lease_token = gen_random_uuid()")
        elif state == "late":
            change(job_id, "deadline = now()")
        elif state == "cancelled":
            with tenant_session(tenant, actor="test:1") as session:
                session.cursor().execute(
                    "INSERT INTO node.job_cancellations (job_id, tenant_id, tenant_role, requested_by)"
                    " VALUES (%s, %s, current_user, 'test:1')",
                    (job_id, tenant.id),
                )
        else:
            move = stack.enter_context(node_session())
            values = {"space": FENCES, "number": fence_number(tenant.role_name)}
            move.execute(text("SELECT pg_advisory_xact_lock(:space, :number)"), values)
        assert finish_and_take(lease, tenant, None) == (False, None)
    assert row(job_id)["state"] == "running"
    with node_session() as session:
        session.execute(text("DELETE FROM node.job_cancellations"))


def test_a_lease_that_came_with_a_lost_end_is_given_back(tenant, sent, row, change, runner):
    def lose(context, _payload):
        change(context.job_id, "lease_token = gen_random_uuid()")

    first, second = sent(tenant, 1, lose), sent(tenant, 2)
    serve(runner, first)
    assert row(first)["state"] == "running"
    assert (row(second)["state"], row(second)["deliveries"]) in (("queued", 0), ("done", 1))


def test_a_statement_that_fails_twice_leaves_the_job_to_the_slow_way(tenant, sent, row, runner, monkeypatch):
    def fail(*_arguments):
        raise RoundTripError

    monkeypatch.setattr(next_lease, "node_at_once", fail)
    job_id = sent(tenant, 1)
    assert serve(runner, job_id) == 1
    assert row(job_id)["state"] == "done"


def test_a_relay_sends_no_more_messages_than_there_are_threads_and_one_for_each_suspect(
    two_tenants, ask, row, change, alone
):
    messages = LocalMessages()
    relay = Relay(messages, threads=2)
    suspect = ask(two_tenants[0])
    change(suspect, "suspicion = 1")
    ask(two_tenants[1])
    assert relay.tick().admitted == 2
    assert len(messages.sent) == 2
    change(suspect, "state = 'done'")
    ask(two_tenants[0])
    assert relay.tick().admitted == 1
    assert len(messages.sent) == 2, "two messages wait already"
    other = ask(two_tenants[0])
    change(other, "suspicion = 1, run_after = now() - interval '1 hour'")
    with node_session() as session:
        session.execute(text("UPDATE node.jobs SET state = 'done' WHERE state = 'sent'"))
    relay.tick()
    assert messages.sent[-1][0] == other


def test_a_job_without_a_message_gets_one_where_no_message_waits_but_no_suspect(tenant, sent, change, alone):
    messages = LocalMessages()
    relay = Relay(messages, threads=2)
    suspect, job_id = sent(tenant, -3), sent(tenant, -2)
    change(suspect, "suspicion = 1")
    relay.tick()
    assert messages.sent == [(job_id, "default")]
    relay.tick()
    assert len(messages.sent) == 1


def test_a_consumer_looks_at_once_when_a_message_is_announced():
    announced = Event()
    consumer = _PromptConsumer(iter([None, None, "message"]), announced, 0.02)
    assert next(consumer) is None
    assert consumer._rest == 0.02
    consumer._longest = consumer._rest = 3600
    announced.set()
    assert next(consumer) is None, "it has not waited for an hour"
    assert (announced.is_set(), consumer._rest) == (False, SHORTEST_REST)
    assert next(consumer) == "message"


def test_a_wish_for_a_job_that_is_gone_gives_the_next(tenant, sent, alone):
    job_id = sent(tenant, 1)
    assert take_next(Wish("default", first=uuid4())).job_id == job_id
