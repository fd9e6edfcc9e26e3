"""The stream of events: in order, resumed without a loss, woken by Redis, ended by the credential or the process."""

from __future__ import annotations

import asyncio
import json
import re
from threading import Thread
from uuid import uuid4

import anyio
import pytest
from redis.exceptions import RedisError
from sqlalchemy import text

from core import services, tracing
from core.app import draining
from core.app.admission import Slot
from core.app.middleware import _Answer
from core.database import node_session, tenant_session
from core.errors import TooManyRequests, Unauthenticated, Unavailable
from core.events import listening, stream
from core.events.catalogue import type_of
from core.events.outbox import publish_after_commit
from core.events.signals import Signals, send_signals
from core.events.stream import Subscription, frames
from core.identity.keys import create_key, list_keys, revoke_key
from core.jobs.broker import DramatiqMessages
from core.jobs.relay import Relay
from tests.waiting import wait_until

PATH = "/v1/events/stream"
NO_WAIT = {"wait": "false"}


def nothing():
    """A credential that stays valid, or a process that goes on."""


@pytest.fixture
def tenant(make_tenant):
    return make_tenant().ref


@pytest.fixture
def client(application, client_for, tenant):
    return client_for(application, create_key(tenant, name="x", permissions=("events.read",)).plaintext)


@pytest.fixture
def publish(tenant):
    def publish_(event="risk.scored"):
        with tenant_session(tenant, actor="test:1") as session:
            return str(publish_after_commit(session, event, subject="s", payload=type_of(event).example))

    return publish_


def events(answer):
    """Number, type and body of each event of an answer."""
    matches = re.findall(r"id: (\d+)\nevent: (\S+)\ndata: (.*)\n\n", answer)
    return [(int(number), name, json.loads(body)) for number, name, body in matches]


def test_a_reader_gets_what_it_has_not_seen_in_order_and_nothing_else(client, publish):
    ids = [publish(), publish("imports.completed"), publish()]
    answer = client.get(PATH, params=NO_WAIT, headers={"Last-Event-ID": "1"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert [(number, body["id"], body["sequence"]) for number, _, body in events(answer.text)] == [
        (2, ids[1], 2),
        (3, ids[2], 3),
    ]
    chosen = client.get(PATH, params={**NO_WAIT, "event": "imports.completed"}, headers={"Last-Event-ID": "0"})
    assert [body["id"] for _, _, body in events(chosen.text)] == [ids[1]]
    assert events(client.get(PATH, params=NO_WAIT).text) == []


def test_many_events_come_in_batches(client, publish, monkeypatch):
    monkeypatch.setattr(stream, "BATCH", 2)
    ids = [publish() for _ in range(5)]
    answer = client.get(PATH, params=NO_WAIT, headers={"Last-Event-ID": "0"})
    assert [body["id"] for _, _, body in events(answer.text)] == ids


def test_a_reader_learns_what_is_no_longer_stored(client, publish, tenant):
    for _ in range(3):
        publish()
    with node_session(tenant.database) as session:
        session.execute(text("DELETE FROM node.outbox WHERE tenant_id = :id AND sequence <= 2"), {"id": tenant.id})
    (gap, after) = events(client.get(PATH, params=NO_WAIT, headers={"Last-Event-ID": "0"}).text)
    assert gap == (2, "gap", {"after": 0, "before": 3})
    assert after[0] == 3
    (ahead,) = events(client.get(PATH, params=NO_WAIT, headers={"Last-Event-ID": "99"}).text)
    assert ahead == (3, "gap", {"after": 99, "before": 4})


def test_a_reader_learns_what_is_missing_between_two_events(client, publish, tenant):
    for _ in range(4):
        publish()
    with node_session(tenant.database) as session:
        session.execute(text("DELETE FROM node.outbox WHERE tenant_id = :id AND sequence IN (2, 3)"), {"id": tenant.id})
    first, gap, last = events(client.get(PATH, params=NO_WAIT, headers={"Last-Event-ID": "0"}).text)
    assert gap == (3, "gap", {"after": 1, "before": 4})
    assert (first[0], last[0]) == (1, 4)


@pytest.mark.parametrize("number", ["-1", "x", "1.5", "9" * 30])
def test_what_is_no_number_is_rejected(client, number):
    assert client.get(PATH, params=NO_WAIT, headers={"Last-Event-ID": number}).status_code == 422


def test_who_may_not_read_events_or_reaches_a_part_gets_nothing(application, client_for, tenant):
    other = client_for(application, create_key(tenant, name="y", permissions=("jobs.read",)).plaintext)
    assert other.get(PATH, params=NO_WAIT).status_code == 403
    assert client_for(application, None).get(PATH, params=NO_WAIT).status_code == 401


def test_a_stream_that_waits_ends_when_the_process_drains(client, publish, monkeypatch):
    monkeypatch.setattr(stream, "TICK_SECONDS", 0.01)
    event_id = publish()
    answers = []
    thread = Thread(target=lambda: answers.append(client.get(PATH, headers={"Last-Event-ID": "0"})))
    draining.begin()
    try:
        thread.start()
        thread.join(20)
    finally:
        draining.cancel()
    assert [body["id"] for _, _, body in events(answers[0].text)] == [event_id]


def test_a_stream_ends_with_its_key(client, tenant, publish, monkeypatch):
    monkeypatch.setattr(stream, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(stream, "LOOK_SECONDS", 0.05)
    (key,) = [each for each in list_keys(tenant) if each.name == "x"]
    revoke_key(tenant, str(key.id), actor="test:1")
    ended = asyncio.run(_collect(_asked(tenant, confirm=_revoked), lambda texts: False))
    assert len(ended) == 1, "the first frame, and nothing after it"
    assert client.get(PATH).status_code == 401


def test_the_relay_signals_the_tenants_that_published(own_messages, tenant, publish):
    heard = []
    signals = Signals(heard.append)
    signals.enter()
    try:
        wait_until(lambda: heard == [None])  # subscribed
        publish()
        Relay(own_messages, tenant=tenant).tick()
        wait_until(lambda: tenant.id in heard)
    finally:
        signals.leave()


def test_who_listens_tries_again_after_the_servers_could_not_be_started(database, monkeypatch):
    heard, tries = [], []

    def ensure():
        tries.append(1)
        if len(tries) == 1:
            detail = "no room"
            raise Unavailable(detail)
        return services.ensure()

    monkeypatch.setattr(listening, "ensure", ensure)
    monkeypatch.setattr(listening, "SHORTEST_PAUSE", 0.01)
    signals = Signals(heard.append)
    signals.enter()
    try:
        wait_until(lambda: heard == [None])
    finally:
        signals.leave()


def test_a_signal_wakes_the_streams_of_its_tenant_before_they_look(tenant, publish, monkeypatch):
    monkeypatch.setattr(stream, "LOOK_SECONDS", 3600.0)

    async def read():
        streams = stream.Streams()
        async with streams.entered(tenant.id, "a") as own, streams.entered(uuid4(), "b") as other:
            reading = frames(_asked(tenant), own.woken)
            await anext(reading)
            event_id = await asyncio.to_thread(publish)
            other.woken.clear()
            streams._heard(tenant.id)
            text = await anext(reading)
            await reading.aclose()
            return event_id, text, other.woken.is_set()

    event_id, text, disturbed = asyncio.run(read())
    assert (event_id in text, disturbed) == (True, False)


def test_without_redis_a_stream_looks_by_itself(tenant, publish, monkeypatch):
    monkeypatch.setattr(stream, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(stream, "LOOK_SECONDS", 0.05)
    event_id = publish()
    texts = asyncio.run(_collect(_asked(tenant, after=0), lambda texts: len(texts) == 2))
    assert event_id in texts[-1]


def test_streams_are_bounded_by_tenant_and_by_principal(tenant, monkeypatch):
    monkeypatch.setattr(stream, "MOST_OF_TENANT", 2)
    monkeypatch.setattr(stream, "MOST_OF_PRINCIPAL", 1)

    async def enter():
        streams = stream.Streams()
        async with streams.entered(tenant.id, "a"):
            with pytest.raises(TooManyRequests):
                async with streams.entered(tenant.id, "a"):
                    pass
            async with streams.entered(tenant.id, "b"):
                with pytest.raises(TooManyRequests):
                    async with streams.entered(tenant.id, "c"):
                        pass
        async with streams.entered(tenant.id, "a"):
            pass

    asyncio.run(enter())


def test_a_quiet_stream_has_a_heartbeat(tenant, monkeypatch):
    monkeypatch.setattr(stream, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.02)
    texts = asyncio.run(_collect(_asked(tenant), lambda texts: len(texts) == 2))
    assert texts[-1].startswith(":")


def test_redis_that_is_away_harms_no_relay(monkeypatch, tenant):
    class Away:
        def pipeline(self, **_):
            raise RedisError

    send_signals(Away(), [tenant.id])


@pytest.fixture
def own_messages(database):
    messages = DramatiqMessages()
    yield messages
    messages.client.close()


def _asked(tenant, *, after=None, confirm=nothing):
    return Subscription(tenant, "test:1", after, events=(), wait=True, confirm=confirm, draining=lambda: False)


def _revoked():
    detail = "revoked"
    raise Unauthenticated(detail)


async def _collect(asked, enough):
    texts = []
    async for each in frames(asked, asyncio.Event()):
        texts.append(each)
        if enough(texts):
            break
    return texts


def test_an_open_stream_holds_no_slot_of_the_running_requests():
    async def begin(media_type):
        async def send(_message):
            pass

        limit = anyio.CapacityLimiter(1)
        answer = _Answer(
            {"type": "http", "method": "GET", "path": PATH, "headers": []}, send, "r", set(), tracing.NoSpan()
        )
        answer.slot = Slot((limit,), 1.0)
        await answer.slot.take()
        await answer.send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", media_type)]})
        await answer.send({"type": "http.response.body", "body": b"x", "more_body": True})
        return limit.borrowed_tokens

    assert (asyncio.run(begin(b"text/event-stream")), asyncio.run(begin(b"text/csv"))) == (0, 1)
