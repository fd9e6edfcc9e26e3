"""An alert as an event of PagerDuty, and its webhooks as acts.

https://developer.pagerduty.com/docs/events-api-v2-overview, https://developer.pagerduty.com/docs/webhooks-overview
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

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
    failed,
    json_object,
    secret,
    sent,
    shorten,
    text_of,
)

MOST_SUMMARY = 1024
SEVERITIES: Mapping[str, str] = {
    "info": "info",
    "low": "info",
    "medium": "warning",
    "high": "error",
    "critical": "critical",
}
ACTS: Mapping[str, str] = {
    "incident.acknowledged": "acknowledge",
    "incident.resolved": "resolve",
    "incident.reopened": "reopen",
}


@dataclass(frozen=True, slots=True)
class PagerDuty:
    """PagerDuty. The alert's key is the ``dedup_key``, so a repeated request opens no second incident."""

    name: str = "pagerduty"
    title: str = "PagerDuty"
    version: str = "1.0.0"
    per_minute: int = 120

    def settings_schema(self) -> Mapping[str, Json]:
        """JSON Schema of the settings."""
        return {
            "type": "object",
            "required": ["routing_key"],
            "additionalProperties": False,
            "properties": {
                "routing_key": {
                    "type": "string",
                    "title": "Integration key",
                    "description": "Of an integration of the type Events API v2 of your service.",
                    "pattern": "^[A-Za-z0-9]{32}$",
                    "writeOnly": True,
                },
                "webhook_secret": {
                    "type": "string",
                    "title": "Secret of the webhook",
                    "description": "Of a generic webhook (v3). With it, acts in PagerDuty reach the alert.",
                    "minLength": 16,
                    "writeOnly": True,
                },
                "address": {
                    "type": "string",
                    "title": "Address",
                    "description": "https://events.eu.pagerduty.com for accounts in the EU.",
                    "format": "uri",
                    "default": "https://events.pagerduty.com",
                },
            },
        }

    def requests(self, alert: Alert, settings: Mapping[str, Json]) -> Sequence[HttpRequest]:
        """Return the event: trigger, acknowledge or resolve, under the same ``dedup_key``."""
        body: dict[str, Json] = {
            "routing_key": secret("routing_key"),
            "event_action": alert.act,
            "dedup_key": alert.key,
        }
        if alert.act == "trigger":
            details = {**alert.facts, "text": alert.text, "count": str(alert.count)}
            body |= {
                "client": "IIT",
                "payload": {
                    "summary": shorten(alert.title, MOST_SUMMARY),
                    "source": alert.facility or alert.stream,
                    "severity": SEVERITIES[alert.severity],
                    "timestamp": alert.occurred_at.isoformat(),
                    "class": alert.stream,
                    "custom_details": {name: value for name, value in details.items() if value},
                },
            }
            if alert.url:
                body |= {"client_url": alert.url, "links": [{"href": alert.url, "text": "Open the alert"}]}
        address = str(settings.get("address", "https://events.pagerduty.com")).rstrip("/")
        return [HttpRequest("POST", f"{address}/v2/enqueue", json=body)]

    def outcome(self, response: HttpResponse, settings: Mapping[str, Json]) -> Outcome:  # noqa: ARG002 - the same for all
        """202 is accepted; PagerDuty asks that 400 is never repeated, and 429 and 5xx are."""
        if (known := common_outcome(response, repeatable=True)) is not None:
            return known
        answer = json_object(response.text)
        if response.status == HTTPStatus.ACCEPTED and answer.get("status") == "success":
            return sent(text_of(answer.get("dedup_key")))
        return failed("invalid_event" if response.status == HTTPStatus.BAD_REQUEST else f"http_{response.status}")

    def signature(self, settings: Mapping[str, Json]) -> Signature | None:
        """``x-pagerduty-signature: v1=…``; several, with commas, while a secret is rotated."""
        if not settings.get("webhook_secret"):
            return None
        return Signature("webhook_secret", "x-pagerduty-signature", prefix="v1=")

    def acts(self, request: IncomingRequest, settings: Mapping[str, Json]) -> Sequence[ChannelAct]:
        """Return the act of a person on an incident. Acts of integrations are ours, or of other systems."""
        if self.signature(settings) is None:
            return []  # anybody may have sent it
        event = json_object(request.text).get("event")
        if not isinstance(event, dict):
            return []
        act = ACTS.get(text_of(event.get("event_type")))
        agent, data = event.get("agent"), event.get("data")
        if act is None or not isinstance(data, dict) or not isinstance(agent, dict):
            return []
        key = text_of(data.get("incident_key"))
        if not key or agent.get("type") != "user_reference":
            return []
        return [ChannelAct(act, key, who=text_of(agent.get("id")))]
