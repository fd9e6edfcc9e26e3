"""The first-party alert channels: their limits and tables, and against the vendors' stand-ins."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from plugins.email import Email
from plugins.opsgenie import JiraServiceManagement, Opsgenie
from plugins.pagerduty import PagerDuty
from plugins.sdk import Alert, AlertChannel, ChannelAct, HttpResponse, IncomingRequest, failed, retry, sent, unknown
from plugins.slack import SlackBot, SlackWebhook
from plugins.slack.blocks import escaped
from plugins.sms_channel import SmsChannel
from plugins.webhook import Webhook
from tests.plugins.performing import marked, perform
from tests.vendors import opsgenie, pagerduty, slack

CHANNELS = [SlackWebhook(), SlackBot(), PagerDuty(), Opsgenie(), JiraServiceManagement(), Webhook()]
REPEATABLE = CHANNELS[2:]
SETTINGS = {
    "slack-bot": {"bot_token": "{{secret:bot_token}}", "channel": "C0123456789"},
    "slack": {"webhook_url": "{{secret:webhook_url}}", "signing_secret": "{{secret:signing_secret}}"},
    "pagerduty": {"routing_key": "{{secret:routing_key}}", "webhook_secret": "{{secret:webhook_secret}}"},
    "opsgenie": {"api_key": "{{secret:api_key}}"},
    "jsm": {"api_key": "{{secret:api_key}}"},
    "webhook": {"url": "https://example.org/alerts", "secret": "{{secret:secret}}"},
}
VENDORS = [
    (PagerDuty(), pagerduty.PagerDuty),
    (Opsgenie(), opsgenie.Opsgenie),
    (JiraServiceManagement(), opsgenie.JiraServiceManagement),
    (SlackWebhook(), slack.Slack),
]
IDS = [channel.name for channel, _ in VENDORS]


def alert(**changes):
    fields = {
        "id": "a-1",
        "act": "trigger",
        "key": "list/Kibera & Co",
        "severity": "high",
        "title": "12 people are on today's list",
        "text": "Most of them are late by more than a week.",
        "url": "https://iit.example.org/alerts/a-1",
        "stream": "clinical",
        "facility": "Kibera",
        "count": 12,
        "occurred_at": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        "facts": {"Rule": "On a list"},
    }
    return Alert(**{**fields, **changes})


def body_of(channel, own=None, **changes):
    (request,) = channel.requests(alert(**changes), own or SETTINGS[channel.name])
    return request.json


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_a_channel_has_a_valid_schema_whose_secrets_are_never_shown(channel):
    schema = channel.settings_schema()

    assert isinstance(channel, AlertChannel)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert any(field.get("writeOnly") for field in schema["properties"].values())
    assert all(field.get("title") for field in schema["properties"].values())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"unknown": 1}, schema)


@pytest.mark.parametrize("make", [vendor for _, vendor in VENDORS], ids=IDS)
def test_the_settings_of_each_stand_in_are_valid(make):
    channel = next(channel for channel, vendor in VENDORS if vendor is make)
    with make() as vendor:
        jsonschema.validate(vendor.settings, channel.settings_schema())


@pytest.mark.parametrize(("status", "headers", "outcome"), [
    (429, {"retry-after": "7"}, retry("rate_limited", timedelta(seconds=7))),
    (429, {}, retry("rate_limited")),
    (401, {}, failed("credentials_rejected")),
    (403, {}, failed("credentials_rejected")),
    (302, {"location": "https://evil.example"}, failed("redirected")),
    (404, {}, failed("http_404")),
])  # fmt: skip
@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_what_answers_of_http_mean(channel, status, headers, outcome):
    assert channel.outcome(HttpResponse(status, headers), SETTINGS[channel.name]) == outcome


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
@pytest.mark.parametrize("response", [
    HttpResponse(500, text="rollup_error"),
    HttpResponse(503, {"retry-after": "x"}),
    HttpResponse(408),
    HttpResponse(0, failure="timeout"),
    HttpResponse(0, failure="bad_answer"),
    HttpResponse(0, failure="too_large"),
])  # fmt: skip
def test_only_what_the_receiver_recognizes_is_repeated_when_nobody_knows(channel, response):
    outcome = channel.outcome(response, SETTINGS[channel.name])

    assert outcome.state == ("retry" if channel in REPEATABLE else "unknown")
    (request,) = channel.requests(alert(), SETTINGS[channel.name])
    assert request.repeatable == (channel in REPEATABLE)


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_a_request_that_never_left_is_repeated(channel):
    assert channel.outcome(HttpResponse(0, failure="no_connection"), SETTINGS[channel.name]) == retry("no_connection")


@pytest.mark.parametrize(("channel", "status", "text", "outcome"), [
    (PagerDuty(), 202, '{"status": "success", "dedup_key": "k"}', sent("k")),
    (PagerDuty(), 400, '{"status": "invalid event"}', failed("invalid_event")),
    (PagerDuty(), 202, "<html>", failed("http_202")),
    (Opsgenie(), 202, '{"requestId": "r1"}', sent("r1")),
    (Opsgenie(), 422, '{"message": "no"}', failed("invalid_alert")),
    (Opsgenie(), 200, "[1]", failed("http_200")),
    (Webhook(), 204, "", sent()),
    (Webhook(), 410, "", failed("gone")),
    (SlackWebhook(), 200, "ok", sent()),
    (SlackWebhook(), 200, "<html>", unknown("unreadable_answer")),
    (SlackWebhook(), 400, "invalid_payload", failed("invalid_payload")),
    (SlackWebhook(), 403, "action_prohibited", failed("action_prohibited")),
    (SlackWebhook(), 404, "channel_not_found", failed("channel_not_found")),
    (SlackWebhook(), 404, "no_service", failed("no_service")),
    (SlackWebhook(), 410, "channel_is_archived", failed("channel_is_archived")),
    (SlackWebhook(), 410, "<script>", failed("http_410")),
])  # fmt: skip
def test_what_the_answers_of_each_vendor_mean(channel, status, text, outcome):
    assert channel.outcome(HttpResponse(status, text=text), SETTINGS[channel.name]) == outcome


@pytest.mark.parametrize(("text", "outcome"), [
    ('{"ok": true, "ts": "1.2", "channel": "C1"}', sent("1.2")),
    ('{"ok": false, "error": "is_archived"}', failed("is_archived")),
    ('{"ok": false, "error": "ratelimited"}', retry("rate_limited")),
    ('{"ok": false, "error": "internal_error"}', unknown("internal_error")),
    ('{"ok": false, "error": "a text of theirs"}', failed("rejected")),
    ("nonsense", unknown("unreadable_answer")),
])  # fmt: skip
def test_what_the_answers_to_a_bot_of_slack_mean(text, outcome):
    assert SlackBot().outcome(HttpResponse(200, text=text), {}) == outcome


@settings(max_examples=20)
@example(title="t" * 5000, text="<&" * 10_000, facility="f" * 2000)
@given(title=st.text(min_size=1, max_size=5000), text=st.text(max_size=20_000), facility=st.text(max_size=2000))
def test_no_text_is_longer_than_the_vendor_takes(title, text, facility):
    changes = {"title": title, "text": text, "facility": facility, "facts": {f"f{n}": text for n in range(12)}}
    event = body_of(PagerDuty(), **changes)
    assert len(event["payload"]["summary"]) <= 1024
    message = body_of(Opsgenie(), **changes)
    assert len(message["message"]) <= 130
    assert len(message["description"]) <= 15_000
    assert len(message["entity"]) <= 512
    for block in body_of(SlackWebhook(), **changes)["blocks"]:
        assert len(block.get("text", {}).get("text", "")) <= 3000
        assert len(block.get("fields", [])) <= 10
        assert all(len(field["text"]) <= 2000 for field in block.get("fields", []))


@settings(max_examples=50)
@given(text=st.text(alphabet="<>&a ", max_size=500), most=st.integers(20, 200))
def test_slack_s_markup_is_escaped_within_the_limit(text, most):
    safe = escaped(text, most)

    assert len(safe) <= most
    assert "<" not in safe
    assert ">" not in safe


def test_a_title_cannot_notify_everybody_in_slack():
    assert "<!channel>" not in json.dumps(body_of(SlackWebhook(), title="<!channel> now", text="<!here>"))


def test_slack_shows_buttons_only_if_presses_can_be_verified():
    def buttons(own, **changes):
        blocks = body_of(SlackWebhook(), own, **changes)["blocks"]
        return [each["action_id"] for block in blocks if block["type"] == "actions" for each in block["elements"]]

    assert buttons(SETTINGS["slack"]) == ["iit_acknowledge", "iit_snooze", "iit_resolve"]
    assert buttons(SETTINGS["slack"], act="acknowledge") == ["iit_snooze", "iit_resolve"]
    assert buttons(SETTINGS["slack"], act="resolve") == []
    assert buttons({"webhook_url": "{{secret:webhook_url}}"}) == []


def test_a_secret_is_only_ever_a_mark():
    for channel in CHANNELS:
        (request,) = channel.requests(alert(), SETTINGS[channel.name])
        assert "{{secret:" in f"{request.url}{request.headers}{request.json}{request.signature}" or request.signature


LETTER = {"to": ["ada@example.org", "team@example.org"]}
PHONE = {"phone": "{{secret:phone}}", "gateway": "Twilio"}


@pytest.mark.parametrize(("channel", "valid"), [(Email(), LETTER), (SmsChannel(), {"phone": "+254700000001"})])
def test_letters_and_texts_to_staff_have_a_valid_schema(channel, valid):
    assert isinstance(channel, AlertChannel)
    jsonschema.validate(valid, channel.settings_schema())
    for wrong in ({"to": ["a b@example.org"]}, {"to": []}, {"phone": "0700000001"}, {}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, channel.settings_schema())
    assert channel.outcome(HttpResponse(0, failure="no_connection"), valid) == retry("no_connection")
    assert channel.outcome(HttpResponse(202), valid) == sent()
    assert channel.signature(valid) is None
    assert list(channel.acts(IncomingRequest({}, {}, '{"act": "resolve", "key": "k"}'), valid)) == []


def test_a_letter_says_what_happened_and_a_repetition_does_no_harm():
    (request,) = Email().requests(alert(), LETTER)

    assert request.url == "mailto:ada@example.org,team@example.org"
    assert request.json["subject"] == alert().title
    assert {"Clinic: Kibera", "Severity: high", "Rule: On a list"} <= set(request.json["text"].splitlines())
    assert request.json["text"].endswith(alert().url)
    assert request.repeatable
    (resolved,) = Email().requests(alert(act="resolve"), LETTER)
    assert resolved.json["subject"].startswith("Resolved: ")
    assert alert().text not in resolved.json["text"]
    assert Email().requests(alert(act="resolve"), {**LETTER, "only_new": True}) == []


@pytest.mark.parametrize("url", ["https://iit.example.org/a/1", "https://iit.example.org/" + "a" * 200])
def test_an_sms_to_staff_fits_into_one_message(url):
    (request,) = SmsChannel().requests(alert(title="t" * 500, url=url), PHONE)

    text = request.json["text"]
    assert (request.url, request.json["gateway"]) == ("sms:{{secret:phone}}", "Twilio")
    assert len(text) <= 160
    assert text.isascii()
    assert (url in text) == (len(url) < 100)
    assert not request.repeatable


def test_an_sms_says_what_is_resolved_only_if_that_is_wanted():
    assert SmsChannel().requests(alert(act="acknowledge"), PHONE) == []
    assert SmsChannel().requests(alert(act="resolve"), PHONE) == []
    (request,) = SmsChannel().requests(alert(act="resolve"), {**PHONE, "resolved": True})
    assert request.json["text"].startswith("Resolved: ")


PRESS = {"type": "block_actions", "user": {"id": "U1"}, "actions": [{"action_id": "iit_snooze", "value": "k"}]}
PAGE = {
    "event_type": "incident.resolved",
    "agent": {"id": "P1", "type": "user_reference"},
    "data": {"incident_key": "k"},
}
REOPENED = {**PAGE, "event_type": "incident.reopened"}
CLOSE = {"action": "Close", "alert": {"alias": "k", "username": "ada"}, "source": {"type": "web"}}


@pytest.mark.parametrize(("channel", "text", "acts"), [
    (SlackWebhook(), urlencode({"payload": json.dumps(PRESS)}), [ChannelAct("snooze", "k", "U1")]),
    (SlackWebhook(), urlencode({"payload": json.dumps({**PRESS, "type": "view_submission"})}), []),
    (SlackWebhook(), urlencode({"payload": json.dumps(PRESS).replace("snooze", "open")}), []),
    (PagerDuty(), json.dumps({"event": PAGE}), [ChannelAct("resolve", "k", "P1")]),
    (PagerDuty(), json.dumps({"event": REOPENED}), [ChannelAct("reopen", "k", "P1")]),
    (PagerDuty(), json.dumps({"event": {**PAGE, "event_type": "pagey.ping"}}), []),
    (PagerDuty(), json.dumps({"event": {**PAGE, "agent": {"id": "I", "type": "integration_reference"}}}), []),
    (PagerDuty(), json.dumps({"event": {**PAGE, "agent": None}}), []),
    (Opsgenie(), json.dumps(CLOSE), [ChannelAct("resolve", "k", "ada")]),
    (JiraServiceManagement(), json.dumps({**CLOSE, "action": "Acknowledge"}), [ChannelAct("acknowledge", "k", "ada")]),
    (Opsgenie(), json.dumps({**CLOSE, "source": {"type": "API"}}), []),
    (Opsgenie(), json.dumps({**CLOSE, "action": "AddNote"}), []),
    (Webhook(), '{"act": "snooze", "key": "k", "who": "ada", "minutes": 60}', [ChannelAct("snooze", "k", "ada", 60)]),
    (Webhook(), '{"act": "snooze", "key": "k", "minutes": -1}', [ChannelAct("snooze", "k")]),
    (Webhook(), '{"act": "delete", "key": "k"}', []),
])  # fmt: skip
def test_what_people_did_in_the_channel(channel, text, acts):
    assert list(channel.acts(IncomingRequest({}, {}, text), SETTINGS[channel.name])) == acts


@pytest.mark.parametrize(("channel", "text"), [
    (SlackWebhook(), urlencode({"payload": json.dumps(PRESS)})),
    (PagerDuty(), json.dumps({"event": PAGE})),
])  # fmt: skip
def test_what_nobody_signed_is_no_act(channel, text):
    unsigned = {name: value for name, value in SETTINGS[channel.name].items() if name[-6:] != "secret"}

    assert channel.signature(unsigned) is None
    assert list(channel.acts(IncomingRequest({}, {}, text), unsigned)) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([
        "event", "alert", "actions", "user", "agent", "data", "action", "source", "type", "event_type", "act", "key",
        "status", "requestId", "ok", "error",
    ]), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=40)
@given(value=JSON, status=st.sampled_from([200, 202, 400, 418]))
def test_garbage_is_an_outcome_and_no_act(value, status):
    text = json.dumps(value)
    for channel in CHANNELS:
        assert channel.outcome(HttpResponse(status, text=text), SETTINGS[channel.name]).state
        for body in (text, quote(text), urlencode({"payload": text})):
            assert all(act.key for act in channel.acts(IncomingRequest({}, {}, body), SETTINGS[channel.name]))


@pytest.fixture(params=VENDORS, ids=IDS)
def pair(request):
    channel, make = request.param
    with make() as vendor:
        yield channel, vendor


def tell(channel, vendor, own=None, timeout=5.0, **changes):
    shown, secrets = marked(channel, own or vendor.settings)
    outcome = sent()
    for request in channel.requests(alert(**changes), shown):
        outcome = channel.outcome(perform(request, secrets, timeout=timeout), shown)
        if outcome.state != "sent":
            break
    return outcome


def test_a_vendor_takes_what_a_channel_sends(pair):
    for changes in ({}, {"act": "acknowledge"}, {"act": "resolve"}, {"text": "", "facility": "", "facts": {}}):
        assert tell(*pair, **changes).state == "sent"


def test_a_vendor_that_limits_fails_or_hangs(pair):
    channel, vendor = pair
    vendor.limit(7)
    vendor.fail(503)
    vendor.drop()
    vendor.hang()
    unclear = "unknown" if channel.name == "slack" else "retry"

    assert tell(*pair) == retry("rate_limited", timedelta(seconds=7))
    assert tell(*pair).state == unclear
    assert tell(*pair).state == unclear
    assert tell(*pair, timeout=0.05).state == unclear
    vendor.babble()
    assert tell(*pair).state in {"unknown", "failed"}
    vendor.close()
    assert tell(*pair) == retry("no_connection")


def test_pagerduty_opens_one_incident_and_closes_it():
    with pagerduty.PagerDuty() as vendor:
        vendor.fail(500, takes_effect=True)
        outcomes = [tell(PagerDuty(), vendor, act=act).state for act in ("trigger", "trigger", "acknowledge")]

        assert outcomes == ["retry", "sent", "sent"]
        assert vendor.incidents == {alert().key: "acknowledged"}
        tell(PagerDuty(), vendor, act="resolve")
        assert vendor.incidents == {alert().key: "resolved"}
        assert vendor.triggers == {alert().key: 1}
        assert tell(PagerDuty(), vendor, {**vendor.settings, "routing_key": "x" * 32}) == failed("invalid_event")


@pytest.mark.parametrize("pair", VENDORS[1:3], ids=IDS[1:3], indirect=True)
def test_opsgenie_and_its_successor_open_one_alert_and_close_it(pair):
    channel, vendor = pair
    vendor.fail(500, takes_effect=True)
    tell(*pair)
    tell(*pair)
    assert (vendor.alerts, vendor.created) == ({alert().key: "open"}, {alert().key: 1})
    tell(*pair, act="acknowledge")
    assert vendor.alerts == {alert().key: "acknowledged"}
    tell(*pair, act="resolve")
    assert vendor.alerts == {alert().key: "closed"}
    assert tell(channel, vendor, {**vendor.settings, "api_key": "x" * 36}) == failed("credentials_rejected")


def test_slack_says_by_a_webhook_and_by_a_bot_what_became_of_an_alert():
    with slack.Slack() as vendor:
        assert tell(SlackWebhook(), vendor) == sent()
        first = tell(SlackBot(), vendor, vendor.bot_settings)
        assert tell(SlackBot(), vendor, vendor.bot_settings, act="resolve", reference=first.reference).state == "sent"
        assert vendor.messages[2]["thread_ts"] == first.reference
        assert "Resolved" in vendor.messages[2]["text"]
        assert "Resolved" in vendor.messages[1]["text"]
        assert tell(SlackBot(), vendor, vendor.bot_settings, act="resolve", reference="1.1").state == "sent"
        vendor.error = "channel_is_archived"
        assert tell(SlackWebhook(), vendor) == failed("channel_is_archived")
        wrong = {**vendor.bot_settings, "bot_token": "xoxb-wrong"}
        assert tell(SlackBot(), vendor, wrong) == failed("invalid_auth")
