"""An alert as a signed message of Standard Webhooks 1.0 (standardwebhooks.com), and signed acts back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from plugins.sdk import (
    CHANNEL_ACTS,
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
    sent,
    text_of,
)

MOST_MINUTES = 7 * 24 * 60
SIGNATURE = Signature(
    "secret",
    "webhook-signature",
    text="{id}.{timestamp}.{body}",
    prefix="v1,",
    encoding="base64",
    key="base64",
    timestamp_header="webhook-timestamp",
    id_header="webhook-id",
)


@dataclass(frozen=True, slots=True)
class Webhook:
    """A receiver of Standard Webhooks. It recognizes a repetition by the message's id."""

    name: str = "webhook"
    title: str = "Webhook"
    version: str = "1.0.0"
    per_minute: int = 300

    def settings_schema(self) -> Mapping[str, Json]:
        """JSON Schema of the settings."""
        return {
            "type": "object",
            "required": ["url", "secret"],
            "additionalProperties": False,
            "properties": {
                "url": {"type": "string", "title": "Address", "format": "uri"},
                "secret": {
                    "type": "string",
                    "title": "Secret",
                    "description": "whsec_ and 24 to 64 bytes in base64. It signs both ways.",
                    "pattern": "^whsec_[A-Za-z0-9+/]{32,88}={0,2}$",
                    "writeOnly": True,
                },
            },
        }

    def requests(self, alert: Alert, settings: Mapping[str, Json]) -> Sequence[HttpRequest]:
        """Return the message ``alert.trigger``, ``alert.acknowledge`` or ``alert.resolve``."""
        data = {
            "id": alert.id,
            "key": alert.key,
            "severity": alert.severity,
            "title": alert.title,
            "text": alert.text,
            "url": alert.url,
            "stream": alert.stream,
            "facility": alert.facility,
            "count": alert.count,
            "facts": dict(alert.facts),
        }
        body = {"type": f"alert.{alert.act}", "timestamp": alert.occurred_at.isoformat(), "data": data}
        return [HttpRequest("POST", str(settings["url"]), json=body, signature=SIGNATURE)]

    def outcome(self, response: HttpResponse, settings: Mapping[str, Json]) -> Outcome:  # noqa: ARG002 - the same for all
        """2xx is accepted; 410 says that the receiver is no more."""
        if (known := common_outcome(response, repeatable=True)) is not None:
            return known
        if HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
            return sent()
        return failed("gone" if response.status == HTTPStatus.GONE else f"http_{response.status}")

    def signature(self, settings: Mapping[str, Json]) -> Signature | None:  # noqa: ARG002 - the same for all
        """As of what is sent, with the same secret."""
        return SIGNATURE

    def acts(self, request: IncomingRequest, settings: Mapping[str, Json]) -> Sequence[ChannelAct]:  # noqa: ARG002
        """Return the act of such a body as ``{"act": "acknowledge", "key": "…", "who": "…", "minutes": 60}``."""
        body = json_object(request.text)
        act, key = text_of(body.get("act")), text_of(body.get("key"))
        minutes = body.get("minutes", 0)
        if act not in CHANNEL_ACTS or not key:
            return []
        valid = isinstance(minutes, int) and not isinstance(minutes, bool) and 0 <= minutes <= MOST_MINUTES
        return [ChannelAct(act, key, who=text_of(body.get("who")), minutes=minutes if valid else 0)]
