"""A commit wakes the relay through Redis, so that a job or an event need not wait for the relay's next look."""

import time
from threading import Event

import pytest
from redis import Redis

from core import telemetry
from core.database import node_session, psycopg_connection, tenant_session
from core.database.joining import joined
from core.events import wakes
from core.jobs import enqueue
from core.jobs import relay as relays
from core.jobs.broker import LocalMessages
from core.jobs.relay import _LOCK, Relay, Tick
from core.jobs.worker import working
from core.services import ensure, quick_redis
from core.services.quick_redis import forget_quick_client

from .test_relay import empty  # noqa: F401 - a fixture

ACT = ("testing.act", {"act": "none"})


@pytest.fixture
def channel(database):
    """What is published: ``channel()`` marks the moment, and gives what came since the last mark."""
    with Redis.from_url(ensure().redis_url) as client, client.pubsub(ignore_subscribe_messages=True) as subscription:
        subscription.subscribe(wakes.CHANNEL)
        subscription.get_message(timeout=1)

        def since():
            client.publish(wakes.CHANNEL, "mark")
            messages = []
            while (message := subscription.get_message(timeout=10))["data"] != b"mark":
                messages.append(message["data"])
            return messages

        since()
        yield since


def done(row, job_id):
    for _ in range(1200):
        if row(job_id)["state"] == "done":
            return True
        time.sleep(0.05)
    return False


def test_a_job_runs_though_no_relay_looks_for_it(tenant, ask, row, empty, settings_of):  # noqa: F811
    settings_of(jobs_poll_seconds=3600)
    with working(threads=2):
        for _ in range(2):
            assert done(row, ask(tenant))


def test_a_commit_wakes_once_and_a_rollback_never(tenant, channel):
    with tenant_session(tenant, actor="test:1") as session:
        for _ in range(3):
            enqueue(session, *ACT)
        assert channel() == []
    assert channel() == [b""]
    with pytest.raises(ZeroDivisionError), tenant_session(tenant, actor="test:1") as session:
        enqueue(session, *ACT)
        raise ZeroDivisionError
    assert channel() == []


def test_a_session_that_joined_a_transaction_wakes_when_that_commits(tenant, channel):
    def outer():
        return tenant_session(tenant, actor="test:1")

    with telemetry.bound(request_id="joined"), joined(tenant.id, outer):
        with tenant_session(tenant, actor="test:1") as session:
            enqueue(session, *ACT)
        assert channel() == []
    assert channel() == [b""]


def test_a_commit_does_not_fail_where_redis_is_away(tenant, monkeypatch):
    def away():
        raise ConnectionRefusedError

    monkeypatch.setattr(quick_redis, "quick_client", away)
    with tenant_session(tenant, actor="test:1") as session:
        job_id = enqueue(session, *ACT)
    forget_quick_client()
    assert job_id


def test_a_relay_that_was_beaten_looks_again_soon(database):
    relay = Relay(LocalMessages())
    with node_session() as session:
        psycopg_connection(session).execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        assert relay.tick().beaten
    assert not relay.tick().beaten


@pytest.mark.parametrize(("done", "longest"), [(Tick(beaten=True), relays.BEATEN), (Tick(), 60)])
def test_a_relay_rests_between_rounds_however_often_it_is_woken(database, monkeypatch, done, longest):
    pauses, rounds = [], []

    class Stopping(Event):
        def wait(self, timeout=None):
            pauses.append(timeout)
            return self.is_set()

    class Woken(Relay):
        def tick(self):
            rounds.append(done)
            self.wake()
            if len(rounds) == 4:
                stopping.set()
            return done

    stopping, relay = Stopping(), Woken(LocalMessages())
    monkeypatch.setattr(relays, "SHORTEST_PAUSE", 60)
    relay.wake()
    relay.run(stopping)
    assert len(pauses) == 4
    assert all(0 < pause <= longest for pause in pauses[1:])


def test_who_listens_hears_each_wake_up_until_the_end(channel):
    heard, stopping = [], Event()

    def note():
        heard.append(1)
        if len(heard) == 1:
            wakes._wake()
        else:
            stopping.set()

    with Redis.from_url(ensure().redis_url) as client:
        wakes.listen_for_wakes(client, note, stopping)
    assert len(heard) == 2
