"""Slack: incoming webhooks, ``chat.postMessage``, ``chat.update``, and presses of buttons."""

from __future__ import annotations

import json
import time
from urllib.parse import urlencode

from tests.vendors.server import FORM, Reply, Vendor, hex_mac

STATUSES = {
    "invalid_payload": 400,
    "user_not_found": 400,
    "action_prohibited": 403,
    "channel_not_found": 404,
    "no_service": 404,
    "channel_is_archived": 410,
    "rollup_error": 500,
}
MOST = {"section": 3_000, "header": 150}


class Slack(Vendor):
    """Slack.

    Attributes:
        webhook_url: a secret address.
        bot_token, signing_secret: credentials.
        channel: the bot's channel.
        messages: what people see, in order.
        error: code with which the next messages are refused, such as ``channel_is_archived``.
    """

    def __init__(self):
        super().__init__()
        self.webhook_url = f"{self.url}/services/T0000/B0000/{'x' * 24}"
        self.bot_token, self.signing_secret = "xoxb-1234-5678-abcdef", "0123456789abcdef" * 2
        self.channel = "C0123456789"
        self.messages, self.error = [], None

    @property
    def settings(self):
        return {"webhook_url": self.webhook_url, "signing_secret": self.signing_secret}

    @property
    def bot_settings(self):
        secrets = {"bot_token": self.bot_token, "signing_secret": self.signing_secret}
        return {**secrets, "channel": self.channel, "address": self.url}

    def answer(self, call):
        if call.path in ("/api/chat.postMessage", "/api/chat.update"):
            return self._answer_bot(call)
        if self.url + call.path != self.webhook_url:
            return Reply(404, b"no_service")
        error = self.error or self._fault(call.json)
        if error:
            return Reply(STATUSES[error], error.encode())
        self.messages.append(call.json)
        return Reply(200, b"ok")

    def press(self, address, act, key, *, user="U0123456789", secret=None, age=0):
        """Press a button, as a person does; ``secret`` and ``age`` make the signature wrong."""
        action = {"type": "button", "action_id": f"iit_{act}", "value": key, "block_id": "b"}
        payload = {"type": "block_actions", "user": {"id": user, "username": "ada"}, "actions": [action]}
        body = urlencode({"payload": json.dumps(payload)}).encode()
        stamp = str(int(time.time()) - age)
        signature = hex_mac(secret or self.signing_secret, b"v0:" + stamp.encode() + b":" + body)
        headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": "v0=" + signature}
        return self.post(address, body, FORM | headers)

    def _answer_bot(self, call):
        if call.headers.get("authorization") != f"Bearer {self.bot_token}":
            return Reply(200, {"ok": False, "error": "invalid_auth"})
        message = call.json
        error = self.error or ("channel_not_found" if message.get("channel") != self.channel else self._fault(message))
        if error:
            return Reply(200, {"ok": False, "error": error})
        if call.path == "/api/chat.update":
            return self._change(message)
        self.messages.append(message)
        return Reply(200, {"ok": True, "channel": self.channel, "ts": self._ts(len(self.messages))})

    def _change(self, message):
        known = {self._ts(number): number - 1 for number in range(1, len(self.messages) + 1)}
        if message.get("ts") not in known:
            return Reply(200, {"ok": False, "error": "message_not_found"})
        self.messages[known[message["ts"]]] = message
        return Reply(200, {"ok": True, "channel": self.channel, "ts": message["ts"]})

    @staticmethod
    def _ts(number):
        return f"1700000000.{number:06}"

    @staticmethod
    def _fault(message):
        blocks = message.get("blocks", [])
        if not message.get("text") or len(blocks) > 50:
            return "invalid_payload"
        for block in blocks:
            text = block.get("text", {}).get("text", "-")
            fields = block.get("fields", [])
            if not 0 < len(text) <= MOST.get(block["type"], 3_000):
                return "invalid_payload"
            if len(fields) > 10 or any(len(field["text"]) > 2_000 for field in fields):
                return "invalid_payload"
        return None
