"""The first-party channels and gateways through the platform's sender, against stand-ins of the vendors."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import timedelta

import pytest
from standardwebhooks import Webhook as Verifier

from core.clock import now
from core.database import tenant_session
from core.plugins import catalogue, instances, own_messages, request_sender, sending, signatures
from core.plugins.catalogue import find_offer
from core.plugins.instances import InstanceIn
from core.plugins.usable_instances import UsableInstance
from plugins.sdk import (
    Alert,
    ChannelAct,
    DeliveryReport,
    IncomingRequest,
    IncomingSms,
    Sms,
    failed,
    retry,
    sent,
    unknown,
)
from plugins.sdk.letters import letter, text_message
from tests.core.mail.server import installed
from tests.vendors import africastalking, kannel, opsgenie, pagerduty, slack, termii, twilio
from tests.vendors.server import Reply, Vendor

ALERT = Alert(
    id="a-1",
    act="trigger",
    key="list/Kibera & Co",
    severity="high",
    title="12 people are on today's list",
    text="Most of them are late.",
    url="https://iit.example.org/alerts/a-1",
    stream="clinical",
    facility="Kibera",
    count=12,
    occurred_at=now(),
    facts={"Rule": "On a list"},
)
PHONE = "+254700000001"
CHANNELS = [
    ("pagerduty", pagerduty.PagerDuty),
    ("opsgenie", opsgenie.Opsgenie),
    ("jsm", opsgenie.JiraServiceManagement),
    ("slack", slack.Slack),
]
GATEWAYS = [
    ("africastalking", africastalking.AfricasTalking),
    ("twilio", twilio.Twilio),
    ("termii", termii.Termii),
    ("kannel", kannel.Kannel),
]


@pytest.fixture
def tenant(module_tenant):
    with tenant_session(module_tenant, actor="test:1") as session:
        for row in instances.list_instances(session):
            session.delete(row)
    return module_tenant


@pytest.fixture
def give_up_early(monkeypatch):
    """A function after which the platform waits for no answer: only for a vendor that hangs."""
    return lambda: monkeypatch.setattr(request_sender, "RECEIVERS", replace(request_sender.RECEIVERS, timeout=0.2))


def add(tenant, kind, plugin, settings, name="One"):
    with tenant_session(tenant, actor="test:1") as session:
        return instances.add_instance(session, kind, plugin, InstanceIn(name, settings), source="cli").id


def tell(tenant, instance_id, act="trigger"):
    return sending.send_alert(tenant, instance_id, replace(ALERT, act=act))


def send(tenant, instance_id, to=PHONE):
    sms = Sms("m-1", "", "", unicode=False, segments=1, sender="", report_url="http://127.0.0.1:1/hook")
    return sending.send_sms(tenant, instance_id, sms, to=to, text="Please call us")


def test_every_first_party_plugin_is_ready():
    for plugin in catalogue.installed():
        assert (plugin.state, plugin.reason) == ("ready", "")
    names = {(offer.kind, offer.name) for offer in catalogue.offers()}
    assert {("alert-channel", name) for name, _ in CHANNELS} | {("sms-gateway", name) for name, _ in GATEWAYS} <= names
    assert {("importer", name) for name in ("folder", "https", "s3", "sftp")} <= names
    assert {("rag-source", "folder"), ("rag-source", "https"), ("alert-channel", "webhook")} <= names


@pytest.mark.parametrize(("plugin", "make"), CHANNELS, ids=[name for name, _ in CHANNELS])
def test_a_channel_tells_its_vendor_and_says_what_became_of_it(tenant, give_up_early, plugin, make):
    with make() as vendor:
        instance_id = add(tenant, "alert-channel", plugin, vendor.settings)
        assert [tell(tenant, instance_id, act).state for act in ("trigger", "acknowledge", "resolve")] == ["sent"] * 3
        vendor.limit(7)
        vendor.drop()
        vendor.hang()
        unclear = "unknown" if plugin == "slack" else "retry"
        assert tell(tenant, instance_id) == retry("rate_limited", timedelta(seconds=7))
        assert tell(tenant, instance_id).state == unclear
        give_up_early()
        assert tell(tenant, instance_id).state == unclear
    state = getattr(vendor, "incidents", None) or getattr(vendor, "alerts", None)
    if plugin == "slack":
        assert [message["text"].split(maxsplit=1)[0] for message in vendor.messages[:3]] == [
            ":large_orange_circle:",
            ":eyes:",
            ":white_check_mark:",
        ]
    else:
        assert state[ALERT.key] in {"triggered", "resolved", "open", "closed"}


@pytest.mark.parametrize(("plugin", "make"), GATEWAYS, ids=[name for name, _ in GATEWAYS])
def test_a_gateway_sends_one_message_to_the_phone_that_its_plugin_never_sees(tenant, give_up_early, plugin, make):
    with make() as vendor:
        instance_id = add(tenant, "sms-gateway", plugin, vendor.settings)
        outcome = send(tenant, instance_id)
        assert outcome.state == "sent"
        assert PHONE.removeprefix("+") in str(vendor.messages)
        assert "Please call us" in str(vendor.messages)
        vendor.fail(500, takes_effect=True)
        vendor.hang()
        assert send(tenant, instance_id) == unknown("server_error")
        give_up_early()
        assert send(tenant, instance_id).state == "unknown"
        assert len(vendor.messages) == 3


def test_a_gateway_s_plugin_does_not_see_the_address_for_reports(tenant, monkeypatch):
    seen = []
    call = UsableInstance.call
    monkeypatch.setattr(UsableInstance, "call", lambda *values: (seen.append(values), call(*values))[1])
    with twilio.Twilio() as vendor:
        assert send(tenant, add(tenant, "sms-gateway", "twilio", vendor.settings)).state == "sent"
        (message,) = vendor.messages.values()
    assert message["form"]["StatusCallback"] == "http://127.0.0.1:1/hook?message_id=m-1"
    assert "/hook" not in str(seen)


def test_a_gateway_is_asked_what_became_of_a_message_and_its_plugin_sees_neither_phone_nor_text(tenant, monkeypatch):
    seen = []
    call = UsableInstance.call
    monkeypatch.setattr(UsableInstance, "call", lambda *values: (seen.append(values), call(*values))[1])
    with twilio.Twilio() as vendor:
        instance_id = add(tenant, "sms-gateway", "twilio", vendor.settings)
        reference = send(tenant, instance_id).reference
        vendor.messages[reference] |= {"status": "delivered", "price": "-0.00750"}
        report = DeliveryReport("delivered", reference, cost="0.00750", currency="USD")
        assert sending.ask_status(tenant, instance_id, reference, to=PHONE, text="Please call us") == report
    answers = str([values for values in seen if values[1] == "status"])
    assert "******" in answers
    assert PHONE.removeprefix("+") not in answers
    assert "Please call us" not in answers


def test_a_message_of_a_webhook_is_verified_by_the_library_of_its_standard(tenant):
    secret = "whsec_" + base64.b64encode(b"s" * 32).decode()
    with Vendor() as vendor:
        instance_id = add(tenant, "alert-channel", "webhook", {"url": f"{vendor.url}/alerts", "secret": secret})
        assert tell(tenant, instance_id) == sent()
    (call,) = vendor.calls
    body = Verifier(secret).verify(call.body, call.headers)
    assert (body["type"], body["data"]["key"]) == ("alert.trigger", ALERT.key)


class Hook(Vendor):
    """The platform's address for requests of vendors: it verifies, and has the plugin read, what arrives."""

    def __init__(self, kind, plugin, settings, read):
        super().__init__()
        self.plugin = find_offer(kind, plugin).implementation
        self.settings, self.read, self.results = settings, read, []
        self.address = f"{self.url}/hook"

    def answer(self, call):
        signature = self.plugin.signature(self.settings)
        try:
            if signature is not None:
                query = "?" + "&".join(f"{name}={value}" for name, value in call.query.items()) if call.query else ""
                secret, url = self.settings[signature.secret], f"{self.url}{call.path}{query}"
                signatures.verify(signature, secret, call.headers, call.body, url, now())
        except signatures.BadSignatureError:
            return Reply(403)
        request = IncomingRequest(call.headers, call.query, call.body.decode())
        self.results += getattr(self.plugin, self.read)(request, self.settings)
        return Reply(202)


def test_a_press_in_slack_is_verified():
    with slack.Slack() as vendor, Hook("alert-channel", "slack", vendor.settings, "acts") as hook:
        assert vendor.press(hook.address, "acknowledge", "k")[0] == 202
        assert vendor.press(hook.address, "acknowledge", "k", secret="f" * 32)[0] == 403
        assert vendor.press(hook.address, "acknowledge", "k", age=301)[0] == 403
        assert hook.results == [ChannelAct("acknowledge", "k", "U0123456789")]


def test_a_webhook_of_pagerduty_is_verified_while_its_secret_changes():
    with pagerduty.PagerDuty() as vendor, Hook("alert-channel", "pagerduty", vendor.settings, "acts") as hook:
        assert vendor.act(hook.address, "incident.acknowledged", "k")[0] == 202
        assert vendor.act(hook.address, "incident.resolved", "k", secret="wrong")[0] == 403
        assert vendor.act(hook.address, "incident.resolved", "k", agent_type="integration_reference")[0] == 202
        assert hook.results == [ChannelAct("acknowledge", "k", "PUSER01")]


def test_what_people_do_in_opsgenie_comes_back():
    with opsgenie.Opsgenie() as vendor, Hook("alert-channel", "opsgenie", vendor.settings, "acts") as hook:
        vendor.act(hook.address, "Close", "k")
        vendor.act(hook.address, "Close", "k", source="API")
        assert hook.results == [ChannelAct("resolve", "k", "ada@example.org")]


def test_reports_and_messages_of_twilio_are_verified(tenant):
    with twilio.Twilio() as vendor, Hook("sms-gateway", "twilio", vendor.settings, "reports") as hook:
        instance_id = add(tenant, "sms-gateway", "twilio", vendor.settings)
        reference = send(tenant, instance_id).reference
        address = hook.address + "?message_id=m-1"
        assert vendor.report(reference, "delivered", address=address)[0] == 202
        assert vendor.report(reference, "failed", address=address, secret="w" * 32)[0] == 403
        hook.read = "received"
        assert vendor.send_sms(hook.address, PHONE, "1 é")[0] == 202
        assert hook.results == [
            DeliveryReport("delivered", reference, "m-1"),
            IncomingSms(PHONE, "1 é", "SM" + "f" * 32),
        ]


def test_reports_and_messages_of_termii_are_verified(tenant):
    with termii.Termii() as vendor, Hook("sms-gateway", "termii", vendor.settings, "reports") as hook:
        reference = send(tenant, add(tenant, "sms-gateway", "termii", vendor.settings)).reference
        assert vendor.report(hook.address, reference)[0] == 202
        assert vendor.report(hook.address, reference, secret="wrong-secret-key")[0] == 403
        assert hook.results == [DeliveryReport("delivered", reference, cost="3.9", currency="NGN")]


def test_reports_and_messages_of_the_others_come_to_their_secret_address(tenant):
    with kannel.Kannel() as vendor, Hook("sms-gateway", "kannel", vendor.settings, "reports") as hook:
        sms = Sms("m-1", "", "", unicode=True, segments=1, sender="", report_url=hook.address)
        instance_id = add(tenant, "sms-gateway", "kannel", vendor.settings)
        assert sending.send_sms(tenant, instance_id, sms, to=PHONE, text="Bonjour ✓") == sent()
        vendor.report(kind=2)
        hook.read = "received"
        vendor.send_sms(hook.address, PHONE, "STOP")
        assert hook.results == [
            DeliveryReport("failed", message_id="m-1", reason="undelivered"),
            IncomingSms(PHONE, "STOP", "smsc-in-1"),
        ]
    vendor = africastalking.AfricasTalking()
    with vendor, Hook("sms-gateway", "africastalking", vendor.settings, "reports") as hook:
        vendor.report(hook.address, "ATX", "Failed", reason="UserInBlackList")
        assert hook.results == [DeliveryReport("failed", "ATX", reason="UserInBlackList")]


@pytest.fixture
def postbox(monkeypatch):
    with installed(monkeypatch) as postbox:
        yield postbox


def test_a_letter_goes_to_the_addresses_in_the_settings_and_a_repetition_has_the_same_id(tenant, postbox):
    instance_id = add(tenant, "alert-channel", "email", {"to": ["ada@example.org", "team@example.org"]})
    first, second = tell(tenant, instance_id), tell(tenant, instance_id)

    assert (first.state, first.reference) == ("sent", second.reference)
    letters = postbox.letters
    assert letters[0]["To"] == "ada@example.org, team@example.org"
    assert letters[0]["Subject"] == ALERT.title
    assert letters[0]["Message-ID"] == letters[1]["Message-ID"]
    assert ALERT.url in letters[0].get_content()


def test_a_letter_waits_for_the_mail_server_and_is_not_sent_without_one(tenant, postbox, monkeypatch):
    instance_id = add(tenant, "alert-channel", "email", {"to": ["ada@example.org"]})
    postbox.rejects = "ada@example.org"
    assert tell(tenant, instance_id) == retry("mail_server")
    monkeypatch.setattr(own_messages.mail, "is_configured", lambda: False)
    assert tell(tenant, instance_id) == failed("mail_not_configured")


def test_an_sms_to_staff_goes_by_the_tenant_s_gateway(tenant):
    with twilio.Twilio() as vendor:
        instance_id = add(tenant, "alert-channel", "sms", {"phone": PHONE})
        assert tell(tenant, instance_id) == failed("no_gateway")
        add(tenant, "sms-gateway", "twilio", vendor.settings)
        assert tell(tenant, instance_id).state == "sent"
        (message,) = vendor.messages.values()
        assert (message["form"]["To"], message["form"]["Body"]) == (PHONE, f"{ALERT.title} {ALERT.url}")
        vendor.fail(500)
        assert tell(tenant, instance_id) == unknown("server_error")
        add(tenant, "sms-gateway", "twilio", vendor.settings, name="Two")
        assert tell(tenant, instance_id) == failed("several_gateways")
        named = add(tenant, "alert-channel", "sms", {"phone": PHONE, "gateway": "Two"}, name="Named")
        assert tell(tenant, named).state == "sent"


@pytest.mark.parametrize("read", [
    lambda: own_messages.letter_of(letter(["eve@example.org"], "s", "t"), {"to": ["ada@example.org"]}),
    lambda: own_messages.letter_of(letter(["ü@example.org"], "s", "t"), {"to": ["ü@example.org"]}),
    lambda: own_messages.letter_of(letter(["ada@example.org\nBcc: eve@example.org"], "s", "t"), {}),
    lambda: own_messages.letter_of(replace(letter(["a@b"], "s", "t"), json=["t"]), {"to": ["a@b"]}),
    lambda: own_messages.text_of_request(text_message(PHONE, "t"), {"phone": "+254700000002"}, {}),
    lambda: own_messages.text_of_request(text_message("{{secret:token}}", "t"), {}, {"token": "very-secret"}),
    lambda: own_messages.text_of_request(text_message(PHONE, "t" * 1001), {"phone": PHONE}, {}),
])  # fmt: skip
def test_a_plugin_writes_to_nobody_but_those_in_the_settings(read):
    with pytest.raises(own_messages.BadRequestError):
        read()


@pytest.mark.parametrize(("text", "is_unicode", "segments"), [
    ("a" * 160, False, 1), ("é" * 161, False, 2), ("ê", True, 1), ("ê" * 71, True, 2),
])  # fmt: skip
def test_the_segments_of_an_sms_to_staff(text, is_unicode, segments):
    sms = own_messages.StaffText(PHONE, text, "").sms("m")

    assert (sms.unicode, sms.segments) == (is_unicode, segments)
