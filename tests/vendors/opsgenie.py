"""Opsgenie's alert API and its outgoing webhook; Jira Service Management takes the same under another path."""

from __future__ import annotations

import json
from urllib.parse import unquote

from tests.vendors.server import JSON, Reply, Vendor


class Opsgenie(Vendor):
    """Opsgenie.

    Attributes:
        api_key: the credential.
        alerts: state of each alert (open, acknowledged, closed) by alias.
        created: number of alerts that were created, by alias.
    """

    PATH = "/v2/alerts"

    def __init__(self):
        super().__init__()
        self.api_key = "eb243592-faa2-4ba2-a551-1afdf565c889"
        self.alerts, self.created = {}, {}

    @property
    def settings(self):
        return {"api_key": self.api_key, "address": self.url}

    def answer(self, call):
        if call.headers.get("authorization") != f"GenieKey {self.api_key}":
            return Reply(401, {"message": "Could not authenticate", "took": 0.0, "requestId": "r0"})
        if call.path == self.PATH:
            alert = call.json
            if errors := self._errors(alert):
                return Reply(422, {"message": "Request body is not processable", "errors": errors, "requestId": "r0"})
            alias = alert["alias"]
            if self.alerts.get(alias) in {None, "closed"}:
                self.created[alias] = self.created.get(alias, 0) + 1
                self.alerts[alias] = "open"
        else:
            alias, _, verb = call.path.removeprefix(f"{self.PATH}/").rpartition("/")
            if call.query.get("identifierType") != "alias" or verb not in {"acknowledge", "close"}:
                return Reply(404, {"message": "No such request", "requestId": "r0"})
            if unquote(alias) in self.alerts:
                self.alerts[unquote(alias)] = {"acknowledge": "acknowledged", "close": "closed"}[verb]
        return Reply(202, {"result": "Request will be processed", "took": 0.3, "requestId": f"r{len(self.calls)}"})

    def act(self, address, action, alias, *, user="ada@example.org", source="web"):
        """Send the outgoing webhook of an action such as ``Acknowledge``. It is not signed."""
        alert = {"alertId": "a-1", "alias": alias, "message": "m", "username": user, "tinyId": "23", "tags": []}
        body = {"action": action, "alert": alert, "source": {"name": "", "type": source}, "integrationName": "iit"}
        return self.post(address, json.dumps(body).encode(), JSON)

    @staticmethod
    def _errors(alert):
        most = {"message": 130, "alias": 512, "description": 15_000, "entity": 512, "source": 100}
        errors = {name: "too long" for name, length in most.items() if len(alert.get(name, "")) > length}
        if not alert.get("message"):
            errors["message"] = "Message can not be empty."
        if alert.get("priority") not in {"P1", "P2", "P3", "P4", "P5"}:
            errors["priority"] = "unknown"
        return errors


class JiraServiceManagement(Opsgenie):
    """Jira Service Management."""

    PATH = "/jsm/ops/integration/v2/alerts"
