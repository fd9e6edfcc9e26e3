"""The stream of live pages: it says that something within reach has changed, and nothing more."""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import select

from core.clock import now
from core.database import tenant_session
from core.database.reach import Reach
from core.errors import Forbidden, TooManyRequests, Unavailable
from core.events import stream
from core.events.signals import Signals
from tenants.alerts import acts, live
from tenants.alerts.live import AlertSubscription, Mark, frames, mark_of
from tenants.alerts.models import AlertDelivery
from tenants.alerts.rules import get_rule
from tenants.alerts.signals import Signal, apply_signals
from tenants.records.ids import new_uuid
from tests.browser import people
from tests.keyed import KeyedClient
from tests.waiting import wait_until

EVENT = re.compile(r"id: (\d+-[0-9a-f]{16})\nevent: alerts\.changed\ndata: \{\}\n\n")


@pytest.fixture(scope="module")
def owner(make_tenant, application):
    """A partner with an alert at each of two facilities, and one about the platform: ``(ref, alerts, facilities)``."""
    owner = make_tenant()
    with KeyedClient(application, headers={"X-API-Key": owner.api_key}) as api:
        places = [
            UUID(api.post("/v1/facilities", json={"datim_id": f"L{uuid4().hex[:10]}", "name": name}).json()["id"])
            for name in ("Here", "There")
        ]
    with tenant_session(owner.ref, actor="test:1") as session:
        signals = [Signal(facility=place, count=1) for place in places]
        alerts = apply_signals(session, get_rule(session, "no_data"), signals, whole=False)
        alerts += apply_signals(session, get_rule(session, "drift"), [Signal(subject="model", count=1)], whole=False)
        return owner.ref, [alert.uuid for alert in alerts], places


@pytest.fixture
def reader(owner):
    """Opens the transactions of who reaches the first facility."""
    return lambda: tenant_session(owner[0], actor="test:2", readonly=True, reach=Reach(frozenset(owner[2][:1])))


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(stream, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(live, "PAUSE_SECONDS", 0.01)


def present(reader, seen=None):
    with reader() as session:
        return mark_of(session, None if seen is None else seen.since)


def change(owner, number):
    with tenant_session(owner[0], actor="test:1") as session:
        acts.snooze(session, owner[1][number], 30, source="api")


def asked(owner, reader, seen=None, **others):
    values = {"wait": True, "draining": lambda: False, **others}
    return AlertSubscription(owner[0], "test:2", reader, seen, **values)


async def collect(subscription, enough, woken=None):
    texts = []
    async with aclosing(frames(subscription, woken or asyncio.Event())) as coming:
        async for each in coming:
            texts.append(each)
            if enough(texts):
                break
    return texts


def test_a_mark_changes_with_alerts_within_reach_and_their_deliveries_only(owner, reader):
    seen = present(reader)
    change(owner, 1)
    change(owner, 2)
    assert present(reader, seen) == seen, "another facility, and the platform"
    change(owner, 0)
    changed = present(reader, seen)
    assert changed != seen
    with tenant_session(owner[0], actor="test:1") as session:
        session.add(AlertDelivery(alert_uuid=owner[1][0], channel_id=new_uuid(), act="trigger", round=90))
    waiting = present(reader, seen)
    with tenant_session(owner[0], actor="test:1") as session:
        row = session.exec(select(AlertDelivery).where(AlertDelivery.round == 90)).one()
        row.state = "sent"
        session.add(row)
    assert len({seen, changed, waiting, present(reader, seen)}) == 4
    assert present(reader, seen) == present(reader, seen)


def test_a_stream_says_only_that_something_has_changed(owner, reader):
    seen = present(reader)
    short = asked(owner, reader, seen, wait=False)
    everything = lambda _: False  # noqa: E731 - to the stream's end
    assert asyncio.run(collect(short, everything)) == ["retry: 3000\n\n"]
    change(owner, 0)
    first, event = asyncio.run(collect(short, everything))
    assert EVENT.fullmatch(event)[1] == str(present(reader, seen))
    assert asyncio.run(collect(asked(owner, reader, wait=False), everything)) == [first], "who has seen nothing yet"
    old = replace(seen, since=int((now() - timedelta(days=2)).timestamp()))
    assert len(asyncio.run(collect(asked(owner, reader, old, wait=False), everything))) == 2


def test_a_stream_that_waits_is_woken_by_the_commit(owner, reader, monkeypatch):
    monkeypatch.setattr(stream, "LOOK_SECONDS", 3600.0)
    heard = []
    signals = Signals(heard.append)
    signals.enter()
    try:
        wait_until(lambda: heard == [None])

        async def read():
            woken = asyncio.Event()
            async with aclosing(frames(asked(owner, reader, present(reader)), woken)) as coming:
                await anext(coming)
                following = asyncio.ensure_future(anext(coming))
                await asyncio.to_thread(change, owner, 0)
                await asyncio.to_thread(wait_until, lambda: owner[0].id in heard)
                woken.set()
                return await following

        assert EVENT.fullmatch(asyncio.run(read()))
    finally:
        signals.leave()


def test_a_stream_looks_by_itself_and_has_a_heartbeat(owner, reader, monkeypatch):
    monkeypatch.setattr(stream, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.04)
    texts = asyncio.run(collect(asked(owner, reader, present(reader)), lambda texts: len(texts) == 2))
    assert texts[1].startswith(":")
    answers = iter((Unavailable("away"),))
    calls = []

    def away():
        calls.append(1)
        for error in answers:
            raise error
        return reader()

    texts = asyncio.run(
        collect(asked(owner, away, Mark(int(now().timestamp()), "0" * 16)), lambda texts: len(texts) == 2)
    )
    assert (len(calls), bool(EVENT.fullmatch(texts[1]))) == (2, True)


def test_a_stream_ends_with_the_rights_of_its_reader_and_with_the_process(owner, reader):
    def lost():
        detail = "your permissions have changed"
        raise Forbidden(detail)

    for ending in (asked(owner, lost), asked(owner, reader, draining=lambda: True)):
        assert len(asyncio.run(collect(ending, lambda texts: len(texts) > 1))) == 1


def test_streams_of_alerts_are_bounded_by_person(owner, reader, monkeypatch):
    monkeypatch.setattr(stream, "MOST_OF_PRINCIPAL", 1)

    async def enter():
        async with live.STREAMS.entered(owner[0].id, "test:2"):
            with pytest.raises(TooManyRequests):
                await live.AlertStream(asked(owner, reader))({}, None, None)

    asyncio.run(enter())


def test_the_page_carries_the_mark_from_which_its_stream_goes_on(application, owner):
    with KeyedClient(application) as client:
        client.cookies.set("iit_session", people.session_of(people.add_person(owner[0], "case_manager"), owner[0]))
        for path in ("/alerts", f"/alerts/{owner[1][0]}"):
            text = client.get(path).text
            seen = re.search(r'data-stream="/alerts/stream" data-events="alerts.changed" data-seen="([^"]+)"', text)[1]
            assert ("event:" in client.get("/alerts/stream", params={"seen": seen}).text) is False
            change(owner, 2)
            for params, headers in (({"seen": seen}, {}), ({}, {"Last-Event-ID": seen})):
                answer = client.get("/alerts/stream", params=params, headers=headers)
                assert len(EVENT.findall(answer.text)) == 1
        for wrong in ("x", "1-2", f"{'9' * 11}-{'0' * 16}"):
            assert client.get("/alerts/stream", params={"seen": wrong}).status_code == 422


def test_the_list_is_narrowed_to_a_facility_that_had_alerts(application, owner):
    with KeyedClient(application) as client:
        client.cookies.set("iit_session", people.session_of(people.add_person(owner[0], "case_manager"), owner[0]))
        text = client.get("/alerts").text
        (code,) = re.findall(r'<option value="(L[0-9a-f]+)">There', text)
        narrowed = client.get("/alerts", params={"facility": code}).text
        assert (re.findall(r'href="/alerts/([0-9a-f-]{36})"', narrowed)) == [str(owner[1][1])]
        unknown = client.get("/alerts", params={"facility": "gone"}).text
        assert len(set(re.findall(r'href="/alerts/([0-9a-f-]{36})"', unknown))) == 3


@pytest.mark.parametrize("path", ["/alerts", "/today", "/follow-up", "/programme"])
def test_the_navigation_counts_the_open_alerts_within_reach(application, owner, path):
    with KeyedClient(application) as client:
        client.cookies.set("iit_session", people.session_of(people.add_person(owner[0], "case_manager"), owner[0]))
        assert '<span aria-hidden="true">3</span><span class="only-read-aloud">, 3 open</span>' in client.get(path).text
