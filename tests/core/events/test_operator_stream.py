"""The stream of operators: what Redis stores, resumed, bounded, ended with the credential; and what a process sees."""

from __future__ import annotations

import asyncio
import json
import re
from types import SimpleNamespace
from uuid import uuid4

import pytest
from redis.exceptions import RedisError

from core.app import operator_stream
from core.app.factory import create_app
from core.app.operator_stream import OperatorStreams, OperatorSubscription, Watch, begin, frames
from core.database import platform_session
from core.errors import TooManyRequests, Unauthenticated, Unavailable
from core.events import operator_events, stream
from core.events.operator_events import CACHE, DEAD_LETTER, HEALTH, JOBS, Changes, announce
from core.feature import feature
from core.identity import csrf
from core.identity.people import accounts, sessions
from core.services import quick_redis
from core.services.quick_redis import quick_client
from tests.keyed import KeyedClient
from tests.waiting import wait_until

PATH = "/v1/operators/events/stream"
NO_WAIT = {"wait": "false"}


@pytest.fixture(scope="module")
def client(database):
    person = accounts.add_operator("operator-stream@example.org", "Operator", "platform_support", actor="test:1")
    with platform_session() as session:
        begun = sessions.begin(session, person, None, signed_in_by="password")
    client = KeyedClient(create_app([feature]), headers={csrf.HEADER: csrf.token_of(begun.secret)})
    client.cookies.set("iit_session", begun.secret)
    return client


@pytest.fixture(autouse=True)
def nothing_seen(monkeypatch, database):
    """No event is stored, and the process sees no change by itself."""
    monkeypatch.setattr(operator_events, "STREAM", f"iit:test:{uuid4()}")
    monkeypatch.setattr(operator_stream, "SEEN", {})
    monkeypatch.setattr(operator_stream, "STREAMS", OperatorStreams())
    monkeypatch.setattr(stream, "TICK_SECONDS", 0.01)


def events(text):
    return [
        (event_id, name, json.loads(body))
        for event_id, name, body in re.findall(r"id: (\S+)\nevent: (\S+)\ndata: (.*)\n\n", text)
    ]


def asked(*, after="", events=(), wait=True, confirm=lambda: None):
    return OperatorSubscription("operator:1", after, frozenset(events), wait, confirm, lambda: False)


async def collect(subscription, most):
    first, last = await begin(subscription)
    texts = []
    async for text in frames(subscription, first, last):
        texts.append(text)
        if len(texts) == most:
            break
    return texts


def test_an_operator_gets_the_events_after_the_last_id_in_order(client):
    for number in range(3):
        announce(DEAD_LETTER, {"number": number})
    everything = events(client.get(PATH, params=NO_WAIT, headers={"Last-Event-ID": operator_events.START}).text)
    assert [body["number"] for _, _, body in everything] == [0, 1, 2]
    later = events(client.get(PATH, params=NO_WAIT, headers={"Last-Event-ID": everything[0][0]}).text)
    assert later == everything[1:]
    assert events(client.get(PATH, params={**NO_WAIT, "event": JOBS}, headers={"Last-Event-ID": "0-0"}).text) == []
    assert events(client.get(PATH, params=NO_WAIT).text) == []


def test_a_reader_learns_that_events_are_gone(client):
    announce(JOBS)
    ((newest, _, _),) = events(client.get(PATH, params=NO_WAIT, headers={"Last-Event-ID": "0-0"}).text)
    gaps = [
        events(client.get(PATH, params=NO_WAIT, headers={"Last-Event-ID": after}).text)[0]
        for after in ("1-0", "999999999999999-0")
    ]
    assert [name for _, name, _ in gaps] == ["gap", "gap"]
    assert gaps[1][0] == newest


def test_the_stored_events_are_bounded(monkeypatch):
    monkeypatch.setattr(operator_events, "MOST_STORED", 10)
    for _ in range(250):
        announce(JOBS)
    assert quick_client().xlen(operator_events.STREAM) < 250


@pytest.mark.parametrize(
    ("params", "headers"), [({"event": "risk.scored"}, {}), ({}, {"Last-Event-ID": "12"})], ids=["name", "id"]
)
def test_unknown_names_and_ids_are_rejected(client, params, headers):
    assert client.get(PATH, params={**NO_WAIT, **params}, headers=headers).status_code == 422


def test_without_redis_a_stream_says_so_or_ends(client, monkeypatch):
    class Away:
        def __getattr__(self, name):
            raise RedisError

    monkeypatch.setattr(quick_redis, "quick_client", Away)
    announce(JOBS)
    assert client.get(PATH, params=NO_WAIT).status_code == 503

    async def read():
        return [text async for text in frames(asked(), ["first"], "0-0")]

    assert asyncio.run(read()) == ["first"]


def test_a_stream_ends_with_its_credential(monkeypatch):
    monkeypatch.setattr(stream, "LOOK_SECONDS", 0.0)

    def ended():
        detail = "revoked"
        raise Unauthenticated(detail)

    assert len(asyncio.run(collect(asked(confirm=ended), 100))) == 1
    tries = []

    def unsure():
        tries.append(1)
        if len(tries) == 1:
            detail = "away"
            raise Unavailable(detail)
        ended()

    asyncio.run(collect(asked(confirm=unsure), 100))
    assert len(tries) == 2


def test_streams_are_bounded(monkeypatch):
    streams = OperatorStreams()
    monkeypatch.setattr(operator_stream, "MOST_OF_PRINCIPAL", 1)
    monkeypatch.setattr(operator_stream, "MOST_OF_PROCESS", 2)
    with streams.entered("a"):
        with pytest.raises(TooManyRequests), streams.entered("a"):
            pass
        with streams.entered("b"), pytest.raises(TooManyRequests), streams.entered("c"):
            pass
    with streams.entered("a"):
        pass


def test_a_process_looks_once_for_all_streams_and_says_what_changed(monkeypatch):
    state = SimpleNamespace(value=1, looks=0)

    def look():
        state.looks += 1
        return state.value

    monkeypatch.setattr(operator_stream, "SEEN", {HEALTH: look})
    watch = Watch()
    assert [watch.version(HEALTH) for _ in range(3)] == [1, 1, 1]
    assert state.looks == 1
    monkeypatch.setattr(operator_stream, "SEEN_SECONDS", 0.0)

    def change():
        state.value += 1

    texts = asyncio.run(collect(asked(events=[HEALTH], confirm=change), 1))
    assert [watch.version(HEALTH), watch.version(HEALTH)] == [1, 1]
    monkeypatch.setattr(stream, "LOOK_SECONDS", 0.0)
    texts = asyncio.run(collect(asked(events=[HEALTH], confirm=change), 2))
    assert "event: health.changed" in texts[1]
    assert state.looks > 1


def test_many_changes_are_one_event(monkeypatch):
    sent = []
    monkeypatch.setattr(operator_events, "announce", sent.append)
    changes = Changes()
    for _ in range(50):
        changes.add(JOBS)
        changes.add(CACHE)
    wait_until(lambda: sent == [CACHE, JOBS])


def test_a_quiet_stream_has_a_heartbeat(monkeypatch):
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.0)
    assert asyncio.run(collect(asked(), 2))[1].startswith(":")
