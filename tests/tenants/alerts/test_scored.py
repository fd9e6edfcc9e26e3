"""A scoring raises one alert for each facility, notifies the channels once, and ends what has ended."""

from uuid import UUID

import pytest
from sqlmodel import select

from core.clock import today
from core.database import tenant_session
from core.events.catalogue import type_of
from core.events.outbox import publish_after_commit
from core.jobs.worker import drain
from tenants.alerts.models import Alert, AlertDelivery
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
    assert receiver.acts == ["trigger"] * 4
    assert len({key for _, _, key, _ in receiver.calls}) == 4
    high = next(each for each in listed if each["count"] == 3)
    assert high["title"] in {title for _, _, _, title in receiver.calls}
    answer = client.post(f"/v1/alerts/{high['id']}/acknowledge")
    assert (answer.status_code, answer.json()["status"]) == (200, "acknowledged")
    publish_scores(owner.ref)
    drain(owner.ref)
    assert receiver.acts == ["trigger"] * 4 + ["acknowledge"]
    with tenant_session(owner.ref, actor="test:1") as session:
        for row in session.exec(select(Prediction)).all():
            row.risk_level = "low"
            session.add(row)
    publish_scores(owner.ref)
    drain(owner.ref)
    assert {(each["status"], each["resolution"]) for each in alerts(client)} == {("resolved", "cause_ended")}
    assert receiver.acts[5:] == ["resolve"] * 4
    detail = client.get(f"/v1/alerts/{high['id']}").json()
    assert [each["act"] for each in detail["history"]] == ["opened", "notified", "acknowledged", "resolved"]
    assert [each["state"] for each in detail["deliveries"]] == ["sent"] * 3
    with tenant_session(owner.ref, actor="test:1") as session:
        assert len(session.exec(select(AlertDelivery)).all()) == 9
        people = {UUID(str(each)) for row in session.exec(select(Alert)).all() for each in row.patients}
    sent = " ".join(str(message) for message in receiver.messages)
    assert not [each for each in people if str(each) in sent]
