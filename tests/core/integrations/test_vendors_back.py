"""What people do in the vendors' own programs comes back through the platform's address, once and verified."""

from __future__ import annotations

import pytest
from sqlmodel import select

from core.database import tenant_session
from core.events import publish
from core.identity.keys import create_key
from core.integrations import incoming
from core.jobs.worker import drain
from core.plugins import instances, sending
from plugins.sdk import ChannelAct, DeliveryReport, IncomingSms, Sms
from tenants.alerts.models import Alert
from tests.tenants.alerts.conftest import awake
from tests.vendors import africastalking, kannel, opsgenie, pagerduty, slack, termii, twilio

PHONE = "+254700000001"
ANY = {"If-Match": "*"}


@pytest.fixture
def api(application, client_for, module_tenant):
    names = ["plugins.read", "plugins.write"]
    return client_for(application, create_key(module_tenant, name="x", permissions=names).plaintext)


@pytest.fixture
def published(monkeypatch):
    """What the vendors' requests said, in order."""
    events = []
    monkeypatch.setattr(incoming, "publish", lambda _, name, payload: events.append((name, payload)))
    return lambda: [
        each for name, payload in events for key in payload if key != "instance_id" for each in payload[key]
    ]


def connect(api, vendor, kind, plugin):
    """Set the vendor up; return the instance's id and the address that the vendor calls."""
    for row in api.get("/v1/plugin-instances").json()["items"]:
        api.delete(f"/v1/plugin-instances/{row['id']}", headers=ANY)
    body = {"kind": kind, "plugin": plugin, "name": "One", "settings": vendor.settings}
    answer = api.post("/v1/plugin-instances", json=body)
    assert answer.status_code == 201, answer.text
    vendor.client = api
    instance_id = answer.json()["id"]
    return instance_id, api.post(f"/v1/plugin-instances/{instance_id}/address").json()["address"]


def send(tenant, instance_id, address):
    sms = Sms("m-1", "", "", unicode=False, segments=1, sender="", report_url=address)
    return sending.send_sms(tenant, instance_id, sms, to=PHONE, text="Please call us")


def test_a_press_in_slack_is_one_act(api, published):
    with slack.Slack() as vendor:
        _, address = connect(api, vendor, "alert-channel", "slack")
        assert vendor.press(address, "acknowledge", "k")[0] == 200
        assert vendor.press(address, "resolve", "k", secret="f" * 32)[0] == 403
        assert vendor.press(address, "resolve", "k", age=600)[0] == 403
        assert vendor.press(address[:-1] + "_", "resolve", "k")[0] == 404
    assert published() == [ChannelAct("acknowledge", "k", "U0123456789")]


def test_an_incident_that_is_acknowledged_in_pagerduty_is_one_act_though_it_is_sent_twice(api, published):
    with pagerduty.PagerDuty() as vendor:
        _, address = connect(api, vendor, "alert-channel", "pagerduty")
        for _ in range(2):
            assert vendor.act(address, "incident.acknowledged", "k")[0] == 200
        assert vendor.act(address, "incident.resolved", "k", secret="wrong")[0] == 403
    assert published() == [ChannelAct("acknowledge", "k", "PUSER01")]


@pytest.mark.parametrize(("plugin", "make"), [("opsgenie", opsgenie.Opsgenie), ("jsm", opsgenie.JiraServiceManagement)])
def test_an_alert_that_is_closed_in_opsgenie_or_its_successor_is_an_act(api, published, plugin, make):
    with make() as vendor:
        _, address = connect(api, vendor, "alert-channel", plugin)
        assert vendor.act(address, "Close", "k")[0] == 200
        assert vendor.act(address, "Close", "k", source="API")[0] == 200
    assert published() == [ChannelAct("resolve", "k", "ada@example.org")]


@pytest.mark.parametrize(("plugin", "make"), [("opsgenie", opsgenie.Opsgenie), ("jsm", opsgenie.JiraServiceManagement)])
def test_who_acknowledges_and_closes_in_opsgenie_or_its_successor_changes_the_alert(api, module_tenant, plugin, make):
    awake(module_tenant)
    with make() as vendor:
        instance_id, address = connect(api, vendor, "alert-channel", plugin)
        with tenant_session(module_tenant, actor="test:1") as session:
            publish(session, "models.drift", {"subject": plugin, "value": 1, "ended": False})
        drain(module_tenant)
        ((key, state),) = vendor.alerts.items()
        assert state == "open"
        query = select(Alert.status, Alert.acknowledged_by, Alert.resolved_by).where(Alert.subject == plugin)
        channel, changed = f"channel:{instance_id}", []
        for action in ("Acknowledge", "Close"):
            assert vendor.act(address, action, key)[0] == 200
            drain(module_tenant)
            with tenant_session(module_tenant, actor="test:1") as session:
                changed.append(tuple(session.exec(query).one()))
    assert changed == [("acknowledged", channel, None), ("resolved", channel, channel)]


def test_twilio_reports_to_the_address_in_the_message_and_delivers_answers(api, module_tenant, published):
    with twilio.Twilio() as vendor:
        instance_id, address = connect(api, vendor, "sms-gateway", "twilio")
        reference = send(module_tenant, instance_id, address).reference
        assert vendor.report(reference, "delivered")[0] == 200
        assert vendor.report(reference, "failed", secret="w" * 32)[0] == 403
        assert vendor.send_sms(address, PHONE, "1")[0] == 200
        assert vendor.send_sms(address, PHONE, "2", secret="w" * 32)[0] == 403
    assert published() == [
        DeliveryReport("delivered", reference, "m-1"),
        IncomingSms(PHONE, "1", "SM" + "f" * 32),
    ]


def test_termii_reports_and_delivers_answers(api, module_tenant, published):
    with termii.Termii() as vendor:
        instance_id, address = connect(api, vendor, "sms-gateway", "termii")
        reference = send(module_tenant, instance_id, address).reference
        assert vendor.report(address, reference)[0] == 200
        assert vendor.report(address, reference, secret="wrong-secret-key")[0] == 403
        assert vendor.send_sms(address, "254700000001", "STOP")[0] == 200
    assert published() == [
        DeliveryReport("delivered", reference, cost="3.9", currency="NGN"),
        IncomingSms("254700000001", "STOP", "in-1"),
    ]


def test_africa_s_talking_and_kannel_come_to_the_secret_address(api, module_tenant, published):
    with africastalking.AfricasTalking() as vendor:
        instance_id, address = connect(api, vendor, "sms-gateway", "africastalking")
        reference = send(module_tenant, instance_id, address).reference
        assert vendor.report(address, reference, "Success")[0] == 200
        assert vendor.opt_out(address, PHONE)[0] == 200
    with kannel.Kannel() as vendor:
        instance_id, address = connect(api, vendor, "sms-gateway", "kannel")
        send(module_tenant, instance_id, address)
        assert vendor.report(kind=2)[0] == 200
        assert vendor.send_sms(address, PHONE, "1 & 2")[0] == 200
    assert published() == [
        DeliveryReport("delivered", reference),
        IncomingSms(PHONE, "STOP", ""),
        DeliveryReport("failed", message_id="m-1", reason="undelivered"),
        IncomingSms(PHONE, "1 & 2", "smsc-in-1"),
    ]


def test_the_secrets_of_an_instance_are_never_shown(api, module_tenant):
    with twilio.Twilio() as vendor:
        instance_id, _ = connect(api, vendor, "sms-gateway", "twilio")
        assert vendor.auth_token not in api.get(f"/v1/plugin-instances/{instance_id}").text
    with tenant_session(module_tenant, actor="test:1") as session:
        row = instances.get_instance(session, instance_id)
        assert vendor.auth_token not in f"{row.settings}{row.sealed_secrets}"
