"""The first-party plugins keep the promises that any author's plugin must keep."""

from __future__ import annotations

from plugins.africastalking import AfricasTalking
from plugins.importers import FolderImporter, HttpsImporter, S3Importer, SftpImporter
from plugins.kannel import Kannel
from plugins.opsgenie import JiraServiceManagement, Opsgenie
from plugins.pagerduty import PagerDuty
from plugins.sdk import secret
from plugins.sdk.testing.contracts import (
    AlertChannelContract,
    ImporterContract,
    RagSourceContract,
    SmsGatewayContract,
)
from plugins.slack import SlackBot, SlackWebhook
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


def pytest_generate_tests(metafunc):
    names = [(case, name) for case in CASES for name in dir(case[0]) if name.startswith("test_")]
    ids = [f"{case[1].name}-{name}" for case, name in names]
    metafunc.parametrize(("case", "name"), names, ids=ids)


def test_a_first_party_plugin_keeps_the_contract(case, name):
    contract, plugin, settings = case
    checks = type("Checks", (contract,), {"plugin": plugin, "settings": settings})()
    getattr(checks, name)()
