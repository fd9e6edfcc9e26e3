"""An alert of Opsgenie's alert API, and its outgoing webhook as acts.

Opsgenie shuts down in April 2027; Jira Service Management takes the same requests at its own address.
https://docs.opsgenie.com/docs/alert-api,
https://developer.atlassian.com/cloud/jira/service-desk-ops/rest/v1/api-group-integration-events
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote

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

USER = "IIT"
MOST_MESSAGE, MOST_DESCRIPTION, MOST_ENTITY, MOST_DETAIL = 130, 15_000, 512, 1_000
PRIORITIES: Mapping[str, str] = {"info": "P5", "low": "P4", "medium": "P3", "high": "P2", "critical": "P1"}
ACTS: Mapping[str, str] = {"Acknowledge": "acknowledge", "Close": "resolve"}


@dataclass(frozen=True, slots=True)
class Opsgenie:
    """Opsgenie. The alert's key is the alias, so a repeated request opens no second alert."""

    name: str = "opsgenie"
    title: str = "Opsgenie"
    version: str = "1.0.0"
    per_minute: int = 60
    address: str = "https://api.opsgenie.com"
    path: str = "/v2/alerts"
    hint: str = "https://api.eu.opsgenie.com for accounts in the EU."

    def settings_schema(self) -> Mapping[str, Json]:
        """JSON Schema of the settings."""
        return {
            "type": "object",
            "required": ["api_key"],
            "additionalProperties": False,
            "properties": {
                "api_key": {
                    "type": "string",
                    "title": "API key",
                    "description": "Of an integration of the type API.",
                    "minLength": 16,
                    "writeOnly": True,
                },
                "address": {
                    "type": "string",
                    "title": "Address",
                    "description": self.hint,
                    "format": "uri",
                    "default": self.address,
                },
            },
        }

    def requests(self, alert: Alert, settings: Mapping[str, Json]) -> Sequence[HttpRequest]:
        """Return the request that creates, acknowledges or closes the alert of this alias."""
        url = str(settings.get("address", self.address)).rstrip("/") + self.path
        headers = {"Authorization": f"GenieKey {secret('api_key')}"}
        if alert.act != "trigger":
            verb = {"acknowledge": "acknowledge", "resolve": "close"}[alert.act]
            url += f"/{quote(alert.key, safe='')}/{verb}?identifierType=alias"
            return [HttpRequest("POST", url, headers, json={"user": USER, "source": USER})]
        details = {name: shorten(value, MOST_DETAIL) for name, value in alert.facts.items()}
        details |= {"url": alert.url} if alert.url else {}
        body = {
            "message": shorten(alert.title, MOST_MESSAGE),
            "alias": alert.key,
            "description": shorten(f"{alert.text}\n\n{alert.url}".strip(), MOST_DESCRIPTION),
            "priority": PRIORITIES[alert.severity],
            "source": USER,
            "entity": shorten(alert.facility, MOST_ENTITY),
            "tags": [alert.stream, alert.severity],
            "details": {**details, "count": str(alert.count)},
        }
        return [HttpRequest("POST", url, headers, json=body)]

    def outcome(self, response: HttpResponse, settings: Mapping[str, Json]) -> Outcome:  # noqa: ARG002 - the same for all
        """202 is accepted, with the id of the request."""
        if (known := common_outcome(response, repeatable=True)) is not None:
            return known
        reference = text_of(json_object(response.text).get("requestId"))
        if response.status == HTTPStatus.ACCEPTED and reference:
            return sent(reference)
        if response.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}:
            return failed("invalid_alert")
        return failed(f"http_{response.status}")

    def signature(self, settings: Mapping[str, Json]) -> Signature | None:  # noqa: ARG002
        """None: the outgoing webhook is not signed. Its address is the secret."""
        return None

    def acts(self, request: IncomingRequest, settings: Mapping[str, Json]) -> Sequence[ChannelAct]:  # noqa: ARG002
        """Return the act of a person on an alert. What comes from the API may be our own act."""
        body = json_object(request.text)
        act = ACTS.get(text_of(body.get("action")))
        alert, source = body.get("alert"), body.get("source")
        if act is None or not isinstance(alert, dict) or not (key := text_of(alert.get("alias"))):
            return []
        if isinstance(source, dict) and text_of(source.get("type")).lower() == "api":
            return []
        return [ChannelAct(act, key, who=text_of(alert.get("username")))]


@dataclass(frozen=True, slots=True)
class JiraServiceManagement(Opsgenie):
    """Jira Service Management, the successor of Opsgenie."""

    name: str = "jsm"
    title: str = "Jira Service Management"
    address: str = "https://api.atlassian.com"
    path: str = "/jsm/ops/integration/v2/alerts"
    hint: str = "Leave it as it is, but for tests."
