"""Termii: messages, delivery reports and incoming messages.

It recognizes no repetition. https://developer.termii.com/messaging-api, https://developer.termii.com/events-and-reports
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
    json_object,
    secret,
    sent,
    text_of,
    unknown,
)

ADDRESS = "https://v3.api.termii.com"


@dataclass(frozen=True, slots=True)
class Termii:
    """Termii."""

    name: str = "termii"
    title: str = "Termii"
    version: str = "1.0.0"
    per_minute: int = 120

    def settings_schema(self) -> Mapping[str, Json]:
        """JSON Schema of the settings."""
        return {
            "type": "object",
            "required": ["api_key", "sender"],
            "additionalProperties": False,
            "properties": {
                "api_key": {"type": "string", "title": "API key", "minLength": 16, "writeOnly": True},
                "secret_key": {
                    "type": "string",
                    "title": "Secret key",
                    "description": "Verifies delivery reports and answers.",
                    "minLength": 16,
                    "writeOnly": True,
                },
                "sender": {
                    "type": "string",
                    "title": "Sender ID",
                    "description": "3 to 11 letters and digits, approved by Termii.",
                    "minLength": 3,
                    "maxLength": 11,
                },
                "channel": {
                    "type": "string",
                    "title": "Route",
                    "description": "dnd also reaches people who have do-not-disturb switched on.",
                    "enum": ["dnd", "generic"],
                    "default": "dnd",
                },
                "address": {
                    "type": "string",
                    "title": "Address",
                    "description": "The base address on your dashboard.",
                    "format": "uri",
                    "default": ADDRESS,
                },
            },
        }

    def request(self, sms: Sms, settings: Mapping[str, Json]) -> HttpRequest:
        """Return the request that sends the message. Termii wants numbers without the plus sign."""
        body = {
            "api_key": secret("api_key"),
            "to": secret("to_digits"),
            "from": sms.sender or settings["sender"],
            "sms": sms.text,
            "type": "unicode" if sms.unicode else "plain",
            "channel": settings.get("channel", "dnd"),
        }
        return HttpRequest("POST", f"{_address(settings)}/api/sms/send", json=body, repeatable=False)

    def outcome(self, response: HttpResponse, settings: Mapping[str, Json]) -> Outcome:  # noqa: ARG002 - the same for all
        """``"code": "ok"`` is accepted, with the message's id."""
        if (known := common_outcome(response, repeatable=False)) is not None:
            return known
        answer = json_object(response.text)
        if response.status in {HTTPStatus.OK, HTTPStatus.CREATED}:
            reference = text_of(answer.get("message_id_str")) or text_of(answer.get("message_id"))
            if answer.get("code") == "ok" and reference:
                return sent(reference)
            return failed("rejected") if "code" in answer else unknown("unreadable_answer")
        message = text_of(answer.get("message")).lower()
        if response.status == HTTPStatus.PAYMENT_REQUIRED or "insufficient balance" in message:
            return failed("insufficient_balance")
        if "sender" in message:
            return failed("invalid_sender")
        return failed("invalid_number" if "phone number" in message else f"http_{response.status}")

    def status_request(self, reference: str, settings: Mapping[str, Json]) -> HttpRequest | None:
        """Return the request that reads the message's history."""
        query = f"api_key={secret('api_key')}&message_id={quote(reference, safe='')}"
        return HttpRequest("GET", f"{_address(settings)}/api/sms/inbox?{query}")

    def status(self, response: HttpResponse, settings: Mapping[str, Json]) -> DeliveryReport | None:  # noqa: ARG002
        """Return the state that the history says."""
        answer = json_object(response.text)
        return _report(answer) if response.status == HTTPStatus.OK and answer.get("status") else None

    def signature(self, settings: Mapping[str, Json]) -> Signature | None:
        """``x-termii-signature``: HMAC-SHA512 of the body."""
        if not settings.get("secret_key"):
            return None
        return Signature("secret_key", "x-termii-signature", algorithm="sha512")

    def reports(self, request: IncomingRequest, settings: Mapping[str, Json]) -> Sequence[DeliveryReport]:  # noqa: ARG002
        """Return the report of an event of the type ``outbound``."""
        event = json_object(request.text)
        report = _report(event) if event.get("type") == "outbound" else None
        return [report] if report is not None and report.reference else []

    def received(self, request: IncomingRequest, settings: Mapping[str, Json]) -> Sequence[IncomingSms]:  # noqa: ARG002
        """Return the message of an event of the type ``inbound``."""
        event = json_object(request.text)
        if event.get("type") != "inbound" or not event.get("sender"):
            return []
        reference = text_of(event.get("message_id")) or text_of(event.get("id"))
        return [IncomingSms(text_of(event["sender"]), text_of(event.get("message")), reference)]


def _address(settings: Mapping[str, Json]) -> str:
    return str(settings.get("address", ADDRESS)).rstrip("/")


def _report(event: Mapping[str, Json]) -> DeliveryReport:
    state, reason = _state(text_of(event.get("status")))
    cost = text_of(event.get("cost"))
    return DeliveryReport(
        state,
        text_of(event.get("message_id")),
        reason=reason,
        cost=cost,
        currency="NGN" if cost else "",
    )


def _state(status: str) -> tuple[Literal["delivered", "failed", "pending"], str]:
    """The state and the reason that such a status says as ``DELIVERED | Message delivered to handset``."""
    words = status.lower()
    if words.startswith("delivered"):
        return "delivered", ""
    if words.startswith("dnd active"):
        return "failed", "do_not_disturb"
    if "failed" in words or words.startswith(("rejected", "expired")):
        return "failed", words.split(maxsplit=1)[0] if not words.startswith("message") else "failed"
    return "pending", ""
