"""Each subscriber gets each event after its act, at least one time, under one id, and in the order of its subject."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from core.database import node_session, psycopg_connection, tenant_session
from core.events.outbox import publish_after_commit
from core.feature_registry import Feature
from core.jobs import Retry, deliveries, enqueue
from core.jobs.broker import LocalMessages
from core.jobs.registry import _kinds
from core.jobs.relay import Relay
from core.jobs.worker import drain
from core.privacy import tenant_keys
from tests.core.events.features import any_event, declare

FIRST, SECOND = f"{__name__}:first", f"{__name__}:second"
calls = []
failing = set()


def first(context, event):
    """Note the event in a transaction of its own; fail while the subject is in ``failing``."""
    calls.append(("first", event.id, event.subject, dict(event.payload), context.attempt))
    if event.subject in failing:
        raise ArithmeticError
    with context.session() as session:
        session.execute(text("SELECT 1"))
        context.finish(session)


def second(_context, event):
    """Note the event, without a transaction."""
    calls.append(("second", event.id, event.subject, dict(event.payload), 1))


@pytest.fixture(autouse=True)
def noted(monkeypatch):
    """Two features subscribe to ``testing.noted``; a failed delivery is due again at once, and twice is the most."""
    calls.clear()
    failing.clear()
    declare(
        monkeypatch,
        Feature("testing", events=(any_event("testing.noted"),), subscribers={"testing.noted": FIRST}),
        Feature("testing2", subscribers={"testing.noted": SECOND}),
    )
    kind = _kinds[deliveries.KIND]
    monkeypatch.setitem(_kinds, deliveries.KIND, replace(kind, retry=Retry(2, first=timedelta(0))))


@pytest.fixture
def tenant(make_tenant):
    return make_tenant().ref


def publish(tenant, *subjects):
    events = []
    for number, subject in enumerate(subjects):
        with tenant_session(tenant, actor="test:1", request_id="r-1") as session:
            events.append(publish_after_commit(session, "testing.noted", subject=subject, payload={"number": number}))
    return events


def jobs(tenant):
    with node_session(tenant.database) as session:
        query = "SELECT * FROM node.jobs WHERE tenant_role = :role AND kind = 'events.deliver' ORDER BY id"
        return session.execute(text(query), {"role": tenant.role_name}).mappings().all()


def make_due(tenant):
    with node_session(tenant.database) as session:
        session.execute(
            text("UPDATE node.jobs SET run_after = now() WHERE tenant_role = :role AND state = 'queued'"),
            {"role": tenant.role_name},
        )


def test_each_subscriber_gets_the_event_after_the_act(tenant):
    with tenant_session(tenant, actor="test:1") as session:
        event_id = publish_after_commit(session, "testing.noted", subject="a", payload={"number": 7})
        drain(tenant)
        assert calls == [], "the act has not committed"
    drain(tenant)
    assert sorted(calls) == [("first", event_id, "a", {"number": 7}, 1), ("second", event_id, "a", {"number": 7}, 1)]
    drain(tenant)
    assert len(calls) == 2


def test_a_delivery_keeps_who_acted_and_the_request(tenant):
    publish(tenant, "a")
    drain(tenant)
    assert {(row["requested_by"], row["request_id"], row["state"]) for row in jobs(tenant)} == {
        ("test:1", "r-1", "done")
    }


def test_a_subscriber_that_fails_is_called_again_with_the_same_id_and_holds_up_no_other(tenant):
    (event_id,) = publish(tenant, "a")
    failing.add("a")
    relay, messages = relay_of(tenant)
    run_all(relay, messages)
    failing.clear()
    drain(tenant)
    assert [call[1] for call in calls if call[0] == "first"] == [event_id, event_id]
    assert [call[4] for call in calls if call[0] == "first"] == [1, 2]
    assert [call[1] for call in calls if call[0] == "second"] == [event_id]


def test_after_the_last_attempt_the_delivery_is_a_dead_letter_and_can_be_retried(tenant):
    (event_id,) = publish(tenant, "a")
    failing.add("a")
    drain(tenant)
    assert sorted(row["state"] for row in jobs(tenant)) == ["dead", "done"]
    with node_session(tenant.database) as session:
        (letter,) = session.execute(
            text("SELECT reason, payload FROM node.dead_letters WHERE tenant_role = :role"), {"role": tenant.role_name}
        ).all()
    assert (letter.reason, letter.payload["event_id"]) == ("attempts", str(event_id))


def test_events_of_a_subject_are_delivered_in_order_and_others_do_not_wait(tenant):
    publish(tenant, "a", "a", "b")
    failing.add("a")
    relay, messages = relay_of(tenant)
    run_all(relay, messages)
    assert [(call[2], call[3]["number"]) for call in calls if call[0] == "first"] == [("a", 0), ("b", 2)]
    assert [call[3]["number"] for call in calls if call[0] == "second"] == [0, 1, 2]
    waiting = [row for row in jobs(tenant) if row["state"] == "queued"]
    assert sorted(row["attempts"] for row in waiting) == [0, 1], "the one that waits is not charged"
    failing.clear()
    drain(tenant)
    make_due(tenant)
    drain(tenant)
    assert [(call[2], call[3]["number"]) for call in calls if call[0] == "first"] == [
        ("a", 0), ("b", 2), ("a", 0), ("a", 1),
    ]  # fmt: skip


def test_a_dead_letter_holds_up_later_events_no_longer(tenant):
    failing.add("a")
    publish(tenant, "a")
    drain(tenant)
    failing.clear()
    (later,) = publish(tenant, "a")
    drain(tenant)
    assert calls[-1][1] == later or calls[-2][1] == later
    assert [row["state"] for row in jobs(tenant)].count("dead") == 1


def test_a_relay_that_dies_before_it_commits_loses_nothing_and_enqueues_nothing_twice(tenant):
    publish(tenant, "a")

    def die():
        with node_session(tenant.database) as session:
            assert deliveries.forward(session.connection().connection.driver_connection, tenant.role_name, 10) == [
                tenant.id
            ]
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        die()
    assert jobs(tenant) == []
    drain(tenant)
    drain(tenant)
    assert len(jobs(tenant)) == 2


def test_an_event_that_this_process_does_not_know_waits_for_one_that_does(tenant, monkeypatch):
    publish(tenant, "a")
    with monkeypatch.context() as older:
        older.setattr(deliveries, "event_types", dict)
        drain(tenant)
    assert jobs(tenant) == []
    drain(tenant)
    assert len(calls) == 2


def test_a_job_that_names_a_function_that_does_not_subscribe_calls_nothing(tenant):
    """A tenant's role can write rows of jobs."""
    payload = {
        "event_id": "0" * 32, "event": "testing.noted", "subject": "a", "payload": {},
        "published_at": "2026-01-01T00:00:00.000000+00:00", "subscriber": "os:getpid",
    }  # fmt: skip
    with tenant_session(tenant, actor="test:1") as session:
        enqueue(session, "events.deliver", payload)
    drain(tenant)
    (row,) = jobs(tenant)
    assert (row["state"], row["error"].split(" ")[0]) == ("dead", "LookupError")


def test_delivered_events_are_removed_after_their_days(tenant, make_tenant):
    other = make_tenant().ref
    publish(tenant, "a")
    drain(tenant)
    publish(other, "b")
    with node_session(tenant.database) as session:
        session.execute(
            text("UPDATE node.outbox SET forwarded_at = now() - interval '400 days' WHERE tenant_role = :role"),
            {"role": tenant.role_name},
        )
    Relay(LocalMessages()).sweep()
    with node_session(tenant.database) as session:
        query = "SELECT tenant_role FROM node.outbox WHERE tenant_role IN (:one, :two)"
        left = session.scalars(text(query), {"one": tenant.role_name, "two": other.role_name}).all()
    assert left == [other.role_name], "one that waits is not removed"


def relay_of(tenant):
    messages = LocalMessages()
    return Relay(messages, database=tenant.database, tenant=tenant), messages


def run_all(relay, messages):
    """One round: every delivery that is due is tried one time, in order."""
    from core.jobs.runner import Runner

    runner = Runner()
    try:
        relay.tick()
        for sent in messages.sent:
            runner.run(*sent)
        messages.sent.clear()
    finally:
        runner.close()


def test_events_of_a_tenant_whose_keys_cannot_be_read_hold_up_nobody_elses(tenant, make_tenant):
    with node_session() as session:
        session.execute(text("UPDATE node.outbox SET forwarded_at = now()"))
    broken = make_tenant().ref
    publish(broken, "s")
    with tenant_session(broken, actor="test:1") as session:
        session.execute(text("DELETE FROM tenant_keys"))
    tenant_keys.forget()
    publish(tenant, "s")
    with node_session() as session:
        deliveries.forward(psycopg_connection(session), None, 1)
    with node_session() as session:
        query = text("SELECT tenant_role FROM node.outbox WHERE forwarded_at IS NULL")
        waiting = set(session.scalars(query))
    assert broken.role_name in waiting
    assert tenant.role_name not in waiting
