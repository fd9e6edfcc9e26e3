"""An alert as a letter in plain text."""

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
    letter,
    sent,
    shorten,
)

MOST_SUBJECT, MOST_TEXT = 150, 10_000
ACTS: Mapping[str, str] = {"trigger": "", "acknowledge": "Acknowledged: ", "resolve": "Resolved: "}


@dataclass(frozen=True, slots=True)
class Email:
    """E-mail. A repeated letter has the same Message-ID."""

    name: str = "email"
    title: str = "E-mail"
    version: str = "1.0.0"
    per_minute: int = 30

    def settings_schema(self) -> Mapping[str, Json]:
        """JSON Schema of the settings."""
        return {
            "type": "object",
            "required": ["to"],
            "additionalProperties": False,
            "properties": {
                "to": {
                    "type": "array",
                    "title": "Addresses",
                    "description": "All get the same letter and see each other's address.",
                    "items": {"type": "string", "format": "email", "pattern": "^[^@ ,;<>]+@[^@ ,;<>]+$"},
                    "minItems": 1,
                    "maxItems": 10,
                    "uniqueItems": True,
                },
                "only_new": {
                    "type": "boolean",
                    "title": "Only new alerts",
                    "description": "No letter when somebody acknowledges or resolves one.",
                    "default": False,
                },
            },
        }

    def requests(self, alert: Alert, settings: Mapping[str, Json]) -> Sequence[HttpRequest]:
        """Return the letter."""
        if alert.act != "trigger" and settings.get("only_new"):
            return []
        subject = shorten(f"{ACTS[alert.act]}{alert.title}", MOST_SUBJECT)
        facts = {"Severity": alert.severity, "Clinic": alert.facility, **alert.facts}
        lines = "\n".join(f"{name}: {value}" for name, value in facts.items() if value)
        parts = [alert.title, alert.text if alert.act == "trigger" else "", lines, alert.url]
        return [letter(settings["to"], subject, shorten("\n\n".join(filter(None, parts)), MOST_TEXT))]

    def outcome(self, response: HttpResponse, settings: Mapping[str, Json]) -> Outcome:  # noqa: ARG002 - the same for all
        """The mail server has taken the letter, or there was no connection to it."""
        return common_outcome(response, repeatable=True) or sent()

    def signature(self, settings: Mapping[str, Json]) -> Signature | None:  # noqa: ARG002
        """None: nothing comes back."""
        return None

    def acts(self, request: IncomingRequest, settings: Mapping[str, Json]) -> Sequence[ChannelAct]:  # noqa: ARG002
        """None."""
        return []
