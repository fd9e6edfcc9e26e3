"""Termii: messages, their history, delivery reports and incoming messages."""

from __future__ import annotations

import json

from tests.vendors.server import JSON, Reply, Vendor, hex_mac


class Termii(Vendor):
    """Termii.

    Attributes:
        api_key, secret_key: of the account.
        messages: body and status of each accepted message by id.
        has_balance: whether the account can pay.
    """

    def __init__(self):
        super().__init__()
        self.api_key, self.secret_key = "TL" + "a" * 30, "tsk_" + "b" * 28
        self.messages, self.has_balance = {}, True

    @property
    def settings(self):
        secrets = {"api_key": self.api_key, "secret_key": self.secret_key}
        return {**secrets, "sender": "IIT", "address": self.url}

    def answer(self, call):
        if call.path == "/api/sms/inbox":
            message = self.messages.get(call.query.get("message_id"))
            if call.query.get("api_key") != self.api_key or message is None:
                return Reply(404, {"message": "Message not found"})
            return Reply(200, {"message_id": call.query["message_id"], "status": message["status"], "amount": 1})
        body = call.json
        if call.path != "/api/sms/send" or body.get("api_key") != self.api_key:
            return Reply(401, {"message": "Invalid api key"})
        if not self.has_balance:
            return Reply(400, {"code": 400, "message": "Insufficient balance"})
        if not str(body.get("to", "")).isdigit():
            return Reply(400, {"code": 400, "message": "Invalid phone number"})
        message_id = str(3017544054459083819856413 + len(self.messages))
        self.messages[message_id] = body | {"status": "Message Sent"}
        about = {"message": "Successfully Sent", "balance": 9, "user": "Ada"}
        return Reply(200, {"code": "ok", "message_id": message_id, "message_id_str": message_id, **about})

    def report(self, address, message_id, status="DELIVERED | Message delivered to handset", *, secret=None):
        """Send a delivery report."""
        self.messages[message_id]["status"] = status
        about = {"receiver": self.messages[message_id]["to"], "message": self.messages[message_id]["sms"]}
        event = {"type": "outbound", "message_id": message_id, "cost": "3.9", "status": status, **about}
        return self._signed(address, event, secret)

    def send_sms(self, address, sender, text, *, secret=None):
        """Deliver the message of a person."""
        event = {"type": "inbound", "message_id": "in-1", "sender": sender, "receiver": "IIT", "message": text}
        return self._signed(address, event, secret)

    def _signed(self, address, event, secret):
        body = json.dumps(event).encode()
        signature = hex_mac(secret or self.secret_key, body, "sha512")
        return self.post(address, body, JSON | {"X-Termii-Signature": signature})
