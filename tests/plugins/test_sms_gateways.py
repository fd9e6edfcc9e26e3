"""The first-party SMS gateways: their tables, and against the vendors' stand-ins."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.africastalking import AfricasTalking
from plugins.kannel import Kannel
from plugins.sdk import (
    DeliveryReport,
    HttpResponse,
    IncomingRequest,
    IncomingSms,
    Sms,
    SmsGateway,
    failed,
    retry,
    secret,
    sent,
    unknown,
)
from plugins.termii import Termii
from plugins.twilio import Twilio
from tests.plugins.performing import marked, perform
from tests.vendors import africastalking, kannel, termii, twilio

PAIRS = [
    (AfricasTalking(), africastalking.AfricasTalking),
    (Twilio(), twilio.Twilio),
    (Termii(), termii.Termii),
    (Kannel(), kannel.Kannel),
]
GATEWAYS = [gateway for gateway, _ in PAIRS]
IDS = [gateway.name for gateway in GATEWAYS]
SETTINGS = {
    "africastalking": {"username": "u", "api_key": secret("api_key")},
    "twilio": {"account_sid": "AC" + "0" * 32, "auth_token": secret("auth_token"), "sender": "+15005550006"},
    "termii": {"api_key": secret("api_key"), "secret_key": secret("secret_key"), "sender": "IIT"},
    "kannel": {"address": "https://sms.example.org/cgi-bin/sendsms", "username": "u", "password": secret("password")},
}
PHONE, TEXT = "+254700000001", "Please call us: 0700 000 002"
REPORTS = "https://iit.example.org/v1/hooks/t/i"


def sms(**changes):
    fields = {"id": "m 1", "to": secret("to"), "text": secret("text"), "unicode": False, "segments": 1, "sender": ""}
    return Sms(**{**fields, "report_url": REPORTS, **changes})


@pytest.mark.parametrize(("gateway", "make"), PAIRS, ids=IDS)
def test_a_gateway_has_a_valid_schema_which_the_stand_in_s_settings_fit(gateway, make):
    schema = gateway.settings_schema()

    assert isinstance(gateway, SmsGateway)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert any(field.get("writeOnly") for field in schema["properties"].values())
    with make() as vendor:
        jsonschema.validate(vendor.settings, schema)


@pytest.mark.parametrize("gateway", GATEWAYS, ids=IDS)
def test_a_request_is_never_repeatable_and_names_phone_and_text_by_marks(gateway):
    request = gateway.request(sms(), SETTINGS[gateway.name])

    assert not request.repeatable
    parts = f"{request.headers}{request.form}{request.json}{request.text}"
    assert secret("text") in parts
    assert secret("to") in parts or secret("to_digits") in parts
    assert secret("to") not in request.url


@pytest.mark.parametrize("gateway", GATEWAYS, ids=IDS)
@pytest.mark.parametrize(("response", "outcome"), [
    (HttpResponse(0, failure="no_connection"), retry("no_connection")),
    (HttpResponse(0, failure="timeout"), unknown("timeout")),
    (HttpResponse(0, failure="bad_answer"), unknown("bad_answer")),
    (HttpResponse(500), unknown("server_error")),
    (HttpResponse(503, {"retry-after": "9"}), unknown("server_error")),
    (HttpResponse(429, {"retry-after": "9"}), retry("rate_limited", timedelta(seconds=9))),
    (HttpResponse(401), failed("credentials_rejected")),
    (HttpResponse(301), failed("redirected")),
    (HttpResponse(200, text="<html>"), unknown("unreadable_answer")),
    (HttpResponse(404), failed("http_404")),
])  # fmt: skip
def test_what_answers_mean_for_every_gateway(gateway, response, outcome):
    assert gateway.outcome(response, SETTINGS[gateway.name]) == outcome


def recipient(code, **more):
    data = {"Message": "Sent", "Recipients": [{"statusCode": code, "messageId": "ATX1", "cost": "KES 0.8000", **more}]}
    return json.dumps({"SMSMessageData": data})


@pytest.mark.parametrize(("text", "outcome"), [
    *((recipient(code), sent("ATX1", cost="0.8000", currency="KES")) for code in (100, 101, 102)),
    *((recipient(code), failed(reason)) for code, reason in [
        (401, "risk_hold"), (402, "invalid_sender"), (403, "invalid_number"), (404, "unsupported_number"),
        (405, "insufficient_balance"), (406, "unsubscribed"), (407, "no_route"), (409, "do_not_disturb"),
        (500, "gateway_error"), (501, "gateway_error"), (502, "rejected_by_network"), (599, "status_599"),
    ]),
    (recipient(101, cost="0"), sent("ATX1")),
    (recipient("x"), unknown("unreadable_answer")),
    ('{"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}}', failed("InvalidSenderId")),
    ('{"SMSMessageData": {"Message": "call +254700000001", "Recipients": []}}', failed("rejected")),
])  # fmt: skip
def test_what_africa_s_talking_says_of_one_phone(text, outcome):
    assert AfricasTalking().outcome(HttpResponse(201, text=text), SETTINGS["africastalking"]) == outcome


@pytest.mark.parametrize(("gateway", "status", "text", "outcome"), [
    (Twilio(), 201, '{"sid": "SM1", "status": "queued"}', sent("SM1")),
    (Twilio(), 400, '{"code": 21610}', failed("unsubscribed")),
    (Twilio(), 400, '{"code": 21211}', failed("invalid_number")),
    (Twilio(), 403, '{"code": 21408}', failed("country_not_enabled")),
    (Twilio(), 400, '{"code": 99999}', failed("twilio_99999")),
    (Twilio(), 400, '{"code": "+254700000001"}', failed("http_400")),
    (Twilio(), 400, '{"code": 20429}', retry("rate_limited")),
    (Termii(), 200, '{"code": "ok", "message_id": "7"}', sent("7")),
    (Termii(), 200, '{"code": "error"}', failed("rejected")),
    (Termii(), 400, '{"message": "Insufficient balance"}', failed("insufficient_balance")),
    (Termii(), 402, "", failed("insufficient_balance")),
    (Termii(), 404, '{"message": "Invalid Sender Id"}', failed("invalid_sender")),
    (Termii(), 400, '{"message": "Invalid phone number"}', failed("invalid_number")),
    (Kannel(), 202, "0: Accepted for delivery", sent()),
    (Kannel(), 202, "3: Queued for later delivery", sent()),
    (Kannel(), 403, "Authorization failed for sendsms", failed("credentials_rejected")),
    (Kannel(), 403, "Not routable. Do not try again.", failed("no_route")),
    (Kannel(), 503, "Temporal failure, try again later.", retry("temporary_failure")),
    (Kannel(), 400, "Missing receiver number, rejected", failed("invalid_message")),
])  # fmt: skip
def test_what_the_answers_of_each_gateway_mean(gateway, status, text, outcome):
    assert gateway.outcome(HttpResponse(status, text=text), SETTINGS[gateway.name]) == outcome


def incoming(form=None, query=None, body=None):
    return IncomingRequest({}, query or {}, body if body is not None else urlencode(form or {}))


OUT = {"type": "outbound", "message_id": "7", "status": "DELIVERED | Message delivered to handset", "cost": "3.9"}


@pytest.mark.parametrize(("gateway", "request_", "reports"), [
    (AfricasTalking(), incoming({"id": "A", "status": "Success"}), [DeliveryReport("delivered", "A")]),
    (AfricasTalking(), incoming({"id": "A", "status": "Buffered"}), [DeliveryReport("pending", "A")]),
    (AfricasTalking(), incoming({"id": "A", "status": "Failed", "failureReason": "UserInBlackList"}),
     [DeliveryReport("failed", "A", reason="UserInBlackList")]),
    (AfricasTalking(), incoming({"id": "A", "status": "New"}), []),
    (Twilio(), incoming({"MessageSid": "S", "MessageStatus": "delivered"}, {"message_id": "m"}),
     [DeliveryReport("delivered", "S", "m")]),
    (Twilio(), incoming({"MessageSid": "S", "MessageStatus": "undelivered", "ErrorCode": "30005"}),
     [DeliveryReport("failed", "S", reason="unknown_number")]),
    (Twilio(), incoming({"MessageSid": "S", "Body": "1", "From": PHONE, "SmsStatus": "received"}), []),
    (Termii(), incoming(body=json.dumps(OUT)), [DeliveryReport("delivered", "7", cost="3.9", currency="NGN")]),
    (Termii(), incoming(body=json.dumps({**OUT, "status": "DND Active on Phone Number", "cost": ""})),
     [DeliveryReport("failed", "7", reason="do_not_disturb")]),
    (Termii(), incoming(body=json.dumps({**OUT, "status": "Message Failed", "cost": ""})),
     [DeliveryReport("failed", "7", reason="failed")]),
    (Termii(), incoming(body=json.dumps({**OUT, "type": "inbound"})), []),
    (Kannel(), incoming(query={"type": "1", "message_id": "m"}), [DeliveryReport("delivered", message_id="m")]),
    (Kannel(), incoming(query={"type": "16", "message_id": "m"}),
     [DeliveryReport("failed", message_id="m", reason="rejected")]),
    (Kannel(), incoming(query={"type": "1"}), []),
])  # fmt: skip
def test_what_delivery_reports_say(gateway, request_, reports):
    assert list(gateway.reports(request_, SETTINGS[gateway.name])) == reports


IN = {"type": "inbound", "message_id": "8", "sender": "254700000001", "message": "1"}


@pytest.mark.parametrize(("gateway", "request_", "messages"), [
    (AfricasTalking(), incoming({"from": PHONE, "text": "1", "id": "r"}), [IncomingSms(PHONE, "1", "r")]),
    (AfricasTalking(), incoming({"senderId": "IIT", "phoneNumber": PHONE}), [IncomingSms(PHONE, "STOP", "")]),
    (AfricasTalking(), incoming({"id": "A", "status": "Success", "phoneNumber": PHONE}), []),
    (Twilio(), incoming({"MessageSid": "S", "Body": "STOP", "From": PHONE}), [IncomingSms(PHONE, "STOP", "S")]),
    (Twilio(), incoming({"MessageSid": "S", "MessageStatus": "sent"}), []),
    (Termii(), incoming(body=json.dumps(IN)), [IncomingSms("254700000001", "1", "8")]),
    (Termii(), incoming(body=json.dumps(OUT)), []),
    (Kannel(), incoming(query={"from": PHONE, "text": "", "id": "r"}), [IncomingSms(PHONE, "", "r")]),
    (Kannel(), incoming(query={"type": "1", "message_id": "m"}), []),
])  # fmt: skip
def test_what_people_sent(gateway, request_, messages):
    assert list(gateway.received(request_, SETTINGS[gateway.name])) == messages


@settings(max_examples=40)
@given(text=st.text(max_size=200) | st.binary(max_size=50).map(repr), status=st.sampled_from([200, 201, 202, 400, 418]))
def test_garbage_is_an_outcome_and_no_report(text, status):
    for gateway in GATEWAYS:
        own = SETTINGS[gateway.name]
        assert gateway.outcome(HttpResponse(status, text=text), own).state in {"failed", "unknown"}
        gateway.status(HttpResponse(status, text=text), own)
        for body in (text, quote(text), json.dumps({"type": text, "status": text, "message_id": [text]})):
            assert list(gateway.reports(incoming(body=body), own)) == []
            assert list(gateway.received(incoming(body=body), own)) == []


@pytest.fixture(params=PAIRS, ids=IDS)
def pair(request):
    gateway, make = request.param
    with make() as vendor:
        yield gateway, vendor


def send(gateway, vendor, timeout=5.0, phone=PHONE, **changes):
    shown, secrets = marked(gateway, vendor.settings)
    phones = {"to": phone, "to_digits": phone.removeprefix("+"), "text": TEXT}
    return gateway.outcome(perform(gateway.request(sms(**changes), shown), secrets | phones, timeout=timeout), shown)


def test_a_gateway_takes_a_message(pair):
    gateway, vendor = pair

    outcome = send(gateway, vendor)

    assert outcome.state == "sent"
    assert bool(outcome.reference) == (gateway.name != "kannel")
    assert len(vendor.messages) == 1
    assert send(gateway, vendor, unicode=True, report_url="", sender="+15005550009").state == "sent"
    assert TEXT in str(vendor.messages)


def test_a_gateway_that_limits_fails_or_hangs(pair):
    gateway, vendor = pair
    vendor.limit(7)
    vendor.fail(500, takes_effect=True)
    vendor.drop(takes_effect=True)
    vendor.hang()

    assert send(gateway, vendor) == retry("rate_limited", timedelta(seconds=7))
    assert send(gateway, vendor) == unknown("server_error")
    assert send(gateway, vendor) == unknown("bad_answer")
    assert send(gateway, vendor, timeout=0.05) == unknown("timeout")
    vendor.babble()
    assert send(gateway, vendor) == unknown("unreadable_answer")
    assert len(vendor.messages) == 4, "each may have reached the phone: so none is sent again"
    vendor.close()
    assert send(gateway, vendor) == retry("no_connection")


def test_twilio_says_who_cannot_be_reached_and_what_became_of_a_message():
    with twilio.Twilio() as vendor:
        vendor.unsubscribed.add(PHONE)
        assert send(Twilio(), vendor) == failed("unsubscribed")
        vendor.unsubscribed.clear()
        reference = send(Twilio(), vendor).reference
        shown, secrets = marked(Twilio(), vendor.settings)
        request = Twilio().status_request(reference, shown)
        assert Twilio().status(perform(request, secrets), shown) == DeliveryReport("pending", reference)
        callback = urlsplit(vendor.messages[reference]["form"]["StatusCallback"])
        assert dict(parse_qsl(callback.query)) == {"message_id": "m 1"}
        vendor.messages[reference] |= {"status": "delivered", "price": "-0.00750"}
        report = DeliveryReport("delivered", reference, cost="0.00750", currency="USD")
        assert Twilio().status(perform(request, secrets), shown) == report


def test_termii_is_asked_what_became_of_a_message():
    with termii.Termii() as vendor:
        reference = send(Termii(), vendor).reference
        shown, secrets = marked(Termii(), vendor.settings)
        request = Termii().status_request(reference, shown)
        assert Termii().status(perform(request, secrets), shown) == DeliveryReport("pending", reference)
        vendor.messages[reference]["status"] = "Delivered"
        assert Termii().status(perform(request, secrets), shown) == DeliveryReport("delivered", reference)
        vendor.has_balance = False
        assert send(Termii(), vendor) == failed("insufficient_balance")


def test_africa_s_talking_says_the_cost_and_refuses_one_phone():
    with africastalking.AfricasTalking() as vendor:
        vendor.codes["+254700000009"] = 406
        assert send(AfricasTalking(), vendor).cost == "0.8000"
        assert send(AfricasTalking(), vendor, phone="+254700000009") == failed("unsubscribed")
        assert send(AfricasTalking(), vendor, sender="Forbidden") == failed("InvalidSenderId")


def test_kannel_is_tried_again_only_if_it_says_that_it_took_nothing():
    with kannel.Kannel() as vendor:
        vendor.is_connected = False
        assert send(Kannel(), vendor) == retry("temporary_failure")
        assert not vendor.messages
        vendor.is_connected = True
        assert send(Kannel(), vendor) == sent()
        headers, text = vendor.messages[0]
        assert (headers["x-kannel-to"], headers["x-kannel-dlr-mask"], text) == (PHONE, "19", TEXT)
        assert headers["x-kannel-dlr-url"] == f"{REPORTS}?message_id=m%201&type=%d&reference=%I"
