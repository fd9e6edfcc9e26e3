"""The first-party plugins keep the promises that any author's plugin must keep."""

from __future__ import annotations

from uuid import uuid4

import pytest

from core.plugins import catalogue
from core.plugins.kinds import KINDS
from plugins.africastalking import AfricasTalking
from plugins.email import Email
from plugins.importers import FolderImporter, HttpsImporter, S3Importer, SftpImporter
from plugins.kannel import Kannel
from plugins.opsgenie import JiraServiceManagement, Opsgenie
from plugins.pagerduty import PagerDuty
from plugins.sdk import Chosen, HttpRequest, Outcome, Signature, failed, letter, retry, secret, sent, text_message
from plugins.sdk.testing import (
    AlertChannelContract,
    ContractError,
    EventListenerContract,
    ImporterContract,
    RagSourceContract,
    SmsGatewayContract,
)
from plugins.sdk.testing.own_messages import check_own_message, is_own_message
from plugins.slack import SlackBot, SlackWebhook
from plugins.sms_channel import SmsChannel
from plugins.sources import FolderSource, HttpsSource
from plugins.termii import Termii
from plugins.twilio import Twilio
from plugins.webhook import Webhook

CASES = [
    (
        AlertChannelContract,
        SlackWebhook(),
        {"webhook_url": secret("webhook_url"), "signing_secret": secret("signing_secret")},
    ),
    (AlertChannelContract, SlackBot(), {"bot_token": secret("bot_token"), "channel": "C0123456789"}),
    (AlertChannelContract, PagerDuty(), {"routing_key": secret("routing_key")}),
    (AlertChannelContract, Opsgenie(), {"api_key": secret("api_key")}),
    (AlertChannelContract, JiraServiceManagement(), {"api_key": secret("api_key")}),
    (AlertChannelContract, Email(), {"to": ["a@example.org", "b@example.org"]}),
    (AlertChannelContract, SmsChannel(), {"phone": secret("phone"), "resolved": True}),
    (AlertChannelContract, Webhook(), {"url": "https://example.org/a", "secret": secret("secret")}),
    (SmsGatewayContract, AfricasTalking(), {"username": "u", "api_key": secret("api_key")}),
    (SmsGatewayContract, Twilio(), {"account_sid": "AC" + "0" * 32, "auth_token": secret("auth_token")}),
    (SmsGatewayContract, Termii(), {"api_key": secret("api_key"), "sender": "IIT"}),
    (
        SmsGatewayContract,
        Kannel(),
        {"address": "https://k.example.org/s", "username": "u", "password": secret("password")},
    ),
    (ImporterContract, FolderImporter(), {"folder": "/data"}),
    (ImporterContract, HttpsImporter(), {"url": "https://example.org/a.csv"}),
    (ImporterContract, S3Importer(), {"bucket": "lists", "key_id": "id", "secret_key": secret("secret_key")}),
    (ImporterContract, SftpImporter(), {"host": "h.example.org", "user": "u", "host_key": "ssh-ed25519 AAAA"}),
    (RagSourceContract, FolderSource(), {"folder": "/data"}),
    (RagSourceContract, HttpsSource(), {"urls": ["https://example.org/a.pdf"]}),
]

RATES = {"slack": 60, "slack-bot": 60, "pagerduty": 120, "opsgenie": 60, "jsm": 60}
"""Requests in a minute that the vendors accept: one message a second, 120 events of a routing key, 60 requests."""


def pytest_generate_tests(metafunc):
    if "case" not in metafunc.fixturenames:
        return
    names = [(case, name) for case in CASES for name in dir(case[0]) if name.startswith("test_")]
    ids = [f"{case[1].name}-{name}" for case, name in names]
    metafunc.parametrize(("case", "name"), names, ids=ids)


def test_a_first_party_plugin_keeps_the_contract(case, name):
    contract, plugin, settings = case
    checks = type("Checks", (contract,), {"plugin": plugin, "settings": settings})()
    getattr(checks, name)()


def test_every_first_party_offer_is_among_them():
    tested = {(f"{contract.protocol.__name__}", plugin.name) for contract, plugin, _ in CASES}
    offered = {(KINDS[offer.kind].protocol.__name__, offer.name) for offer in catalogue.offers() if offer.first_party}
    assert tested == offered


def test_no_channel_asks_for_more_requests_than_its_vendor_accepts():
    assert {plugin.name: plugin.per_minute for _, plugin, _ in CASES if plugin.name in RATES} == RATES


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (letter(["stranger@example.org"], "s", "t"), "receivers in the settings"),
        (letter(["a@example.org"] * 11, "s", "t"), "at most 10"),
        (letter(["a@example.org"], "two\nlines", "t"), "one line"),
        (letter([secret("phone")], "s", "t"), "no secret"),
        (letter(["a@example.org"], "s", ""), "needs a text"),
        (text_message("+254700000000", "t"), "receivers in the settings"),
        (text_message(secret("phone"), "t" * 1001), "at most 1000"),
        (text_message(secret("phone"), ""), "needs a text"),
        (HttpRequest("POST", "sms:" + secret("phone"), json={"text": "t"}), "gateway"),
        (HttpRequest("POST", "sms:" + secret("phone"), json={"text": "t", "gateway": ""}, repeatable=True), "repeated"),
    ],
)
def test_a_letter_or_an_sms_that_breaks_a_promise_is_named(request_, message):
    assert is_own_message(request_)
    with pytest.raises(ContractError, match=message):
        check_own_message(request_, {"to": ["a@example.org"], "phone": secret("phone")})


class Listener:
    """A listener that keeps its promises."""

    name, title, version, events = "sample", "Sample", "1", ("imports.completed",)

    def settings_schema(self):
        return {"type": "object", "properties": {}}

    def requests(self, event, settings):
        return [HttpRequest("POST", "https://example.org/", json={"id": event.id})]

    def outcome(self, response, settings):
        return sent() if response.status else retry(response.failure)


class Bent:
    """A plugin that keeps its promises but for one answer."""

    def __init__(self, plugin, method, answer):
        self._plugin, self._method, self._answer = plugin, method, answer

    def __getattr__(self, name):
        return self._answer if name == self._method else getattr(self._plugin, name)


def changing(value, settings):
    """Write into the settings."""
    settings["more"] = 1


GATEWAY, IMPORTER = (Twilio(), CASES[9][2]), (FolderImporter(), {"folder": "/data"})
SOURCE, LISTENER = (FolderSource(), {"folder": "/data"}), (Listener(), {})
ANSWERS, ASKED, RECEIVED = (
    "understands_every_answer",
    "can_be_asked_or_says_that_it_cannot",
    "reads_any_request_of_its_vendor",
)


@pytest.mark.parametrize(
    ("contract", "whole", "check", "method", "answer", "message"),
    [
        (SmsGatewayContract, GATEWAY, ANSWERS, "outcome", lambda *_: sent(), "where no answer came"),
        (SmsGatewayContract, GATEWAY, ANSWERS, "outcome", lambda *_: failed("x"), "after a timeout nobody knows"),
        (SmsGatewayContract, GATEWAY, ANSWERS, "outcome", lambda *_: "sent", "must be an Outcome"),
        (SmsGatewayContract, GATEWAY, ANSWERS, "outcome", lambda *_: Outcome("lost"), "an outcome is one of"),
        (SmsGatewayContract, GATEWAY, ANSWERS, "outcome", lambda *_: retry(uuid4().hex), "another result"),
        (SmsGatewayContract, GATEWAY, ANSWERS, "outcome", changing, "changed what it was given"),
        (SmsGatewayContract, GATEWAY, "describes_a_request_with_the_marks", "request",
         lambda *_: HttpRequest("POST", "https://example.org/", json={"to": "+254700000000"}), "marks of the phone"),
        (SmsGatewayContract, GATEWAY, "describes_a_request_with_the_marks", "request",
         lambda sms, _: HttpRequest("POST", f"https://{sms.to}.example.org/", json=[sms.text]), "must begin with"),
        (SmsGatewayContract, GATEWAY, ASKED, "status", lambda *_: "delivered", "DeliveryReport or None"),
        (SmsGatewayContract, GATEWAY, ASKED, "status_request", lambda *_: "GET", "must be an HttpRequest"),
        (SmsGatewayContract, GATEWAY, RECEIVED, "reports", lambda *_: ["delivered"], "give DeliveryReports"),
        (SmsGatewayContract, GATEWAY, RECEIVED, "received", lambda *_: ["1"], "give IncomingSms"),
        (SmsGatewayContract, GATEWAY, "names_a_secret_for_its_signature", "signature",
         lambda *_: Signature("sender", "X"), "must be a secret setting"),
        (ImporterContract, IMPORTER, "says_where_to_look", "look", lambda *_: "/data", "a Location or an HttpRequest"),
        (ImporterContract, IMPORTER, "reads_any_answer", "entries", lambda *_: ["a.csv"], "a list of Entry"),
        (ImporterContract, IMPORTER, "chooses_among_what_is_there", "choose", lambda *_: ["a.csv"], "list of Chosen"),
        (ImporterContract, IMPORTER, "chooses_among_what_is_there", "choose",
         lambda *_: [Chosen("a.csv"), Chosen("a.csv")], "each file once"),
        (ImporterContract, IMPORTER, "chooses_among_what_is_there", "choose",
         lambda *_: [Chosen("c.csv")], "only files that are there"),
        (RagSourceContract, SOURCE, "says_where_to_look", "look",
         lambda *_: [HttpRequest("GET", "ftp://example.org/")], "must begin with"),
        (RagSourceContract, SOURCE, "reads_any_answer", "documents", lambda *_: ["a.pdf"], "a list of Document"),
        (EventListenerContract, LISTENER, "wants_events", "events", (), "name your events"),
        (EventListenerContract, LISTENER, "describes_requests", "requests",
         lambda *_: [HttpRequest("POST", "https://example.org/")] * 11, "at most"),
        (EventListenerContract, LISTENER, ANSWERS, "outcome", lambda *_: sent(), "where no answer came"),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_named(contract, whole, check, method, answer, message):
    plugin, settings = whole
    checks = type("Checks", (contract,), {"plugin": plugin, "settings": settings})()
    getattr(checks, f"test_{check}")()
    checks = type("Checks", (contract,), {"plugin": Bent(plugin, method, answer), "settings": settings})()
    with pytest.raises(ContractError, match=message):
        getattr(checks, f"test_{check}")()
