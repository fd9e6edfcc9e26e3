"""Kannel: ``sendsms`` with headers, delivery reports and incoming messages."""

from __future__ import annotations

from urllib.parse import quote

from tests.vendors.server import Reply, Vendor


class Kannel(Vendor):
    """Kannel.

    Attributes:
        username, password: of the ``sendsms`` user.
        messages: headers and text of each accepted message.
        is_connected: whether Kannel reaches its own core; if not, it takes no message.
    """

    def __init__(self):
        super().__init__()
        self.username, self.password = "iit", "kannel-password"
        self.messages, self.is_connected = [], True

    @property
    def settings(self):
        user = {"username": self.username, "password": self.password, "sender": "2000"}
        return {**user, "address": f"{self.url}/cgi-bin/sendsms"}

    def answer(self, call):
        headers = call.headers
        user = (headers.get("x-kannel-username"), headers.get("x-kannel-password"))
        if call.path != "/cgi-bin/sendsms":
            return Reply(404, b"Not found")
        if user != (self.username, self.password):
            return Reply(403, b"Authorization failed for sendsms")
        if not headers.get("x-kannel-to") or not headers.get("content-type", "").startswith("text/plain"):
            return Reply(400, b"Missing receiver number, rejected")
        if not self.is_connected:
            return Reply(503, b"Temporal failure, try again later.")
        self.messages.append((headers, call.body.decode()))
        return Reply(202, b"0: Accepted for delivery")

    def report(self, index=0, kind=1):
        """Call the address of reports of a message; Kannel fills in its escape codes."""
        address = self.messages[index][0]["x-kannel-dlr-url"]
        return self.get(address.replace("%d", str(kind)).replace("%I", f"smsc-{index}"))

    def send_sms(self, address, sender, text):
        """Call the ``get-url`` of a service, with the message of a person."""
        mark = "&" if "?" in address else "?"
        query = f"from={quote(sender, safe='')}&text={quote(text)}&id=smsc-in-1"
        return self.get(f"{address}{mark}{query}")
