"""Africa's Talking: bulk messages, delivery reports, incoming messages."""

from __future__ import annotations

from urllib.parse import urlencode

from tests.vendors.server import FORM, Reply, Vendor

WORDS = {101: "Success", 403: "InvalidPhoneNumber", 405: "InsufficientBalance", 406: "UserInBlacklist"}


class AfricasTalking(Vendor):
    """Africa's Talking.

    Attributes:
        username, api_key: of the app.
        codes: status code by phone; 101 for all others.
        messages: form of each accepted message by id.
    """

    def __init__(self):
        super().__init__()
        self.username, self.api_key = "sandbox", "atsk_" + "0" * 32
        self.codes, self.messages = {}, {}

    @property
    def settings(self):
        return {"username": self.username, "api_key": self.api_key, "address": self.url}

    def answer(self, call):
        if call.headers.get("apikey") != self.api_key:
            return Reply(401, b"The supplied authentication is invalid")
        form = call.form
        if call.path != "/version1/messaging" or form.get("username") != self.username or not form.get("message"):
            return Reply(400, b"Bad request")
        if form.get("from") == "Forbidden":
            return Reply(201, {"SMSMessageData": {"Message": "InvalidSenderId", "Recipients": []}})
        recipients = [self._recipient(form, phone) for phone in form["to"].split(",")]
        taken = sum(1 for each in recipients if each["statusCode"] == 101)
        message = f"Sent to {taken}/{len(recipients)} Total Cost: KES {0.8 * taken:.4f}"
        return Reply(201, {"SMSMessageData": {"Message": message, "Recipients": recipients}})

    def report(self, address, message_id, status, *, reason=None):
        """Send a delivery report. It is not signed."""
        fields = {"id": message_id, "status": status, "phoneNumber": "+254700000000", "networkCode": "63902"}
        return self.post(address, urlencode(fields | ({"failureReason": reason} if reason else {})), FORM)

    def send_sms(self, address, sender, text, *, reference="28a92cdf-2d63-4ee3-93df-4233d3de0356"):
        """Deliver the message of a person."""
        fields = {"date": "2026-01-01T00:00:00Z", "from": sender, "id": reference, "text": text, "to": "28901"}
        return self.post(address, urlencode(fields), FORM)

    def opt_out(self, address, phone):
        """Say that a person opted out at the network."""
        return self.post(address, urlencode({"senderId": "IIT", "phoneNumber": phone}), FORM)

    def _recipient(self, form, phone):
        code = self.codes.get(phone, 101)
        reference, cost = "None", "0"
        if code == 101:
            reference, cost = f"ATXid_{len(self.messages):032x}", "KES 0.8000"
            self.messages[reference] = form | {"to": phone}
        status = WORDS.get(code, "Failed")
        return {"statusCode": code, "number": phone, "status": status, "cost": cost, "messageId": reference}
