"""PagerDuty: Events API v2 and webhooks v3."""

from __future__ import annotations

import json

from tests.vendors.server import JSON, Reply, Vendor, hex_mac

SEVERITIES = {"critical", "error", "warning", "info"}


class PagerDuty(Vendor):
    """PagerDuty.

    Attributes:
        routing_key, webhook_secret: credentials.
        incidents: state of each incident (triggered, acknowledged, resolved) by ``dedup_key``.
        triggers: number of incidents that were opened, by ``dedup_key``: 1 although a trigger is repeated.
    """

    def __init__(self):
        super().__init__()
        self.routing_key, self.webhook_secret = "R" * 32, "pagerduty-webhook-secret"
        self.incidents, self.triggers = {}, {}

    @property
    def settings(self):
        secrets = {"routing_key": self.routing_key, "webhook_secret": self.webhook_secret}
        return {**secrets, "address": self.url}

    def answer(self, call):
        event = call.json
        if call.path != "/v2/enqueue" or not isinstance(event, dict):
            return Reply(404)
        if errors := self._errors(event):
            return Reply(400, {"status": "invalid event", "message": "Event object is invalid", "errors": errors})
        key = event["dedup_key"]
        state = self.incidents.get(key)
        if event["event_action"] == "trigger":
            if state in {None, "resolved"}:
                self.triggers[key] = self.triggers.get(key, 0) + 1
                self.incidents[key] = "triggered"
        elif state not in {None, "resolved"}:
            self.incidents[key] = {"acknowledge": "acknowledged", "resolve": "resolved"}[event["event_action"]]
        return Reply(202, {"status": "success", "message": "Event processed", "dedup_key": key})

    def act(self, address, event_type, key, *, agent="PUSER01", agent_type="user_reference", secret=None):
        """Send a webhook such as ``incident.acknowledged``; ``secret`` makes the signature wrong."""
        who = {"id": agent, "type": agent_type, "summary": "Ada"}
        event = {
            "id": "01CH754SM17TWPE2V2H4VPBRO7",
            "event_type": event_type,
            "resource_type": "incident",
            "occurred_at": "2026-01-01T00:00:00Z",
            "agent": who,
            "client": None,
            "data": {"id": "PINC001", "type": "incident", "status": "acknowledged", "incident_key": key},
        }
        body = json.dumps({"event": event}).encode()
        signature = "v1=" + hex_mac(secret or self.webhook_secret, body)
        return self.post(address, body, JSON | {"X-PagerDuty-Signature": f"v1={'0' * 64},{signature}"})

    def _errors(self, event):
        errors = []
        if event.get("routing_key") != self.routing_key:
            errors.append("Invalid routing key")
        if event.get("event_action") not in {"trigger", "acknowledge", "resolve"}:
            errors.append("'event_action' is invalid")
        if not 0 < len(event.get("dedup_key", "")) <= 255:
            errors.append("Length of 'dedup_key' is incorrect")
        if event.get("event_action") == "trigger":
            payload = event.get("payload", {})
            if not 0 < len(payload.get("summary", "")) <= 1024:
                errors.append("Length of 'payload.summary' is incorrect")
            if not payload.get("source") or payload.get("severity") not in SEVERITIES:
                errors.append("'payload.source' or 'payload.severity' is invalid")
        return errors
