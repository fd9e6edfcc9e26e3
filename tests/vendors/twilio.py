"""Twilio: messages, status callbacks and incoming messages."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import urlencode

from tests.vendors.server import FORM, Reply, Vendor


class Twilio(Vendor):
    """Twilio.

    Attributes:
        account_sid, auth_token, sender: of the account.
        messages: form and state of each message by SID. A repeated request makes a second one.
        unsubscribed, invalid: phones that are refused with 21610 and 21211.
    """

    def __init__(self):
        super().__init__()
        self.account_sid, self.auth_token, self.sender = "AC" + "0" * 32, "1" * 32, "+15005550006"
        self.messages, self.unsubscribed, self.invalid = {}, set(), set()

    @property
    def settings(self):
        account = {"account_sid": self.account_sid, "auth_token": self.auth_token}
        return {**account, "sender": self.sender, "address": self.url}

    def answer(self, call):
        base = f"/2010-04-01/Accounts/{self.account_sid}/Messages"
        if call.basic != f"{self.account_sid}:{self.auth_token}":
            return self._error(401, 20003)
        if call.method == "GET":
            sid = call.path.removeprefix(f"{base}/").removesuffix(".json")
            return self._resource(sid, 200) if sid in self.messages else self._error(404, 20404)
        form = call.form
        if call.path != f"{base}.json" or not form.get("Body") or not form.get("From"):
            return self._error(400, 21602)
        if form["To"] in self.unsubscribed:
            return self._error(400, 21610)
        if form["To"] in self.invalid or not form["To"].startswith("+"):
            return self._error(400, 21211)
        sid = f"SM{len(self.messages):032x}"
        self.messages[sid] = {"form": form, "status": "queued", "price": None, "error_code": None}
        return self._resource(sid, 201)

    def report(self, sid, status, *, address=None, error_code=None, secret=None):
        """Send the status callback of a message to the address that its request named."""
        message = self.messages[sid]
        message |= {"status": status, "error_code": error_code, "price": "-0.00750"}
        fields = {"MessageSid": sid, "SmsSid": sid, "MessageStatus": status, "SmsStatus": status}
        if error_code:
            fields["ErrorCode"] = str(error_code)
        fields |= {"To": message["form"]["To"], "From": self.sender, "AccountSid": self.account_sid}
        return self._signed(address or message["form"]["StatusCallback"], fields, secret)

    def send_sms(self, address, sender, text, *, sid="SM" + "f" * 32, secret=None):
        """Deliver the message of a person to the platform."""
        fields = {"MessageSid": sid, "SmsStatus": "received", "From": sender, "To": self.sender, "Body": text}
        return self._signed(address, fields, secret)

    def _signed(self, address, fields, secret):
        text = address + "".join(name + fields[name] for name in sorted(fields))
        mac = hmac.new((secret or self.auth_token).encode(), text.encode(), hashlib.sha1).digest()
        return self.post(address, urlencode(fields), FORM | {"X-Twilio-Signature": base64.b64encode(mac).decode()})

    def _resource(self, sid, status):
        message = self.messages[sid]
        state = {name: message[name] for name in ("status", "price", "error_code")}
        state |= {"to": message["form"]["To"], "body": message["form"]["Body"]}
        return Reply(status, {"sid": sid, **state, "price_unit": "USD", "num_segments": "1", "uri": f"/{sid}.json"})

    @staticmethod
    def _error(status, code):
        about = {"message": "An error with the phone +15550001111", "more_info": f"https://www.twilio.com/docs/{code}"}
        return Reply(status, {"code": code, **about, "status": status})
