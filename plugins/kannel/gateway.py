"""Kannel, the gateway that a partner runs: its ``sendsms`` interface, delivery reports and incoming messages.

It recognizes no repetition and signs nothing. https://kannel.org/download/1.4.5/userguide-1.4.5/userguide.html
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
    retry,
    secret,
    sent,
    unknown,
)

FINAL = "19"
"""Mask of the reports: delivered (1), not delivered (2) and rejected by the centre (16)."""

STATES: Mapping[str, tuple[Literal["delivered", "failed", "pending"], str]] = {
    "1": ("delivered", ""),
    "2": ("failed", "undelivered"),
    "4": ("pending", ""),
    "8": ("pending", ""),
    "16": ("failed", "rejected"),
}


@dataclass(frozen=True, slots=True)
class Kannel:
    """Kannel."""

    name: str = "kannel"
    title: str = "Kannel"
    version: str = "1.0.0"
    per_minute: int = 600

    def settings_schema(self) -> Mapping[str, Json]:
        """JSON Schema of the settings."""
        return {
            "type": "object",
            "required": ["address", "username", "password"],
            "additionalProperties": False,
            "properties": {
                "address": {
                    "type": "string",
                    "title": "Address of sendsms",
                    "description": "Such as https://sms.example.org:13013/cgi-bin/sendsms.",
                    "format": "uri",
                },
                "username": {"type": "string", "title": "User of sendsms", "minLength": 1, "maxLength": 100},
                "password": {"type": "string", "title": "Password", "minLength": 8, "writeOnly": True},
                "sender": {"type": "string", "title": "Sender", "maxLength": 15},
                "smsc": {
                    "type": "string",
                    "title": "SMSC",
                    "description": "By which the message leaves; empty for Kannel's own routes.",
                    "maxLength": 60,
                },
            },
        }

    def request(self, sms: Sms, settings: Mapping[str, Json]) -> HttpRequest:
        """Return the request. Phone and password are headers, so that no log of addresses has them."""
        headers = {
            "Content-Type": "text/plain; charset=UTF-8",
            "X-Kannel-Username": str(settings["username"]),
            "X-Kannel-Password": secret("password"),
            "X-Kannel-To": sms.to,
            "X-Kannel-Coding": "2" if sms.unicode else "0",
        }
        if sender := sms.sender or str(settings.get("sender", "")):
            headers["X-Kannel-From"] = sender
        if settings.get("smsc"):
            headers["X-Kannel-SMSC"] = str(settings["smsc"])
        if sms.report_url:
            mark = "&" if "?" in sms.report_url else "?"
            headers["X-Kannel-DLR-Mask"] = FINAL
            # Kannel puts the type of the report and its own id in place of %d and %I.
            query = f"message_id={quote(sms.id, safe='')}&type=%d&reference=%I"
            headers["X-Kannel-DLR-Url"] = f"{sms.report_url}{mark}{query}"
        return HttpRequest("POST", str(settings["address"]), headers, text=sms.text, repeatable=False)

    def outcome(self, response: HttpResponse, settings: Mapping[str, Json]) -> Outcome:  # noqa: ARG002 - the same for all
        """202 is accepted or queued. 503 with its words was not taken; Kannel gives no id."""
        words = response.text.strip()
        if response.status == HTTPStatus.SERVICE_UNAVAILABLE and words.startswith("Temporal failure"):
            return retry("temporary_failure")
        if response.status == HTTPStatus.FORBIDDEN and words.startswith("Not routable"):
            return failed("no_route")
        if (known := common_outcome(response, repeatable=False)) is not None:
            return known
        if response.status == HTTPStatus.ACCEPTED and words.startswith(("0:", "3:", "Sent")):
            return sent()
        if response.status in {HTTPStatus.OK, HTTPStatus.ACCEPTED}:
            return unknown("unreadable_answer")
        return failed("invalid_message" if response.status == HTTPStatus.BAD_REQUEST else f"http_{response.status}")

    def status_request(self, reference: str, settings: Mapping[str, Json]) -> HttpRequest | None:  # noqa: ARG002
        """None: it cannot be asked."""
        return None

    def status(self, response: HttpResponse, settings: Mapping[str, Json]) -> DeliveryReport | None:  # noqa: ARG002
        """None, for nothing is asked."""
        return None

    def signature(self, settings: Mapping[str, Json]) -> Signature | None:  # noqa: ARG002
        """None: its requests are not signed. Their address is the secret."""
        return None

    def reports(self, request: IncomingRequest, settings: Mapping[str, Json]) -> Sequence[DeliveryReport]:  # noqa: ARG002
        """Return the report, whose address contains our id and the type."""
        known = STATES.get(request.query.get("type", ""))
        message_id = request.query.get("message_id", "")
        if known is None or not message_id:
            return []
        return [DeliveryReport(known[0], message_id=message_id, reason=known[1])]

    def received(self, request: IncomingRequest, settings: Mapping[str, Json]) -> Sequence[IncomingSms]:  # noqa: ARG002
        """Return the message of a person: ``get-url`` with ``from=%p&text=%a&id=%I``."""
        query = request.query
        if "from" not in query or "text" not in query:
            return []
        return [IncomingSms(query["from"], query["text"], query.get("id", ""))]
