"""Channels get one message about the people of a facility, whatever rules found them, and whoever dies meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import select

from core.clock import now, today
from core.database import tenant_session
from core.events import publish
from core.jobs.worker import drain
from core.settings import get_settings
from core.web.etag import ANY_VERSION
from plugins.sdk import ChannelAct
from tenants.alerts import acts, channels, digests, escalation, listeners, management
from tenants.alerts.history import history_of
from tenants.alerts.kinds import DIGEST, PEOPLE
from tenants.alerts.models import Alert, AlertDelivery, AlertPolicy, AlertRoute
from tenants.alerts.notifying import lock_alerts
from tenants.alerts.rules import RuleChoice, change_rule, get_rule
from tenants.alerts.signals import Signal, apply_signals
from tenants.records.ids import new_uuid
from tenants.records.models import Facility
from tenants.risk.models import Prediction
from tests.tenants.alerts.conftest import awake
from tests.tenants.alerts.test_notifying import run
from tests.tenants.alerts.test_scored import publish_scores
from tests.tenants.followup.scored import ZONE, scored
from tests.tenants.imports.test_at_once import waiting

PEOPLE_OF_RULES = {"risk_high": 60, "late": 50, "iit": 22}
"""Rule -> people of each facility in the night; one more has a viral load."""


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
    awake(owner.ref)
    with tenant_session(owner.ref, actor="test:1") as session, session.cursor() as cursor:
        cursor.execute("DELETE FROM alerts")
        cursor.execute("DELETE FROM alert_routes")
        cursor.execute("DELETE FROM alert_silences")


@pytest.fixture
def place():
    """A facility that has no record: rules name it."""
    return uuid4()


def find(owner, place, rule, people):
    """Apply what a rule finds at a facility, and run the jobs that are due."""
    with tenant_session(owner.ref, actor="test:1") as session:
        signal = Signal(facility=place, people=frozenset(people), count=len(people))
        apply_signals(session, get_rule(session, rule), [signal], whole=False)
    drain(owner.ref)


def alerts(owner):
    with tenant_session(owner.ref, actor="test:1") as session:
        rows = session.exec(select(Alert).where(Alert.alert_type != DIGEST)).all()
        for row in rows:
            session.expunge(row)
        return {row.alert_type: row for row in rows}


def do(owner, alert, act, **more):
    with tenant_session(owner.ref, actor="test:1") as session:
        act(session, alert.uuid, **more, source="page")
    drain(owner.ref)


def press(owner, receiver, act):
    """Press a button of the newest message."""
    key = receiver.messages[-1].key
    with tenant_session(owner.ref, actor="test:1") as session:
        presses = [ChannelAct(act, key, who="U1")]
        publish(session, "plugin.channel_acts", {"instance_id": receiver.channel, "acts": presses})
    drain(owner.ref)


def let_pass(owner, **changes):
    """Let the waiting time of all alerts pass."""
    with tenant_session(owner.ref, actor="test:1") as session:
        for row in session.exec(select(Alert)).all():
            for name, value in changes.items():
                if getattr(row, name) is not None:
                    setattr(row, name, value)
            session.add(row)
    run(owner.ref)


def a_night(owner, client):
    """Put 400 people of three facilities where four rules find them."""
    scored(owner.ref, client, at_risk=0, to_trace=0, clinics=3)
    day = today(ZONE)
    with tenant_session(owner.ref, actor="test:1") as session:
        places = session.exec(select(Facility).order_by(Facility.name)).all()
        for number, facility in enumerate(places):
            for rule, many in PEOPLE_OF_RULES.items():
                level, kind = ("high", "at_risk") if rule == "risk_high" else (rule, "to_trace")
                session.add_all(
                    Prediction(
                        uuid=new_uuid(), patient_uuid=new_uuid(), facility_uuid=facility.uuid, as_of=day, kind=kind,
                        expected_date=day, days_late=30 if rule == "iit" else 3, prediction_timestamp=now(),
                        model_version="a", risk=0.5 if level == "high" else None, risk_level=level, rank=1,
                        within_capacity=True, data_date=day,
                    )
                    for _ in range(many + (not number and rule == "risk_high"))
                )  # fmt: skip
        names = [facility.datim_id for facility in places]
    for place in names:
        body = {"facility": place, "hospital_number": uuid4().hex[:10], "art_start_date": "2024-01-10"}
        patient = client.post("/v1/patients", json=body).headers["location"].rsplit("/", 1)[1]
        result = {"patient_id": patient, "variable_name": "viral_load", "value_numeric": 5000}
        result["obs_datetime"] = f"{day - timedelta(days=30)}T09:00:00Z"
        assert client.post("/v1/observations", json=result).status_code == 201
    return names


@pytest.fixture
def public_url():
    """The address of the installation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IIT_PUBLIC_URL", "https://iit.example")
        get_settings.cache_clear()
        yield "https://iit.example"
    get_settings.cache_clear()


def test_a_night_of_400_people_is_one_message_for_each_facility_and_channel(owner, client, receiver, public_url):
    receiver.channels.append(channels.Channel(uuid4(), "Lead", "pagerduty"))
    places = a_night(owner, client)
    publish_scores(owner.ref)
    drain(owner.ref)
    listed = client.get("/v1/alerts", params={"page_size": 100}).json()["items"]
    assert (len(listed), sum(each["count"] for each in listed)) == (12, 400)
    assert {each["rule"] for each in listed} == set(PEOPLE)
    keys = [{key for channel, _, key, _ in receiver.calls if channel == each.id} for each in receiver.channels]
    assert (receiver.acts, len(keys[0]), keys[0]) == (["trigger"] * 6, 3, keys[1])
    message = next(each for each in receiver.messages if each.facility == "Clinic 0")
    assert message.title == "Clinic 0: 61 to call first, 50 late, 22 newly interrupted, 1 laboratory result"
    assert message.text.splitlines()[:2] == ["61 people to call first", "50 people are late"]
    assert dict(message.facts)["Became late"] == "50"
    assert (message.count, message.severity, message.url) == (
        134,
        "high",
        f"{public_url}/alerts?facility={places[0]}",
    )
    publish_scores(owner.ref)
    drain(owner.ref)
    assert len(receiver.calls) == 6
    digest = message.key.removeprefix("iit-")
    assert client.get(f"/v1/alerts/{digest}").status_code == 404
    members = client.get("/v1/alerts", params={"digest": digest}).json()["items"]
    assert {each["rule"] for each in members} == set(PEOPLE)
    detail = client.get(f"/v1/alerts/{members[0]['id']}").json()
    assert [(each["act"], each["state"]) for each in detail["deliveries"]] == [("trigger", "sent")] * 2
    assert [each["act"] for each in detail["history"]] == ["opened", "notified"]
    assert "Clinic 0" in client.get("/v1/alerts", params={"facility": places[0]}).text


def test_an_act_in_a_channel_concerns_all_that_it_got(owner, place, receiver):
    for rule in ("late", "iit"):  # iit is more severe, so it does not wait
        find(owner, place, rule, [uuid4()])
    find(owner, place, "viral_load", [uuid4()])
    assert receiver.acts == ["trigger"] * 2
    assert len({message.key for message in receiver.messages}) == 1
    assert [message.severity for message in receiver.messages] == ["medium", "high"]
    press(owner, receiver, "acknowledge")
    there = alerts(owner)
    assert {rule: row.status for rule, row in there.items()} == {
        "late": "acknowledged", "iit": "acknowledged", "viral_load": "open",
    }  # fmt: skip
    assert receiver.acts == ["trigger"] * 2 + ["acknowledge"]
    with tenant_session(owner.ref, actor="test:1") as session:
        history = [each.detail for each in history_of(session, there["late"].uuid) if each.act == "acknowledged"]
        waits = [each.detail["why"] for each in history_of(session, there["viral_load"].uuid) if each.act == "deferred"]
    assert (history, waits) == ([{"who": "U1"}], ["gathered"])
    let_pass(owner, notify_at=now() - timedelta(seconds=1))
    assert receiver.acts[3:] == ["trigger"]
    press(owner, receiver, "resolve")
    assert {row.status for row in alerts(owner).values()} == {"resolved"}
    assert receiver.acts[4:] == ["resolve"]
    press(owner, receiver, "reopen")
    assert {row.status for row in alerts(owner).values()} == {"open"}
    assert receiver.acts[5:] == ["trigger"]
    assert len({message.key for message in receiver.messages}) == 1


def test_an_act_on_one_alert_waits_for_the_others(owner, place, receiver):
    find(owner, place, "late", [uuid4(), uuid4()])
    find(owner, place, "iit", [uuid4()])
    there = alerts(owner)
    do(owner, there["late"], acts.acknowledge)
    assert receiver.acts == ["trigger"] * 2
    do(owner, there["iit"], acts.acknowledge)
    assert receiver.acts[2:] == ["acknowledge"]
    do(owner, there["iit"], acts.resolve)
    assert len(receiver.acts) == 3
    find(owner, place, "late", [*there["late"].patients, uuid4()])
    let_pass(owner, notify_at=now() - timedelta(seconds=1))
    assert (receiver.acts[3:], receiver.messages[-1].count) == (["trigger"], 3)
    assert (receiver.messages[-1].severity, receiver.messages[-1].title) == ("medium", "3 people are late")
    do(owner, there["late"], acts.resolve)
    assert receiver.acts[4:] == ["resolve"]
    find(owner, place, "late", [uuid4()])
    assert receiver.acts[5:] == ["trigger"]
    assert len({message.key for message in receiver.messages}) == 2


def test_a_silenced_rule_is_left_out_until_its_silence_ends(owner, place, receiver):
    values = {"rule": "late", "until": now() + timedelta(days=1), "reason": "We know"}
    with tenant_session(owner.ref, actor="test:1") as session:
        silence = management.add_silence(session, values, source="api").id
    find(owner, place, "late", [uuid4()])
    find(owner, place, "iit", [uuid4()])
    assert [message.title for message in receiver.messages] == ["1 person newly interrupted"]
    with tenant_session(owner.ref, actor="test:1") as session:
        management.end_silence(session, silence, source="api")
    run(owner.ref)
    assert receiver.messages[-1].title == "1 late, 1 newly interrupted"
    do(owner, alerts(owner)["late"], acts.snooze, minutes=60)
    find(owner, place, "iit", [uuid4(), uuid4()])
    let_pass(owner, notify_at=now() - timedelta(seconds=1))
    assert receiver.messages[-1].title == "2 people newly interrupted"


def test_routes_choose_channels_by_what_is_new_and_an_escalation_goes_on_until_all_are_acknowledged(
    owner, place, receiver
):
    receiver.channels.append(channels.Channel(uuid4(), "Lead", "pagerduty"))
    team, lead = (each.id for each in receiver.channels)
    steps = [{"after_minutes": 0, "channel_id": str(lead)}, {"after_minutes": 15, "channel_id": str(lead)}]
    with tenant_session(owner.ref, actor="test:1") as session:
        policy = AlertPolicy(name="p", steps=steps, repeats=0, created_by="t")
        session.add(policy)
        session.flush()
        session.add(AlertRoute(name="all", channel_id=team, created_by="t"))
        session.add(AlertRoute(name="high", severity="high", policy_id=policy.id, created_by="t"))
    find(owner, place, "late", [uuid4()])
    assert [call[0] for call in receiver.calls] == [team]
    find(owner, place, "iit", [uuid4()])
    assert [call[0] for call in receiver.calls] == [team, team, lead]
    assert receiver.messages[-1].title == "1 late, 1 newly interrupted"
    there = alerts(owner)
    do(owner, there["iit"], acts.acknowledge)
    let_pass(owner, step_at=now() - timedelta(seconds=1))
    assert [call[0] for call in receiver.calls][3:] == [lead]
    with tenant_session(owner.ref, actor="test:1") as session:
        history = {rule: [each.act for each in history_of(session, row.uuid)] for rule, row in there.items()}
        assert (history["late"].count("escalated"), history["iit"].count("escalated")) == (2, 1)
    do(owner, there["late"], acts.acknowledge)
    let_pass(owner, step_at=now() - timedelta(seconds=1))
    assert receiver.acts[4:] == ["acknowledge"] * 2


def test_who_is_new_in_an_acknowledged_alert_needs_a_look_if_a_message_for_another_rule_tells_of_them(
    owner, place, receiver
):
    first = uuid4()
    find(owner, place, "late", [first])
    do(owner, alerts(owner)["late"], acts.acknowledge)
    find(owner, place, "late", [first, uuid4()])
    assert alerts(owner)["late"].status == "acknowledged"
    find(owner, place, "iit", [uuid4()])
    assert receiver.messages[-1].title == "2 late, 1 newly interrupted"
    late = alerts(owner)["late"]
    assert (late.status, late.notify_at) == ("open", None)


def test_no_step_is_taken_after_the_last_alert_is_acknowledged(owner, place, receiver):
    steps = [{"after_minutes": 15, "channel_id": str(receiver.channel)}]
    with tenant_session(owner.ref, actor="test:1") as session:
        policy = AlertPolicy(name="p", steps=steps, repeats=0, created_by="t")
        session.add(policy)
        session.flush()
        session.add(AlertRoute(name="all", channel_id=receiver.channel, created_by="t"))
        session.add(AlertRoute(name="steps", policy_id=policy.id, created_by="t"))
    find(owner, place, "late", [uuid4()])
    late = alerts(owner)["late"]
    with tenant_session(owner.ref, actor="test:1") as session:
        acts.acknowledge(session, late.uuid, source="page")
        digest = session.get(Alert, late.digest_id)
        digest.step_at = now() - timedelta(seconds=1)
        escalation.take_step(session, digest)
        assert digest.step == 0
    drain(owner.ref)
    assert receiver.acts == ["trigger", "acknowledge"]


def test_acts_in_a_channel_wait_for_a_job_before_they_lock_an_alert(owner, place, receiver):
    with tenant_session(owner.ref, actor="test:1") as session:
        listeners.signal(session, "plugin_failing", {"subject": "sms", "value": 3})
    find(owner, place, "late", [uuid4()])
    messages = sorted(receiver.messages, key=lambda message: message.stream != "platform")
    presses = [ChannelAct("acknowledge", message.key, who="U1") for message in messages]

    def press_both():
        with tenant_session(owner.ref, actor="test:1") as session:
            publish(session, "plugin.channel_acts", {"instance_id": receiver.channel, "acts": presses})

    with ThreadPoolExecutor(1) as pool:
        with tenant_session(owner.ref, actor="test:1") as session:
            lock_alerts(session)
            pressed = pool.submit(press_both)
            while not pressed.done() and not waiting():
                pass
            query = select(Alert.status).where(Alert.alert_type == "plugin_failing").with_for_update(nowait=True)
            assert session.exec(query).one() == "open"
        pressed.result()
    assert {rule: row.status for rule, row in alerts(owner).items()} == {
        "plugin_failing": "acknowledged", "late": "acknowledged",
    }  # fmt: skip


def test_a_worker_that_dies_while_it_gathers_costs_no_message_and_repeats_none(owner, place, receiver, monkeypatch):
    whole, died = digests.send_round, []

    def dying(*arguments):
        answer = whole(*arguments)
        if not died:
            died.append(True)
            raise SystemError("the worker dies before it commits")
        return answer

    monkeypatch.setattr(digests, "send_round", dying)
    find(owner, place, "late", [uuid4()])
    assert (died, receiver.acts) == ([True], [])
    run(owner.ref)
    receiver.answers = [SystemError("the worker dies while it sends")]
    find(owner, place, "iit", [uuid4()])
    run(owner.ref)
    assert receiver.acts == ["trigger"] * 2
    with tenant_session(owner.ref, actor="test:1") as session:
        rows = session.exec(select(AlertDelivery).order_by(AlertDelivery.id)).all()
        assert [row.state for row in rows] == ["sent", "unknown"]


def test_a_rule_of_the_same_severity_waits_an_hour_unless_it_is_critical(owner, place, receiver):
    find(owner, place, "iit", [uuid4()])
    find(owner, place, "viral_load", [uuid4()])
    assert receiver.acts == ["trigger"]
    with tenant_session(owner.ref, actor="test:1") as session:
        change_rule(
            session,
            "late",
            RuleChoice(enabled=True, severity="critical", threshold=1, repeat_hours=20),
            ANY_VERSION,
            source="api",
        )
    find(owner, place, "late", [uuid4()])
    assert receiver.messages[-1].title == "1 late, 1 newly interrupted, 1 laboratory result"
    with tenant_session(owner.ref, actor="test:1") as session:
        change_rule(
            session,
            "late",
            RuleChoice(enabled=True, severity="medium", threshold=1, repeat_hours=20),
            ANY_VERSION,
            source="api",
        )
        assert session.get(Alert, UUID(receiver.messages[-1].id)).severity == "critical"
