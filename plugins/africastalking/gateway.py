"""Africa's Talking: bulk messages, delivery reports, incoming messages and opt-outs.

It recognizes no repetition, signs nothing, and takes the addresses of reports only on its dashboard.
https://developers.africastalking.com/docs/sms/sending/bulk, https://developers.africastalking.com/docs/sms/notifications
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

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
    secret,
    sent,
    text_of,
    unknown,
)

ADDRESS = "https://api.africastalking.com"
ACCEPTED = frozenset({100, 101, 102})
REASONS: Mapping[int, str] = {
    401: "risk_hold",
    402: "invalid_sender",
    403: "invalid_number",
    404: "unsupported_number",
    405: "insufficient_balance",
    406: "unsubscribed",
    407: "no_route",
    409: "do_not_disturb",
    500: "gateway_error",
    501: "gateway_error",
    502: "rejected_by_network",
}
STATES: Mapping[str, Literal["delivered", "failed", "pending"]] = {
    "Sent": "pending",
    "Submitted": "pending",
    "Buffered": "pending",
    "Success": "delivered",
    "Rejected": "failed",
    "Failed": "failed",
    "AbsentSubscriber": "failed",
    "Expired": "failed",
}
_COST = re.compile(r"([A-Z]{3}) ([0-9]+(?:\.[0-9]+)?)")
_CODE = re.compile(r"[A-Za-z]{1,60}")


@dataclass(frozen=True, slots=True)
class AfricasTalking:
    """Africa's Talking."""

    name: str = "africastalking"
    title: str = "Africa's Talking"
    version: str = "1.0.0"
    per_minute: int = 300

    def settings_schema(self) -> Mapping[str, Json]:
        """JSON Schema of the settings."""
        return {
            "type": "object",
            "required": ["username", "api_key"],
            "additionalProperties": False,
            "properties": {
                "username": {"type": "string", "title": "User name of the app", "minLength": 1, "maxLength": 100},
                "api_key": {"type": "string", "title": "API key", "minLength": 16, "writeOnly": True},
                "sender": {
                    "type": "string",
                    "title": "Sender",
                    "description": "Your short code or alphanumeric sender ID. Without it, a shared one is used.",
                    "maxLength": 11,
                },
                "address": {
                    "type": "string",
                    "title": "Address",
                    "description": "https://api.sandbox.africastalking.com for the sandbox.",
                    "format": "uri",
                    "default": ADDRESS,
                },
            },
        }

    def request(self, sms: Sms, settings: Mapping[str, Json]) -> HttpRequest:
        """Return the request that sends the message to one phone."""
        form = {"username": str(settings["username"]), "to": sms.to, "message": sms.text}
        if sender := sms.sender or str(settings.get("sender", "")):
            form["from"] = sender
        url = str(settings.get("address", ADDRESS)).rstrip("/") + "/version1/messaging"
        headers = {"apiKey": secret("api_key"), "Accept": "application/json"}
        return HttpRequest("POST", url, headers, form=form, repeatable=False)

    def outcome(self, response: HttpResponse, settings: Mapping[str, Json]) -> Outcome:  # noqa: ARG002 - the same for all
        """201 says what became of each phone; an answer without phones says why in a word."""
        if (known := common_outcome(response, repeatable=False)) is not None:
            return known
        if response.status not in {HTTPStatus.OK, HTTPStatus.CREATED}:
            return failed(f"http_{response.status}")
        data = json_object(response.text).get("SMSMessageData")
        recipients = data.get("Recipients") if isinstance(data, dict) else None
        if not isinstance(data, dict) or not isinstance(recipients, list):
            return unknown("unreadable_answer")
        if not recipients or not isinstance(recipients[0], dict):
            word = text_of(data.get("Message"))
            return failed(word if _CODE.fullmatch(word) else "rejected")
        return _recipient_outcome(recipients[0])

    def status_request(self, reference: str, settings: Mapping[str, Json]) -> HttpRequest | None:  # noqa: ARG002
        """None: it cannot be asked about one message."""
        return None

    def status(self, response: HttpResponse, settings: Mapping[str, Json]) -> DeliveryReport | None:  # noqa: ARG002
        """None, for nothing is asked."""
        return None

    def signature(self, settings: Mapping[str, Json]) -> Signature | None:  # noqa: ARG002
        """None: its requests are not signed. Their address is the secret."""
        return None

    def reports(self, request: IncomingRequest, settings: Mapping[str, Json]) -> Sequence[DeliveryReport]:  # noqa: ARG002
        """Return the delivery report, which has ``status``."""
        form = form_fields(request.text)
        state, reference = STATES.get(form.get("status", "")), form.get("id", "")
        if state is None or not reference:
            return []
        reason = form.get("failureReason", "") if state == "failed" else ""
        return [DeliveryReport(state, reference, reason=reason if _CODE.fullmatch(reason) else "")]

    def received(self, request: IncomingRequest, settings: Mapping[str, Json]) -> Sequence[IncomingSms]:  # noqa: ARG002
        """Return the message of a person; an opt-out of the network becomes the message STOP."""
        form = form_fields(request.text)
        if "from" in form and "text" in form:
            return [IncomingSms(form["from"], form["text"], form.get("id", ""))]
        if "senderId" in form and "phoneNumber" in form:
            return [IncomingSms(form["phoneNumber"], "STOP", "")]
        return []


def _recipient_outcome(recipient: Mapping[str, Json]) -> Outcome:
    code = recipient.get("statusCode")
    if not isinstance(code, int):
        return unknown("unreadable_answer")
    if code in ACCEPTED:
        currency, cost = _cost(text_of(recipient.get("cost")))
        return sent(text_of(recipient.get("messageId")), cost=cost, currency=currency)
    return failed(REASONS.get(code, f"status_{code}"))


def _cost(text: str) -> tuple[str, str]:
    """The currency and the amount of such a text as ``KES 0.8000``; two empty texts if it says no cost."""
    match = _COST.fullmatch(text)
    return (match[1], match[2]) if match else ("", "")
