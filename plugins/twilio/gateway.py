"""Twilio's Messages API, its status callbacks and its incoming messages.

Twilio recognizes no repetition. A message whose end nobody knows is reconciled by its status callback, whose address
contains our id. https://www.twilio.com/docs/messaging/api/message-resource,
https://www.twilio.com/docs/usage/security
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal
from urllib.parse import quote

from plugins.sdk import (
    DeliveryReport,
    HttpRequest,
    HttpResponse,
    IncomingRequest,
    IncomingSms,
    Json,
    Outcome,
    Signature,
    Sms,
    common_outcome,
    failed,
    form_fields,
    json_object,
    retry,
    secret,
    sent,
    text_of,
    unknown,
)

ADDRESS = "https://api.twilio.com"
ERRORS: Mapping[str, str] = {
    "20003": "credentials_rejected",
    "21211": "invalid_number",
    "21265": "invalid_number",
    "21408": "country_not_enabled",
    "21602": "text_missing",
    "21606": "invalid_sender",
    "21608": "trial_account",
    "21610": "unsubscribed",
    "21612": "invalid_sender",
    "21614": "invalid_number",
    "21617": "text_too_long",
    "30003": "unreachable",
    "30004": "blocked",
    "30005": "unknown_number",
    "30006": "landline",
    "30007": "filtered",
}
STATES: Mapping[str, Literal["delivered", "failed", "pending"]] = {
    "accepted": "pending",
    "scheduled": "pending",
    "queued": "pending",
    "sending": "pending",
    "sent": "pending",
    "delivered": "delivered",
    "read": "delivered",
    "undelivered": "failed",
    "failed": "failed",
    "canceled": "failed",
}


@dataclass(frozen=True, slots=True)
class Twilio:
    """Twilio."""

    name: str = "twilio"
    title: str = "Twilio"
    version: str = "1.0.0"
    per_minute: int = 600

    def settings_schema(self) -> Mapping[str, Json]:
        """JSON Schema of the settings."""
        return {
            "type": "object",
            "required": ["account_sid", "auth_token"],
            "additionalProperties": False,
            "properties": {
                "account_sid": {"type": "string", "title": "Account SID", "pattern": "^AC[0-9a-f]{32}$"},
                "auth_token": {
                    "type": "string",
                    "title": "Auth token",
                    "description": "Also verifies what Twilio sends back.",
                    "minLength": 16,
                    "writeOnly": True,
                },
                "sender": {
                    "type": "string",
                    "title": "Sender",
                    "description": "A number of yours in international form, a sender ID, or the SID of a messaging "
                    "service.",
                    "maxLength": 34,
                },
                "address": {"type": "string", "title": "Address", "format": "uri", "default": ADDRESS},
            },
        }

    def request(self, sms: Sms, settings: Mapping[str, Json]) -> HttpRequest:
        """Return the request that sends the message."""
        sender = sms.sender or str(settings.get("sender", ""))
        form = {"To": sms.to, "Body": sms.text}
        form["MessagingServiceSid" if sender.startswith("MG") else "From"] = sender
        if sms.report_url:
            mark = "&" if "?" in sms.report_url else "?"
            form["StatusCallback"] = f"{sms.report_url}{mark}message_id={quote(sms.id, safe='')}"
        return HttpRequest("POST", _messages(settings) + ".json", form=form, auth=_auth(settings), repeatable=False)

    def outcome(self, response: HttpResponse, settings: Mapping[str, Json]) -> Outcome:  # noqa: ARG002 - the same for all
        """201 is accepted, with the message's SID. An error has a code."""
        answer = json_object(response.text)
        code = text_of(answer.get("code"))
        if response.status == HTTPStatus.FORBIDDEN and code in ERRORS:
            return failed(ERRORS[code])
        if (known := common_outcome(response, repeatable=False)) is not None:
            return known
        if response.status in {HTTPStatus.OK, HTTPStatus.CREATED}:
            reference = text_of(answer.get("sid"))
            return sent(reference) if reference else unknown("unreadable_answer")
        if code == "20429":
            return retry("rate_limited")
        return failed(ERRORS.get(code, f"twilio_{code}" if code.isdigit() else f"http_{response.status}"))

    def status_request(self, reference: str, settings: Mapping[str, Json]) -> HttpRequest | None:
        """Return the request that reads the message."""
        return HttpRequest("GET", f"{_messages(settings)}/{quote(reference, safe='')}.json", auth=_auth(settings))

    def status(self, response: HttpResponse, settings: Mapping[str, Json]) -> DeliveryReport | None:  # noqa: ARG002
        """Return the message's state and price."""
        answer = json_object(response.text)
        state = STATES.get(text_of(answer.get("status")))
        if response.status != HTTPStatus.OK or state is None:
            return None
        cost = text_of(answer.get("price")).removeprefix("-")
        return DeliveryReport(
            state,
            reference=text_of(answer.get("sid")),
            reason=_reason(text_of(answer.get("error_code"))),
            cost=cost,
            currency=text_of(answer.get("price_unit")) if cost else "",
        )

    def signature(self, settings: Mapping[str, Json]) -> Signature | None:  # noqa: ARG002 - the same for all
        """``x-twilio-signature``: over the address and the sorted fields of the form."""
        return Signature("auth_token", "x-twilio-signature", text="{url}{form}", algorithm="sha1", encoding="base64")

    def reports(self, request: IncomingRequest, settings: Mapping[str, Json]) -> Sequence[DeliveryReport]:  # noqa: ARG002
        """Return the report of a status callback."""
        form = form_fields(request.text)
        state, reference = STATES.get(form.get("MessageStatus", "")), form.get("MessageSid", "")
        if state is None or not reference:
            return []
        message_id = request.query.get("message_id", "")
        return [DeliveryReport(state, reference, message_id, _reason(form.get("ErrorCode", "")))]

    def received(self, request: IncomingRequest, settings: Mapping[str, Json]) -> Sequence[IncomingSms]:  # noqa: ARG002
        """Return the message of a person. A status callback has no ``Body``."""
        form = form_fields(request.text)
        if "Body" not in form or "MessageSid" not in form or form.get("SmsStatus", "received") != "received":
            return []
        return [IncomingSms(form.get("From", ""), form["Body"], form["MessageSid"])]


def _messages(settings: Mapping[str, Json]) -> str:
    address = str(settings.get("address", ADDRESS)).rstrip("/")
    return f"{address}/2010-04-01/Accounts/{settings['account_sid']}/Messages"


def _auth(settings: Mapping[str, Json]) -> tuple[str, str]:
    return str(settings["account_sid"]), secret("auth_token")


def _reason(code: str) -> str:
    return ERRORS.get(code, f"twilio_{code}") if code.isdigit() and code != "0" else ""
