"""What patients answer: applied where it is certain, left to a person where it is not."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlmodel import select

from core.jobs.worker import drain
from core.privacy import vault
from plugins.sdk import IncomingSms
from tenants.followup.models import Intervention
from tenants.messages import incoming, phones
from tenants.messages.models import UnmatchedMessage
from tenants.messages.planning import plan_part


def receive(partner, sender, text, reference=None):
    message = IncomingSms(sender, text, uuid4().hex if reference is None else reference)
    partner.publish("plugin.sms_received", messages=[message])


def waiting(partner):
    answer = partner.api.get("/v1/incoming-messages")
    assert answer.status_code == 200, answer.text
    return answer.json()


def settle(partner, message, **body):
    return partner.api.post(f"/v1/incoming-messages/{message['id']}/settle", json=body)


@pytest.fixture
def reminded(partner, network):
    """A patient who got a reminder, and the phone."""
    phone = f"+2348035{uuid4().int % 10**6:06d}"
    patient = partner.patient(phone=phone)
    partner.plan()
    assert partner.messages(patient)[0]["state"] == "sent"
    return patient, phone


def test_one_promises_to_come_on_the_day_of_the_contact(partner, reminded):
    patient, phone = reminded
    reference = uuid4().hex
    for _ in range(2):
        receive(partner, phone, "1", reference)
    (attempt,) = partner.api.get("/v1/attempts", params={"patient_id": patient}).json()["items"]
    expected = str(partner.day + timedelta(2))
    assert (attempt["outcome"], attempt["medium"], attempt["promised_for"]) == ("promised", "sms", expected)
    newest = partner.messages(patient)[0]
    assert (newest["direction"], newest["answer"], newest["state"], newest["text"]) == (
        "inbound",
        "coming",
        "read",
        "1",
    )


def test_two_plans_a_call(partner, reminded):
    patient, phone = reminded
    receive(partner, phone, "2")
    with partner.session() as session:
        (call,) = session.exec(select(Intervention).where(Intervention.patient_uuid == UUID(patient))).all()
        assert (call.intervention_type, call.status, call.due_date) == ("phone_call", "planned", partner.day)


def test_stop_ends_all_messages_and_start_restores_what_it_ended(partner, reminded):
    patient, phone = reminded
    partner.consent(patient, "surveys")
    receive(partner, phone, "Stop!")
    path = f"/v1/patients/{patient}/consents"
    newest = {row["purpose"]: row for row in reversed(partner.api.get(path).json()["items"])}
    assert {name: (row["agrees"], row["source"]) for name, row in newest.items()} == {
        "reminders": (False, "sms"),
        "surveys": (False, "sms"),
    }
    with partner.session() as session:
        assert phones.get(session, vault(session).blind_index("phone", phone)).opted_out_at is not None
    receive(partner, phone, "START")
    newest = {row["purpose"]: row for row in reversed(partner.api.get(path).json()["items"])}
    assert {row["agrees"] for row in newest.values()} == {True}
    with partner.session() as session:
        assert phones.get(session, vault(session).blind_index("phone", phone)).opted_out_at is None


def test_start_gives_no_consent_that_stop_did_not_end(partner, reminded):
    patient, phone = reminded
    partner.consent(patient, agrees=False, source="paper_form")
    receive(partner, phone, "START")
    assert partner.api.get(f"/v1/patients/{patient}/consents").json()["items"][0]["agrees"] is False


def test_an_answer_that_is_not_clear_waits_for_a_person(partner, reminded):
    patient, phone = reminded
    receive(partner, phone, "perhaps tomorrow")
    (message,) = [each for each in waiting(partner) if each["patient_id"] == patient]
    assert (message["text"], message["sender"]) == ("perhaps tomorrow", None)
    assert settle(partner, message, answer="coming", patient_id=partner.patient()).status_code == 422
    assert settle(partner, message, answer="coming", patient_id=patient).status_code == 204
    assert settle(partner, message, answer="coming").status_code == 404
    attempts = partner.api.get("/v1/attempts", params={"patient_id": patient}).json()["items"]
    assert [attempt["outcome"] for attempt in attempts] == ["promised"]


def test_one_without_a_question_before_it_waits_for_a_person(partner, network):
    phone = f"+2348036{uuid4().int % 10**6:06d}"
    patient = partner.patient(phone=phone)
    receive(partner, phone, "1")
    assert [each["text"] for each in waiting(partner) if each["patient_id"] == patient] == ["1"]
    assert partner.api.get("/v1/attempts", params={"patient_id": patient}).json()["items"] == []


def test_a_phone_of_nobody_waits_for_a_person_who_says_whose_it_is(partner, network):
    patient = partner.patient()
    sender = f"+2348037{uuid4().int % 10**6:06d}"
    receive(partner, sender, "it is me")
    (message,) = [each for each in waiting(partner) if each["sender"] == sender]
    assert (message["patient_id"], message["candidates"]) == (None, [])
    with partner.session() as session:
        row = session.get(UnmatchedMessage, UUID(message["id"]))
        assert sender not in row.sealed_sender
        assert "me" not in row.sealed_text
    assert settle(partner, message, answer="call").status_code == 422
    assert settle(partner, message, answer="call", patient_id=str(uuid4())).status_code == 422
    assert settle(partner, message, answer="call", patient_id=patient).status_code == 204
    assert partner.messages(patient)[0]["text"] == "it is me"
    with partner.session() as session:
        row = session.get(UnmatchedMessage, UUID(message["id"]))
        assert (row.state, row.sealed_sender, row.sealed_text) == ("settled", None, None)


def test_a_phone_of_several_patients_names_nobody(partner, network):
    phone = f"+2348038{uuid4().int % 10**6:06d}"
    patients = sorted(partner.patient(phone=phone) for _ in range(2))
    receive(partner, phone, "1")
    (message,) = [each for each in waiting(partner) if each["sender"] == phone]
    assert sorted(message["candidates"]) == patients
    with partner.session() as session:
        incoming.person_erased(session, {"patient_ids": [UUID(patients[0])]})
    assert [each for each in waiting(partner) if each["sender"] == phone] == []
    with partner.session() as session:
        assert session.get(UnmatchedMessage, UUID(message["id"])).sealed_text is None


def test_stop_from_a_phone_of_several_patients_counts_for_all(partner, network):
    phone = f"+2348039{uuid4().int % 10**6:06d}"
    patients = [partner.patient(phone=phone) for _ in range(2)]
    receive(partner, phone, "STOP")
    for patient in patients:
        assert partner.api.get(f"/v1/patients/{patient}/consents").json()["items"][0]["agrees"] is False


def test_a_restored_tenant_sends_nothing_that_waited(partner, network):
    patient = partner.patient(consent=False)
    partner.consent(patient, "follow_up")
    message = partner.send(patient).json()
    with partner.session() as session:
        incoming.tenant_restored(session, {})
    shown = partner.api.get(f"/v1/messages/{message['id']}").json()
    assert (shown["state"], shown["reason"]) == ("cancelled", "restored")


def test_old_messages_of_unknown_phones_are_deleted(partner, network):
    sender = f"+2348034{uuid4().int % 10**6:06d}"
    receive(partner, sender, "hello")
    with partner.session() as session, session.cursor() as cursor:
        moment = cursor.execute("SELECT max(received_at) + interval '1 second' FROM unmatched_messages").fetchall()[0][
            0
        ]
        assert incoming.delete_unmatched(session, moment) >= 1
        assert incoming.delete_unmatched(session, moment) == 0


def test_a_withdrawal_cancels_what_was_planned_before_it(partner, network):
    phone = f"+2348037{uuid4().int % 10**6:06d}"
    patient = partner.patient(phone=phone)
    with partner.session() as session:
        assert plan_part(session, [UUID(patient)], partner.day) == 1
    partner.consent(patient, agrees=False)
    drain(partner.tenant)
    assert [(each["state"], each["reason"]) for each in partner.messages(patient)] == [("cancelled", "no_consent")]
    assert network.sent == []
