"""A scoring raises one alert for each facility, notifies the channels once, and ends what has ended."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import select

from core.clock import today
from core.database import tenant_session
from core.database.reach import Reach
from core.errors import NotFound
from core.events import publish
from core.events.catalogue import type_of
from core.events.outbox import publish_after_commit
from core.jobs.worker import drain
from core.web.paging import PageRequest
from tenants.alerts.findings import on_lists, viral_loads
from tenants.alerts.history import history_of
from tenants.alerts.models import Alert, AlertDelivery
from tenants.alerts.people import read_people
from tenants.alerts.rules import get_rule
from tenants.alerts.signals import Signal, apply_signals
from tenants.risk import holdout
from tenants.risk.models import Prediction
from tests.tenants.alerts.conftest import awake
from tests.tenants.followup.scored import ZONE, scored


@pytest.fixture(scope="module")
def owner(make_tenant):
    owner = make_tenant()
    awake(owner.ref)
    return owner


@pytest.fixture
def client(application, client_for, owner):
    return client_for(application, owner.api_key)


def publish_scores(tenant):
    with tenant_session(tenant, actor="test:1") as session:
        payload = {**type_of("risk.scored").example, "as_of": today(ZONE).isoformat()}
        publish_after_commit(session, "risk.scored", subject=payload["as_of"], payload=payload)


def alerts(client, **params):
    return client.get("/v1/alerts", params=params).json()["items"]


def test_a_night_raises_one_alert_for_each_facility_and_rule(owner, client, receiver):
    scored(owner.ref, client, at_risk=5, to_trace=2, clinics=2)
    publish_scores(owner.ref)
    drain(owner.ref)
    listed = alerts(client)
    assert sorted((each["rule"], each["count"]) for each in listed) == [
        ("late", 1), ("late", 1), ("risk_high", 2), ("risk_high", 3),
    ]  # fmt: skip
    assert receiver.acts == ["trigger"] * 2
    assert {title for _, _, _, title in receiver.calls} == {
        "Clinic 0: 3 to call first, 1 late", "Clinic 1: 2 to call first, 1 late",
    }  # fmt: skip
    high = next(each for each in listed if each["count"] == 3)
    late = next(each for each in listed if each["rule"] == "late" and each["facility"] == high["facility"])
    for each in (high, late):
        answer = client.post(f"/v1/alerts/{each['id']}/acknowledge")
        assert (answer.status_code, answer.json()["status"]) == (200, "acknowledged")
    publish_scores(owner.ref)
    drain(owner.ref)
    assert receiver.acts == ["trigger"] * 2 + ["acknowledge"]
    with tenant_session(owner.ref, actor="test:1") as session:
        for row in session.exec(select(Prediction)).all():
            row.risk_level = "low"
            session.add(row)
    publish_scores(owner.ref)
    drain(owner.ref)
    assert {(each["status"], each["resolution"]) for each in alerts(client)} == {("resolved", "cause_ended")}
    assert receiver.acts[3:] == ["resolve"] * 2
    detail = client.get(f"/v1/alerts/{high['id']}").json()
    assert [each["act"] for each in detail["history"]] == ["opened", "notified", "acknowledged", "resolved"]
    assert [each["state"] for each in detail["deliveries"]] == ["sent"] * 3
    with tenant_session(owner.ref, actor="test:1") as session:
        assert len(session.exec(select(AlertDelivery)).all()) == 5
        people = {UUID(str(each)) for row in session.exec(select(Alert)).all() for each in row.patients}
    sent = " ".join(str(message) for message in receiver.messages)
    assert not [each for each in people if str(each) in sent]


def test_a_viral_load_counts_people_in_care_once_and_no_one_who_left(owner, client):
    day = today(ZONE)
    place = f"V{uuid4().hex[:10]}"
    client.post("/v1/facilities", json={"datim_id": place, "name": "Clinic"})

    def patient(*, left):
        body = {"facility": place, "hospital_number": uuid4().hex[:10], "art_start_date": "2024-01-10"}
        patient = client.post("/v1/patients", json=body).headers["location"].rsplit("/", 1)[1]
        moment = f"{day - timedelta(days=30)}T09:00:00Z"
        result = {"patient_id": patient, "obs_datetime": moment, "variable_name": "viral_load", "value_numeric": 5000}
        assert client.post("/v1/observations", json=result).status_code == 201
        if left:
            facts = {"patient_id": UUID(patient), "state": "died", "happened_on": day - timedelta(days=9)}
            with tenant_session(owner.ref, actor="test:1") as session:
                publish(session, "statuses.verified", facts)
        return UUID(patient)

    in_care, _dead = patient(left=False), patient(left=True)
    with tenant_session(owner.ref, actor="test:1") as session:
        signals = viral_loads(session, get_rule(session, "viral_load"), day)
        assert [(signal.people, signal.count) for signal in signals] == [(frozenset([in_care]), 1)]


def test_the_people_of_an_alert_about_lists_who_have_not_come_since_are_first(owner, client):
    day = today(ZONE) - timedelta(days=40)
    first, second, third = scored(owner.ref, client, at_risk=3, to_trace=0, day=day)["at_risk"]
    with tenant_session(owner.ref, actor="test:1") as session:
        rule = get_rule(session, "risk_high")
        (signal,) = on_lists(session, rule, day, 0)
        apply_signals(session, rule, [signal], data_date=day, whole=False)
        query = select(Alert.uuid).where(Alert.facility_uuid == signal.facility, Alert.alert_type == "risk_high")
        path = f"/v1/alerts/{session.exec(query).one()}/people"
    came = day + timedelta(days=5)
    for patient, date_started in ((first, came), (first, day + timedelta(days=9)), (second, day - timedelta(days=3))):
        body = {"patient_id": patient, "date_started": date_started.isoformat()}
        assert client.post("/v1/visits", json=body).status_code == 201
    page = client.get(path, params={"page_size": 2}).json()
    rows = [*page["items"], *client.get(page["next"]).json()["items"]]
    assert (page["total"], [row["patient_id"] for row in rows]) == (3, [second, third, first])
    assert [row["came_on"] for row in rows] == [None, None, came.isoformat()]
    assert [row["expected_date"] for row in rows] == [f"{day + timedelta(days=days)}" for days in (4, 5, 3)]
    assert {(row["sex"], row["viral_load"], row["measured_on"]) for row in rows} == {("F", None, None)}
    turned = client.get(path, params={"sort": "-came_on"}).json()["items"]
    assert [row["patient_id"] for row in turned] == [first, second, third]
    read = client.get("/v1/audit", params={"action": "alerts:people:read"}).json()
    assert read["total"] == 6


def test_an_alert_learns_who_came_back_and_who_left_care(owner, client):
    day, place = today(ZONE), f"O{uuid4().hex[:10]}"
    facility = UUID(client.post("/v1/facilities", json={"datim_id": place, "name": "Clinic"}).json()["id"])
    people = []
    for _ in range(4):
        body = {"facility": place, "hospital_number": uuid4().hex[:10], "art_start_date": "2024-01-10"}
        people.append(client.post("/v1/patients", json=body).headers["location"].rsplit("/", 1)[1])
    came, died, both, _still_away = people
    with tenant_session(owner.ref, actor="test:1") as session:
        rule = get_rule(session, "late")
        late = Signal(facility=facility, people=frozenset(map(UUID, people)), count=4)
        apply_signals(session, rule, [late], data_date=day - timedelta(days=9), whole=False)
        alert = session.exec(select(Alert.uuid).where(Alert.facility_uuid == facility)).one()
        for patient in (died, both):
            facts = {"patient_id": UUID(patient), "state": "died", "happened_on": day - timedelta(days=2)}
            publish(session, "statuses.verified", facts)
    for patient in (came, both):
        body = {"patient_id": patient, "date_started": str(day - timedelta(days=3))}
        assert client.post("/v1/visits", json=body).status_code == 201
    with tenant_session(owner.ref, actor="test:1") as session:
        apply_signals(
            session, rule, [Signal(facility=facility, people=late.people - {UUID(died)}, count=3)], whole=False
        )
        apply_signals(session, rule, [], whole=True)
        learned = {each.act: each.detail for each in history_of(session, alert)}
    assert (learned["changed"]["returned"], learned["changed"]["left_care"]) == (0, 1)
    assert (learned["resolved"]["returned"], learned["resolved"]["left_care"]) == (2, 0)


def test_who_reaches_a_facility_sees_of_its_alert_the_people_who_are_still_there(owner, client):
    places, patients = [], []
    for _ in "ab":
        datim_id = f"R{uuid4().hex[:10]}"
        place = client.post("/v1/facilities", json={"datim_id": datim_id, "name": "Clinic"}).json()
        places.append(UUID(place["id"]))
        body = {"facility": datim_id, "hospital_number": uuid4().hex[:10]}
        patients.append(UUID(client.post("/v1/patients", json=body).headers["location"].rsplit("/", 1)[1]))
    clinic, other = places
    with tenant_session(owner.ref, actor="test:1") as session:
        rule = get_rule(session, "risk_high")
        signal = Signal(facility=clinic, people=frozenset(patients), count=2)
        apply_signals(session, rule, [signal], data_date=today(ZONE), whole=False)
        alert_id = session.exec(select(Alert.uuid).where(Alert.facility_uuid == clinic)).one()
        assert read_people(session, alert_id, PageRequest()).total == 2
    with tenant_session(owner.ref, actor="test:2", reach=Reach(frozenset({clinic}))) as session:
        part = read_people(session, alert_id, PageRequest())
        past = read_people(session, alert_id, PageRequest(9))
        assert ([person.patient_id for person in part.rows], part.total) == (patients[:1], 1)
        assert (past.rows, past.total) == ([], 1)
    away = tenant_session(owner.ref, actor="test:2", reach=Reach(frozenset({other})))
    with away as session, pytest.raises(NotFound):
        read_people(session, alert_id, PageRequest())
    read = client.get("/v1/audit", params={"actor": "test:2"}).json()["items"]
    assert [event["subject_id"] for event in read] == [str(patients[0])]


def test_who_is_held_out_is_in_no_alert(owner, client):
    day = today(ZONE) - timedelta(days=20)
    scored(owner.ref, client, at_risk=12, to_trace=0, day=day)

    def high(session):
        return frozenset().union(
            *(signal.people for signal in on_lists(session, get_rule(session, "risk_high"), day, 0))
        )

    with tenant_session(owner.ref, actor="test:1") as session:
        everybody = high(session)
        approval = holdout.approve(session, 0.5, "NHREC/7", day, "Ethics Committee")
        expected = dict(session.exec(select(Prediction.patient_uuid, Prediction.expected_date)).all())
        held_out = {each for each in everybody if holdout.is_held_out(approval, each, expected[each])}
        assert len(everybody) == 12
        assert high(session) == everybody - held_out
    issued = client.post("/v1/worklists", json={"kind": "at_risk", "as_of": str(day)})
    assert issued.status_code == 201, issued.text
    with tenant_session(owner.ref, actor="test:1") as session:
        holdout.end(session)
        assert high(session) == everybody - held_out
