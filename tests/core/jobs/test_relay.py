"""The relay admits tenants in turn, within bounds, and finds again what was lost.

On servers of its own, since it is the one for all tenants.
"""

import threading
from uuid import uuid4

import pytest
import redis
from sqlalchemy import text

from core.database import node_session
from core.errors import Unavailable
from core.jobs import job
from core.jobs import relay as relays
from core.jobs.broker import DramatiqMessages, LocalMessages
from core.jobs.endings import MAX_INTERRUPTIONS
from core.jobs.heartbeat import Heartbeat
from core.jobs.relay import Relay
from core.tenancy import create_tenant

ends = []


def hear(_session, end):
    ends[0](end.job_id)


@job("testing.heard", on_end=hear)
def act_heard(_context, _payload):
    """Does nothing; its end is what the test wants."""


class Forgetful(LocalMessages):
    """Messages that are gone when the test says so."""

    def __init__(self):
        super().__init__()
        self.wiped = False

    def forgot(self, epoch):
        wiped, self.wiped = self.wiped, False
        return wiped


@pytest.fixture
def empty(own_services):
    with node_session() as session:
        session.execute(text("DELETE FROM node.jobs"))
        session.execute(text("DELETE FROM node.dead_letters"))


@pytest.fixture(scope="module")
def tenants(own_services):
    return [create_tenant(f"relay-{name}", "Relay").ref for name in ("one", "two", "three")]


@pytest.fixture
def messages():
    return Forgetful()


@pytest.fixture
def relay(empty, messages):
    return Relay(messages)


def owners(messages, row):
    return [row(job_id)["tenant_role"] for job_id, _ in messages.sent]


def test_tenants_take_turns_however_many_jobs_one_of_them_has(tenants, ask, row, relay, messages, settings_of, empty):
    settings_of(jobs_window=6, jobs_per_tenant=6)
    relay = Relay(messages)
    busy, calm, third = tenants
    jobs = [ask(busy) for _ in range(20)]
    late = [ask(calm), ask(third)]
    assert relay.tick().admitted == 6
    first_round = [row(job_id)["id"] for job_id, _ in messages.sent]
    assert set(late) < set(first_round), "the calm ones do not wait for twenty of the busy one"
    assert sum(job_id in jobs[:4] for job_id in first_round) == 4, "within a tenant the oldest come first"


def test_no_more_than_a_window_is_under_way_and_no_more_than_its_bound_of_a_tenant(
    tenants, ask, messages, settings_of, empty
):
    settings_of(jobs_window=5, jobs_per_tenant=3)
    relay = Relay(messages)
    for tenant in tenants[:2]:
        for _ in range(5):
            ask(tenant)
    assert relay.tick().admitted == 5
    assert relay.tick().admitted == 0
    with node_session() as session:
        session.execute(
            text(
                "UPDATE node.jobs SET state = 'running', lease_token = gen_random_uuid(), lease_until = now() + '1 h'"
                " WHERE state = 'sent'"
            )
        )
    assert relay.tick().admitted == 1, "3 + 2 are running: one more of the second tenant, none of the first"


def test_what_is_not_due_is_not_sent(tenants, ask, change, relay, messages):
    job_id = ask(tenants[0])
    change(job_id, "run_after = now() + interval '1 hour'")
    assert relay.tick().admitted == 0
    change(job_id, "run_after = now() - interval '1 second'")
    assert relay.tick().admitted == 1
    assert messages.sent == [(job_id, "default")]


def test_a_message_that_nobody_took_is_sent_again_each_time_after_twice_as_long(
    tenants, ask, change, relay, messages, row
):
    job_id = ask(tenants[0])
    relay.tick()
    assert relay.tick().resent == 0
    for number, seconds in enumerate((31, 61, 121), start=2):
        change(job_id, f"sent_at = now() - interval '{seconds - 2} seconds'")
        assert relay.tick().resent == 0
        change(job_id, f"sent_at = now() - interval '{seconds} seconds'")
        assert relay.tick().resent == 1
        assert row(job_id)["sends"] == number
    assert len(messages.sent) == 4


def test_when_redis_was_emptied_all_messages_are_sent_again_at_once(tenants, ask, relay, messages):
    jobs = [ask(tenant) for tenant in tenants]
    relay.tick()
    messages.sent.clear()
    messages.wiped = True
    assert relay.tick().resent == 3
    assert {job_id for job_id, _ in messages.sent} == set(jobs)


def test_jobs_whose_messages_are_sent_again_keep_their_turns(tenants, ask, change, relay):
    jobs = [ask(tenants[0]) for _ in range(3)]
    relay.tick()
    for place, job_id in enumerate(reversed(jobs)):
        change(job_id, f"sent_at = now() - interval '{60 - place} seconds'")
    assert relay.tick().resent == 3
    with node_session() as session:
        assert session.scalars(text("SELECT id FROM node.jobs ORDER BY sent_at, id")).all() == jobs[::-1]


def test_an_emptied_redis_is_noticed_once(own_services, empty):
    messages = DramatiqMessages()
    messages.client.flushall()
    assert messages.forgot("a")
    assert not messages.forgot("a")
    assert not DramatiqMessages().forgot("b"), "another relay has sent everything again already"
    messages.client.flushall()
    assert messages.forgot("b")


def test_a_job_whose_lease_ran_out_is_suspected_first_and_given_up_when_it_died_alone_so_many_times(
    tenants, ask, change, relay, messages, row
):
    job_id = ask(tenants[0])
    seen = []
    for number in range(1, MAX_INTERRUPTIONS + 3):
        relay.tick()
        change(job_id, "state = 'running', lease_token = gen_random_uuid(), lease_until = now() + interval '1 minute'")
        assert relay.tick().reaped == 0, "its lease holds"
        change(job_id, "lease_until = now() - interval '1 second'")
        done = relay.tick()
        seen.append((row(job_id)["suspicion"], row(job_id)["interruptions"]))
        assert (done.reaped, done.buried) == ((1, 0) if number < MAX_INTERRUPTIONS + 2 else (0, 1))
    assert seen == [(1, 0), (2, 0), (2, 1), (2, 2), (2, 3)]
    assert row(job_id)["state"] == "dead"
    with node_session() as session:
        letter = session.execute(text("SELECT job_id, reason FROM node.dead_letters")).one()
    assert tuple(letter) == (job_id, "interruptions")
    assert relay.tick().admitted == 0


@pytest.mark.parametrize(("threads", "share"), [(1, 1), (2, 1), (4, 3), (64, 8)])
def test_a_tenants_share_leaves_a_thread_to_the_others_whatever_the_setting(
    tenants, ask, messages, empty, threads, share
):
    for _ in range(10):
        ask(tenants[0])
    assert Relay(messages, threads=threads).tick().admitted == share


def test_the_threads_of_all_live_workers_count(tenants, ask, messages, empty):
    other = Heartbeat(uuid4(), 4)
    other.beat()
    for _ in range(10):
        ask(tenants[0])
    assert Relay(messages, threads=2).tick().admitted == 3
    other.end()


def test_what_could_not_be_sent_is_queued_again(tenants, ask, empty, row):
    class Broken(LocalMessages):
        def send(self, job_id, database):
            if self.sent:
                message = "away"
                raise redis.ConnectionError(message)
            super().send(job_id, database)

    messages = Broken()
    jobs = [ask(tenant) for tenant in tenants]
    with pytest.raises(redis.ConnectionError):
        Relay(messages).tick()
    sent = messages.sent[0][0]
    assert {job_id: row(job_id)["state"] for job_id in jobs} == {
        job_id: "sent" if job_id == sent else "queued" for job_id in jobs
    }


def test_jobs_are_sent_before_others_end_and_no_end_waits_for_one_that_fails(
    tenants, ask, change, row, relay, messages
):
    failing, late, due = ask(tenants[0], kind="testing.heard"), ask(tenants[0], kind="testing.heard"), ask(tenants[1])
    for job_id, seconds in ((failing, 2), (late, 1)):
        past = f"now() - interval '{seconds} seconds'"
        change(job_id, f"state = 'sent', sent_at = now(), deadline = {past}")
    heard = []

    def hear_of(job_id):
        heard.append((job_id, list(messages.sent)))
        if job_id == failing:
            raise Unavailable("the room is away")

    ends[:] = [hear_of]
    assert relay.tick().buried == 1
    assert {job_id for job_id, _ in heard} == {failing, late}
    assert all(sent == [(due, "default")] for _, sent in heard)
    assert (row(failing)["state"], row(late)["state"]) == ("sent", "dead")


def test_jobs_that_ended_long_ago_are_swept_and_dead_ones_stay(tenants, ask, change, relay):
    jobs = {state: ask(tenants[0]) for state in ("done", "discarded", "dead", "queued")}
    recent = ask(tenants[0])
    change(recent, "state = 'done', finished_at = now() - interval '29 days'")
    for state, job_id in jobs.items():
        change(job_id, f"state = '{state}', finished_at = now() - interval '31 days'")
    assert relay.sweep() == 2
    with node_session() as session:
        left = set(session.scalars(text("SELECT id FROM node.jobs")))
    assert left == {recent, jobs["dead"], jobs["queued"]}


def test_a_relay_that_fails_goes_on(tenants, ask, row, empty, monkeypatch):
    rounds, stopping = [], threading.Event()

    class Failing(Relay):
        def tick(self):
            rounds.append(1)
            if len(rounds) == 1:
                raise ZeroDivisionError
            stopping.set()
            return super().tick()

    monkeypatch.setattr(relays, "LONGEST_PAUSE", 0.01)
    job_id = ask(tenants[0])
    Failing(LocalMessages()).run(stopping)
    assert row(job_id)["state"] == "sent"


def test_a_second_relay_leaves_the_work_to_the_first(tenants, ask, relay, messages):
    ask(tenants[0])
    with node_session() as session:
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": 0x11_7E_30_B5})
        assert relay.tick().admitted == 0
    assert relay.tick().admitted == 1


def test_a_relay_that_is_woken_does_not_wait_for_its_next_round(tenants, ask, row, empty, settings_of):
    settings_of(jobs_poll_seconds=3600)
    relay, stopping = Relay(LocalMessages()), threading.Event()
    job_id = ask(tenants[0])
    running = threading.Thread(target=relay.run, args=(stopping,))
    running.start()
    try:
        relay.wake()
        for _ in range(600):
            if row(job_id)["state"] == "sent":
                break
            stopping.wait(0.05)
        assert row(job_id)["state"] == "sent"
    finally:
        stopping.set()
        relay.wake()
        running.join(10)
    assert not running.is_alive()
