"""Requests without a key, and bodies that do not come, occupy no slot."""

import asyncio

import pytest

from core.app import bodies
from core.app.middleware import RequestBoundary

KEY = (b"authorization", b"Bearer iit_" + b"0" * 11 + b"1_" + b"0" * 64)


@pytest.fixture(autouse=True)
def known(keys):
    keys.add(1)


def ask(headers, receive):
    """The status of the answer, and what the application was asked."""
    sent, served = [], []

    async def app(scope, receive, send):
        served.append(await receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    async def keep(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/x", "headers": headers, "scheme": "http"}
    asyncio.run(RequestBoundary(app, concurrency=1, patience=1)(scope, receive, keep))
    return sent[0]["status"], served


async def never():
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    "headers", [[], [(b"authorization", b"Basic x")], [(b"x-api-key", b"iit_x")], [(b"authorization", b"Bearer x")]]
)
def test_without_a_key_the_body_is_not_waited_for(headers):
    assert ask([*headers, (b"content-length", b"5")], never) == (401, [])


def test_a_small_body_that_does_not_come_takes_no_turn(monkeypatch):
    monkeypatch.setattr(bodies, "IDLE", 0.01)
    assert ask([KEY, (b"content-length", b"5")], never) == (408, [])


def test_a_long_body_that_does_not_come_ends_its_turn(monkeypatch):
    monkeypatch.setattr(bodies, "IDLE", 0.01)
    assert ask([KEY, (b"content-length", b"500000")], never) == (408, [{"type": "http.disconnect"}])


def test_a_body_that_trickles_is_late(monkeypatch):
    monkeypatch.setattr(bodies, "IDLE", 0.05)

    async def trickle():
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"", "more_body": True}

    assert ask([KEY, (b"transfer-encoding", b"chunked")], trickle) == (408, [])


def test_what_was_taken_in_is_what_the_application_receives():
    message = {"type": "http.request", "body": b"12345", "more_body": False}

    async def receive():
        return message

    assert ask([KEY, (b"content-length", b"5")], receive) == (200, [message])
