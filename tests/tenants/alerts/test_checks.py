"""What the check and a scoring raise, whom a step on call reaches, and that an alert that grows notifies once more."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlmodel import select

from core.clock import now, today
from core.database import node_session, tenant_session
from core.events import publish
from core.jobs.worker import drain
from core.web.etag import ANY_VERSION
from tenants.alerts import acts, channels
from tenants.alerts.history import history_of
from tenants.alerts.jobs import enqueue_check
from tenants.alerts.models import Alert, AlertPolicy, AlertRoute, OnCallOverride, OnCallRota
from tenants.alerts.rules import RuleChoice, change_rule
from tests.browser.jobs import dead_job
from tests.tenants.alerts.conftest import awake
from tests.tenants.alerts.test_notifying import change, run
from tests.tenants.alerts.test_scored import publish_scores
from tests.tenants.followup.scored import ZONE, scored


@pytest.fixture(scope="module")
def owner(make_tenant):
    owner = make_tenant()
    awake(owner.ref)
    return owner


@pytest.fixture
def client(application, client_for, owner):
    return client_for(application, owner.api_key)


@pytest.fixture(autouse=True)
def nothing_yet(owner, receiver):
    with tenant_session(owner.ref, actor="test:1") as session, session.cursor() as cursor:
        cursor.execute("DELETE FROM alerts")
        cursor.execute("DELETE FROM alert_routes")


def alerts(owner, rule):
    with tenant_session(owner.ref, actor="test:1") as session:
        rows = session.exec(select(Alert).where(Alert.alert_type == rule).order_by(Alert.created_at)).all()
        return [(row.subject, row.count, row.status) for row in rows]


def check(owner):
    """Run the check as its schedule does."""
    with tenant_session(owner.ref, actor="test:1") as session:
        enqueue_check(session, now())
    drain(owner.ref)


def drift(owner, subject, value, *, ended=False):
    with tenant_session(owner.ref, actor="test:1") as session:
        event = {"subject": subject, "value": value, "ended": ended, "facts": {"month": "2026-08-01"}}
        publish(session, "models.drift", event)
    drain(owner.ref)


def test_the_check_raises_an_alert_about_failed_jobs_until_none_waits(owner, receiver):
    job_id = dead_job(owner.ref)
    check(owner)
    check(owner)
    assert alerts(owner, "dead_jobs") == [("quality.link", 1, "open")]
    with node_session(owner.ref.database) as session:
        session.execute(text("UPDATE node.jobs SET state = 'discarded' WHERE id = :id"), {"id": job_id})
    check(owner)
    assert alerts(owner, "dead_jobs") == [("quality.link", 1, "resolved")]
    assert receiver.acts == ["trigger", "resolve"]


def test_the_check_raises_one_alert_about_all_facilities_whose_records_end_too_early(owner, client, receiver):
    places, day = [f"N{uuid4().hex[:10]}" for _ in range(3)], today(ZONE)
    ends = [day - timedelta(days=15), day - timedelta(days=40), day - timedelta(days=14)]

    def complete_through(days):
        with tenant_session(owner.ref, actor="test:1") as session, session.cursor() as cursor:
            for place, last in zip(places, days, strict=True):
                cursor.execute("UPDATE facilities SET complete_through = %s WHERE datim_id = %s", (last, place))

    for place in places:
        client.post("/v1/facilities", json={"datim_id": place, "name": "Clinic"})
    complete_through(ends)
    check(owner)
    assert alerts(owner, "no_data") == [("facilities", 2, "open")]
    complete_through([day] * 3)
    check(owner)
    assert alerts(owner, "no_data") == [("facilities", 2, "resolved")]
    assert receiver.acts == ["trigger", "resolve"]


def test_the_check_asks_again_for_a_notice_that_has_no_job(owner, receiver):
    drift(owner, "scores", 1)
    change(owner.ref, notify_at=now() - timedelta(seconds=1))
    check(owner)
    assert receiver.acts == ["trigger", "trigger"]


def test_a_scoring_raises_an_alert_about_who_was_interrupted_lately(owner, client, receiver):
    people = scored(owner.ref, client, at_risk=0, to_trace=3)["to_trace"]
    with tenant_session(owner.ref, actor="test:1") as session, session.cursor() as cursor:
        for patient, days in zip(people, (29, 56, 57), strict=True):  # grace is 28 days, and so is the threshold
            cursor.execute(
                "UPDATE predictions SET risk_level = 'iit', days_late = %s WHERE patient_uuid = %s", (days, patient)
            )
    publish_scores(owner.ref)
    drain(owner.ref)
    assert alerts(owner, "iit") == [("", 2, "open")]
    assert alerts(owner, "late") == []
    assert receiver.acts == ["trigger"]


def test_a_rule_that_is_off_or_whose_threshold_is_not_reached_raises_nothing(owner, receiver):
    def choose(*, enabled, threshold):
        with tenant_session(owner.ref, actor="test:1") as session:
            change_rule(session, "drift", RuleChoice(enabled, "high", threshold, 20), ANY_VERSION, source="api")

    for enabled, threshold in ((False, 0), (True, 5)):
        choose(enabled=enabled, threshold=threshold)
        drift(owner, "scores", 4)
        assert alerts(owner, "drift") == []
    drift(owner, "scores", 5)
    choose(enabled=True, threshold=0)
    assert alerts(owner, "drift") == [("scores", 5, "open")]
    with tenant_session(owner.ref, actor="test:1") as session:
        assert session.exec(select(Alert.facts)).one() == {"month": "2026-08-01"}
    assert receiver.acts == ["trigger"]


def test_drift_that_somebody_resolved_is_raised_again_only_after_it_has_ended(owner, receiver):
    drift(owner, "scores", 1)
    with tenant_session(owner.ref, actor="test:1") as session:
        resolved = session.exec(select(Alert.uuid)).one()
        acts.resolve(session, resolved, source="page")
    for _ in range(2):
        drift(owner, "scores", 1)
    assert alerts(owner, "drift") == [("scores", 1, "resolved")]
    drift(owner, "other", 1)
    for _ in range(2):
        drift(owner, "scores", 1, ended=True)
    drift(owner, "scores", 1)
    drift(owner, "scores", 1)
    assert alerts(owner, "drift") == [("scores", 1, "resolved"), ("other", 1, "open"), ("scores", 1, "open")]
    with tenant_session(owner.ref, actor="test:1") as session:
        history = [(each.act, each.detail) for each in history_of(session, resolved)][-2:]
    assert history == [("resolved", {"why": "person"}), ("changed", {"ended": True})]
    drift(owner, "other", 1, ended=True)
    drift(owner, "other", 1)
    with tenant_session(owner.ref, actor="test:1") as session:
        query = select(Alert.uuid).where(Alert.status == "open", Alert.subject == "other")
        acts.resolve(session, session.exec(query).one(), source="page")
    drift(owner, "other", 1)
    drift(owner, "other", 2)
    others = [row[1:] for row in alerts(owner, "drift") if row[0] == "other"]
    assert others == [(1, "resolved"), (1, "resolved"), (2, "open")], "what is more than it was is news"


def test_what_an_alert_gains_within_its_pause_notifies_when_the_pause_is_over(owner, receiver):
    drift(owner, "scores", 1)
    with tenant_session(owner.ref, actor="test:1") as session:
        (alert,) = session.exec(select(Alert)).all()
        alert_id, notified_at = alert.uuid, alert.notified_at
        acts.acknowledge(session, alert_id, source="page")
    drift(owner, "scores", 2)
    drift(owner, "scores", 2)
    run(owner.ref)
    assert receiver.acts == ["trigger", "acknowledge"]
    assert alerts(owner, "drift") == [("scores", 2, "acknowledged")]
    with tenant_session(owner.ref, actor="test:1") as session:
        assert session.get(Alert, alert_id).notify_at == notified_at + timedelta(hours=20)
    change(owner.ref, notify_at=now() - timedelta(seconds=1))
    run(owner.ref)
    assert receiver.acts == ["trigger", "acknowledge", "trigger"]
    assert alerts(owner, "drift") == [("scores", 2, "open")]
    change(owner.ref, notified_at=now() - timedelta(hours=21))
    drift(owner, "scores", 3)
    assert receiver.acts == ["trigger", "acknowledge", "trigger", "trigger"]


def test_a_step_on_call_notifies_who_has_the_turn_and_who_took_it_over(owner, receiver):
    receiver.channels.append(channels.Channel(uuid4(), "Bola", "slack"))
    ada, bola = uuid4(), uuid4()
    hers, his = (channel.id for channel in receiver.channels)
    members = [{"person_id": str(each), "channel_id": str(at)} for each, at in ((ada, hers), (bola, his))]
    with tenant_session(owner.ref, actor="test:1") as session:
        rota = OnCallRota(name="r", members=members, first_day=today(ZONE) - timedelta(days=1), created_by="t")
        session.add(rota)
        session.flush()
        rota_id = rota.id
        steps = [{"after_minutes": 0, "rota_id": str(rota_id)}]
        policy = AlertPolicy(name="p", steps=steps, repeats=0, created_by="t")
        session.add(policy)
        session.flush()
        session.add(AlertRoute(name="r", policy_id=policy.id, created_by="t"))
    drift(owner, "first", 1)
    with tenant_session(owner.ref, actor="test:1") as session:
        times = {"since": now() - timedelta(minutes=1), "until": now() + timedelta(hours=1)}
        session.add(OnCallOverride(rota_id=rota_id, person_id=bola, created_by="t", **times))
    drift(owner, "second", 1)
    assert [call[0] for call in receiver.calls] == [hers, his]
    with tenant_session(owner.ref, actor="test:1") as session:
        rows = session.exec(select(Alert).order_by(Alert.created_at)).all()
        steps = [each.detail for row in rows for each in history_of(session, row.uuid) if each.act == "escalated"]
    assert [(step["person"], step["reached"]) for step in steps] == [(str(ada), True), (str(bola), True)]


def test_a_route_that_does_not_match_leaves_its_channel_alone(owner, receiver):
    receiver.channels.append(channels.Channel(uuid4(), "Clinical", "slack"))
    platform, clinical = (channel.id for channel in receiver.channels)
    with tenant_session(owner.ref, actor="test:1") as session:
        for name, channel, stream in (("a", platform, "platform"), ("b", clinical, "clinical")):
            session.add(AlertRoute(name=name, channel_id=channel, stream=stream, created_by="t"))
    drift(owner, "scores", 1)
    assert [call[0] for call in receiver.calls] == [platform]
