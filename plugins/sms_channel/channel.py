"""An alert as one text message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plugins.sdk import (
    Alert,
    ChannelAct,
    HttpRequest,
    HttpResponse,
    IncomingRequest,
    Json,
    Outcome,
    Signature,
    common_outcome,
    secret,
    sent,
    shorten,
    text_message,
)

MOST_TEXT = 160
SHORTEST_TITLE = 40


@dataclass(frozen=True, slots=True)
class SmsChannel:
    """SMS to one phone. No gateway recognizes a repetition, so a message whose end nobody knows is not sent again."""

    name: str = "sms"
    title: str = "SMS"
    version: str = "1.0.0"
    per_minute: int = 10

    def settings_schema(self) -> Mapping[str, Json]:
        """JSON Schema of the settings."""
        return {
            "type": "object",
            "required": ["phone"],
            "additionalProperties": False,
            "properties": {
                "phone": {
                    "type": "string",
                    "title": "Phone",
                    "description": "Of one member of staff, in international form: +254700000000.",
                    "pattern": "^\\+[1-9][0-9]{6,14}$",
                    "writeOnly": True,
                },
                "gateway": {
                    "type": "string",
                    "title": "Gateway",
                    "description": "Name of the SMS gateway; empty if there is only one.",
                    "maxLength": 80,
                },
                "resolved": {"type": "boolean", "title": "Also say what is resolved", "default": False},
            },
        }

    def requests(self, alert: Alert, settings: Mapping[str, Json]) -> Sequence[HttpRequest]:
        """Return the message: the title and, if it fits, the address of the alert's page."""
        if alert.act == "acknowledge" or (alert.act == "resolve" and not settings.get("resolved")):
            return []
        title = f"Resolved: {alert.title}" if alert.act == "resolve" else alert.title
        room = MOST_TEXT - len(alert.url) - 1
        has_room = bool(alert.url) and room >= SHORTEST_TITLE
        text = shorten(title, room if has_room else MOST_TEXT, "...")  # an ellipsis would double the message's length
        text = f"{text} {alert.url}" if has_room else text
        return [text_message(secret("phone"), text, gateway=str(settings.get("gateway", "")))]

    def outcome(self, response: HttpResponse, settings: Mapping[str, Json]) -> Outcome:  # noqa: ARG002 - the same for all
        """The gateway's own outcome reaches the platform without this."""
        return common_outcome(response, repeatable=False) or sent()

    def signature(self, settings: Mapping[str, Json]) -> Signature | None:  # noqa: ARG002
        """None: nothing comes back."""
        return None

    def acts(self, request: IncomingRequest, settings: Mapping[str, Json]) -> Sequence[ChannelAct]:  # noqa: ARG002
        """None."""
        return []
