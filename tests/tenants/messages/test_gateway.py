"""A reminder through a real gateway's plugin, to a stand-in of its vendor and back."""

from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

from core.plugins import instances
from core.plugins.instances import InstanceIn
from tests.vendors.twilio import Twilio


def test_a_reminder_goes_out_and_its_report_and_answer_come_back(partner, settings_of, monkeypatch):
    settings_of(public_url="https://care.example.org")
    with Twilio() as vendor:

        def post(address, body, headers):
            parts = urlsplit(address)
            assert parts.netloc == "care.example.org"
            query = f"?{parts.query}" if parts.query else ""
            answer = partner.api.post(f"{parts.path}{query}", content=body, headers=headers)
            assert answer.status_code == 200, answer.text

        monkeypatch.setattr(vendor, "post", post)
        with partner.session() as session:
            row = instances.add_instance(
                session, "sms-gateway", "twilio", InstanceIn(uuid4().hex, vendor.settings), source="cli"
            )
            address = instances.incoming_url(session, row)
        partner.set(gateway=None)  # there is just one
        phone = f"+2348033{uuid4().int % 10**6:06d}"
        patient = partner.patient(phone=phone)
        partner.plan()
        ((sid, message),) = vendor.messages.items()
        assert (message["form"]["To"], partner.messages(patient)[0]["state"]) == (phone, "sent")
        vendor.report(sid, "delivered")
        shown = partner.messages(patient)[0]
        assert shown["state"] == "delivered"
        vendor.send_sms(address, phone, "1")
        (attempt,) = partner.api.get("/v1/attempts", params={"patient_id": patient}).json()["items"]
        assert (attempt["outcome"], attempt["promised_for"]) == ("promised", str(partner.day + timedelta(2)))
