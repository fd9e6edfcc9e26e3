"""Each alert reaches its channels once: through silences, quiet hours, escalation and the death of a worker."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlmodel import select

from core.clock import now
from core.database import node_session, owner_connection, tenant_session
from core.errors import Invalid
from core.events import publish
from core.jobs.worker import drain
from core.tenancy import settings as tenant_settings
from plugins.sdk import ChannelAct, Outcome
from tenants.alerts import acts, channels, jobs, management
from tenants.alerts.escalation import SHORTEST_ROUND
from tenants.alerts.history import history_of
from tenants.alerts.models import Alert, AlertDelivery, AlertPolicy, AlertRoute, AlertSilence
from tenants.alerts.notifying import deferred_until, look_again
from tenants.alerts.rules import get_rule
from tenants.alerts.settings import AlertSettings
from tenants.alerts.signals import apply_signals
from tests.tenants.alerts.conftest import awake

CLINIC = uuid4()


@pytest.fixture(scope="module")
def place(make_tenant):
    return make_tenant().ref


@pytest.fixture
def raised(place, receiver):
    """Raises an alert by a signal; gives its id. Other alerts end first."""
    awake(place)
    with tenant_session(place, actor="test:1") as session, session.cursor() as cursor:
        cursor.execute("DELETE FROM alerts")
        cursor.execute("DELETE FROM alert_routes")
        cursor.execute("DELETE FROM alert_silences")

    def signal(subject="", *, ended=False):
        name = subject or uuid4().hex
        with tenant_session(place, actor="test:1") as session:
            publish(session, "models.drift", {"subject": name, "value": 1, "ended": ended})
            return session.exec(select(Alert.uuid).where(Alert.subject == name)).one()

    return signal


def run(place):
    """Run all jobs, those of later times too."""
    with node_session(place.database) as session:
        session.execute(text("UPDATE node.jobs SET run_after = now() WHERE state = 'queued'"))
    drain(place)


def state_of(place, alert_id):
    with tenant_session(place, actor="test:1") as session:
        row = session.get(Alert, alert_id)
        session.expunge(row)
        return row


def deliveries(place):
    with tenant_session(place, actor="test:1") as session:
        rows = session.exec(select(AlertDelivery).order_by(AlertDelivery.id)).all()
        return [(row.act, row.state, row.reason) for row in rows]


def change(place, **values):
    with tenant_session(place, actor="test:1") as session:
        for row in session.exec(select(Alert)).all():
            for name, value in values.items():
                setattr(row, name, value)
            session.add(row)


def counted(state):
    (reading,) = jobs.SECONDS.reading()
    return sum(buckets[-1][1] for key, buckets, _ in reading.buckets if key == (state,))


def test_a_signal_that_goes_on_is_one_alert_and_its_end_resolves_it(place, raised, receiver):
    sent = counted("sent")
    first = raised("scores")
    assert raised("scores") == first
    drain(place)
    assert counted("sent") == sent + 1
    raised("scores", ended=True)
    drain(place)
    assert receiver.acts == ["trigger", "resolve"]
    assert len({key for _, _, key, _ in receiver.calls}) == 1
    assert state_of(place, first).resolution == "cause_ended"


def test_what_follows_a_message_names_it_as_the_receiver_did(place, raised, receiver):
    receiver.answers = [Outcome("sent", reference="1.2"), Outcome("sent", reference="1.3")]
    alert = raised()
    drain(place)
    with tenant_session(place, actor="test:1") as session:
        acts.acknowledge(session, alert, source="page")
    drain(place)
    with tenant_session(place, actor="test:1") as session:
        acts.resolve(session, alert, source="page")
    drain(place)
    assert [(each.act, each.reference) for each in receiver.messages] == [
        ("trigger", ""),
        ("acknowledge", "1.2"),
        ("resolve", "1.2"),
    ]
    assert {each.url for each in receiver.messages} == {""}  # no bare path: the installation has no address


@pytest.mark.parametrize(("repeatable", "calls", "state"), [(True, 2, "sent"), (False, 1, "unknown")])
def test_a_message_whose_worker_died_is_repeated_only_where_the_receiver_recognizes_it(
    place, raised, receiver, repeatable, calls, state
):
    receiver.repeatable, receiver.answers = repeatable, [SystemError("the worker dies while it sends")]
    raised()
    drain(place)
    run(place)
    assert len(receiver.calls) == calls
    assert deliveries(place)[0][:2] == ("trigger", state)


def test_a_worker_that_dies_before_a_request_can_leave_makes_nothing_unknown(place, raised, receiver, monkeypatch):
    whole, died = channels.prepare, []

    def dying(*message):
        if not died:
            died.append(True)
            raise SystemError("the worker dies while the plugin describes the request")
        return whole(*message)

    monkeypatch.setattr(channels, "prepare", dying)
    raised()
    drain(place)
    assert (deliveries(place), receiver.calls) == ([("trigger", "waiting", None)], [])
    run(place)
    assert (deliveries(place), receiver.acts) == ([("trigger", "sent", None)], ["trigger"])


def test_a_refused_message_is_tried_again_later_and_the_acts_after_it_wait(place, raised, receiver):
    receiver.answers = [Outcome("retry", "rate_limited")]
    alert = raised()
    drain(place)
    with tenant_session(place, actor="test:1") as session:
        acts.acknowledge(session, alert, source="api")
    drain(place)
    assert receiver.acts == ["trigger"]
    for _ in range(3):
        with tenant_session(place, actor="test:1") as session, session.cursor() as cursor:
            cursor.execute("UPDATE alert_deliveries SET due_at = now() - interval '1 second'")
        run(place)
    assert receiver.acts == ["trigger", "trigger", "acknowledge"]


def test_who_was_never_notified_learns_nothing_of_the_end(place, raised, receiver):
    receiver.answers, failed = [Outcome("failed", "channel_not_found")], counted("failed")
    raised("x")
    raised("x", ended=True)
    drain(place)
    assert counted("failed") == failed  # it was resolved before the message left: nothing failed
    assert receiver.acts == []  # resolved before anybody could be notified
    assert [(act, state) for act, state, _ in deliveries(place)] == [("trigger", "failed"), ("resolve", "failed")]


def test_a_channel_that_had_no_message_about_an_alert_has_none_about_its_end(place, raised, receiver):
    receiver.channels.append(channels.Channel(uuid4(), "Lead", "pagerduty"))
    with tenant_session(place, actor="test:1") as session:
        session.add(AlertRoute(name="r", channel_id=receiver.channel, created_by="t"))
    raised("x")
    drain(place)
    raised("x", ended=True)
    drain(place)
    assert [call[0] for call in receiver.calls] == [receiver.channel] * 2
    assert deliveries(place) == [("trigger", "sent", None), ("resolve", "sent", None)]


def test_an_alert_that_is_acknowledged_while_it_waits_notifies_nobody_afterwards(place, raised, receiver):
    with tenant_session(place, actor="test:1") as session:
        session.add(AlertSilence(until=now() + timedelta(hours=1), reason="We know", created_by="t"))
    alert = raised()
    assert state_of(place, alert).notify_at is not None
    with tenant_session(place, actor="test:1") as session:
        acts.acknowledge(session, alert, source="page")
    run(place)
    row = state_of(place, alert)
    assert (row.status, row.notify_at, receiver.acts) == ("acknowledged", None, [])


def test_quiet_hours_defer_and_never_lose_and_a_critical_alert_passes(place, raised, receiver):
    minute = (now() + timedelta(hours=1)).strftime("%H:%M")  # the partner's zone is an hour ahead of UTC
    quiet = AlertSettings(quiet_from=minute, quiet_until=(now() + timedelta(hours=2)).strftime("%H:%M"))
    with tenant_session(place, actor="test:1") as session:
        tenant_settings.put(session, quiet)
        session.exec(select(Alert)).all()
    alert = raised()
    drain(place)
    assert receiver.acts == []
    assert now() < state_of(place, alert).notify_at <= now() + timedelta(hours=1, minutes=1)
    change(place, severity="critical", notify_at=now() - timedelta(seconds=1))
    run(place)
    assert receiver.acts == ["trigger"]


def test_a_silence_defers_until_somebody_ends_it(place, raised, receiver):
    values = {"rule": "drift", "until": now() + timedelta(days=1), "reason": "The server moves"}
    with tenant_session(place, actor="test:1") as session:
        silence = management.add_silence(session, values, source="api").id
    raised()
    drain(place)
    assert receiver.acts == []
    with tenant_session(place, actor="test:1") as session:
        management.end_silence(session, silence, source="api")
    run(place)
    assert receiver.acts == ["trigger"]


@pytest.mark.parametrize(
    ("silence", "silent"),
    [
        ({}, ["clinical here", "clinical there", "platform"]),
        ({"stream": "clinical"}, ["clinical here", "clinical there"]),
        ({"stream": "platform"}, ["platform"]),
        ({"facility_uuid": CLINIC}, ["clinical here"]),
        ({"facility_uuid": CLINIC, "stream": "platform"}, []),
        ({"facility_uuid": CLINIC, "rule": "late"}, ["clinical here"]),
        ({"facility_uuid": CLINIC, "rule": "iit"}, []),
    ],
)
def test_a_silence_is_of_the_facility_and_the_stream_that_it_names(place, raised, silence, silent):
    facts = {"severity": "medium", "created_by": "t"}
    alerts = {
        "clinical here": Alert(alert_type="late", stream="clinical", facility_uuid=CLINIC, **facts),
        "clinical there": Alert(alert_type="late", stream="clinical", facility_uuid=uuid4(), **facts),
        "platform": Alert(alert_type="drift", stream="platform", **facts),
    }
    until = now() + timedelta(days=1)
    with tenant_session(place, actor="test:1") as session:
        session.add(AlertSilence(until=until, reason="We know", created_by="t", **silence))
        session.flush()
        deferred = {name: deferred_until(session, row, now()) for name, row in alerts.items()}
    assert deferred == {name: (until, "silenced") if name in silent else (None, "") for name in alerts}


def test_nobody_acknowledges_so_the_next_step_is_taken_until_somebody_does(place, raised, receiver):
    receiver.channels.append(channels.Channel(uuid4(), "Lead", "pagerduty"))
    first, lead = (each.id for each in receiver.channels)
    steps = [{"after_minutes": 0, "channel_id": str(first)}, {"after_minutes": 15, "channel_id": str(lead)}]
    with tenant_session(place, actor="test:1") as session:
        policy = AlertPolicy(name="p", steps=steps, repeats=1, created_by="t")
        session.add(policy)
        session.flush()
        session.add(AlertRoute(name="r", policy_id=policy.id, created_by="t"))
    alert = raised()
    drain(place)
    assert [call[0] for call in receiver.calls] == [first]
    run(place)
    assert [call[0] for call in receiver.calls] == [first]  # not before its time
    change(place, step_at=now() - timedelta(seconds=1))
    run(place)
    assert [call[0] for call in receiver.calls] == [first, lead]
    with tenant_session(place, actor="test:1") as session:
        act = ChannelAct("acknowledge", f"iit-{alert}", who="U1\n" + "x" * 200)
        publish(session, "plugin.channel_acts", {"instance_id": uuid4(), "acts": [act]})
        assert session.get(Alert, alert).status == "open"  # no message of it went to that channel
        publish(session, "plugin.channel_acts", {"instance_id": lead, "acts": [act]})
        [named] = [each.detail for each in history_of(session, alert) if each.act == "acknowledged"]
        assert named == {"who": "U1" + "x" * 98}
    change(place, step_at=now() - timedelta(seconds=1))
    run(place)
    assert receiver.acts == ["trigger", "trigger", "acknowledge", "acknowledge"]
    assert state_of(place, alert).acknowledged_by == f"channel:{lead}"


def test_a_policy_begins_anew_as_often_as_it_says_and_never_at_once(place, raised, receiver):
    receiver.channels.append(channels.Channel(uuid4(), "Lead", "pagerduty"))
    first, lead = (each.id for each in receiver.channels)
    steps = [{"after_minutes": 0, "channel_id": str(first)}, {"after_minutes": 2, "channel_id": str(lead)}]
    with tenant_session(place, actor="test:1") as session:
        policy = AlertPolicy(name="p", steps=steps, repeats=1, created_by="t")
        session.add(policy)
        session.flush()
        session.add(AlertRoute(name="r", policy_id=policy.id, created_by="t"))
    alert, minutes = raised(), []
    drain(place)
    while (row := state_of(place, alert)).step_at is not None:
        minutes.append((row.step_at - row.notified_at) / timedelta(minutes=1))
        change(place, step_at=now() - timedelta(seconds=1))
        run(place)
    assert [call[0] for call in receiver.calls] == [first, lead, first, lead]
    assert minutes == [2, SHORTEST_ROUND, 2]
    with tenant_session(place, actor="test:1") as session:
        taken = [each.detail["step"] for each in history_of(session, alert) if each.act == "escalated"]
    assert taken == [1, 2, 3, 4]


def test_a_snooze_ends_with_another_message_and_reopening_notifies_again(place, raised, receiver):
    alert = raised()
    drain(place)
    with tenant_session(place, actor="test:1") as session:
        assert acts.snooze(session, alert, 60, source="api").notify_at is not None
    run(place)
    assert receiver.acts == ["trigger"]
    change(place, snoozed_until=now(), notify_at=now() - timedelta(seconds=1))
    run(place)
    with tenant_session(place, actor="test:1") as session:
        acts.resolve(session, alert, source="api")
    drain(place)
    with tenant_session(place, actor="test:1") as session:
        acts.reopen(session, alert, source="api")
    drain(place)
    assert receiver.acts == ["trigger", "trigger", "resolve", "trigger"]


def test_a_route_has_one_target(place):
    body = {"name": "r", "channel_id": None, "policy_id": None}
    with tenant_session(place, actor="test:1") as session, pytest.raises(Invalid) as raised:
        management.add(session, AlertRoute, body, source="api")
    assert [each.field for each in raised.value.errors] == ["body.channel_id", "body.policy_id"]


def waits_for_a_row():
    with owner_connection() as connection:
        query = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple'))"
        return connection.execute(query).fetchone()[0]


@pytest.mark.parametrize(
    "lock_several",
    [look_again, lambda session: apply_signals(session, get_rule(session, "drift"), [], whole=False)],
    ids=["the end of a silence", "a rule"],
)
def test_who_locks_several_alerts_begins_with_the_first(place, raised, lock_several):
    first, second = sorted(raised() for _ in range(2))
    for at, alert_id in enumerate((second, first), start=1):  # the table and its indexes now have them so
        with tenant_session(place, actor="test:1") as session:
            session.get(Alert, alert_id).notify_at = now() + timedelta(hours=at)

    def lock():
        with tenant_session(place, actor="test:1") as session:
            lock_several(session)

    query = select(Alert.uuid).with_for_update(nowait=True)
    with ThreadPoolExecutor(1) as pool:
        with tenant_session(place, actor="test:1") as session:
            session.exec(query.where(Alert.uuid == first)).one()
            locked = pool.submit(lock)
            while not locked.done() and not waits_for_a_row():
                pass
            assert session.exec(query.where(Alert.uuid == second)).one() == second
        locked.result()
