"""A patient's timeline: messages, delivery reports, answers and decisions, each as far as its reader may see it."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from core.clock import now
from core.database import Reach, tenant_session
from core.web.paging import PageRequest
from plugins.sdk import DeliveryReport, IncomingSms, Outcome
from tenants.messages.models import Communication
from tenants.records.identities import merge
from tenants.records.service import patient_of_id
from tenants.records.timeline import read_timeline
from tests.keyed import KeyedClient

KINDS = ("message", "delivery_report", "answer", "consent")
ALL = frozenset({"messages.read", "consents.read"})


def timeline(partner, patient, *, as_of=None, permissions=ALL, reach=None, kinds=KINDS):
    with tenant_session(partner.tenant, actor="test:1", reach=reach or Reach()) as session:
        page = read_timeline(session, UUID(patient), as_of, frozenset(kinds), PageRequest(1, 100), permissions)
    return {kind: [entry for entry in page.items if entry.kind == kind] for kind in kinds}


def receive(partner, phone, text):
    partner.publish("plugin.sms_received", messages=[IncomingSms(phone, text, uuid4().hex)])


def merged(partner, patient, into):
    with partner.session() as session:
        merge(session, UUID(patient), UUID(into), "recorded twice")


@pytest.fixture
def loop(partner, network):
    """A patient with a reminder that arrived, and who answered that they come; and the phone."""
    phone = f"+2348036{uuid4().int % 10**6:06d}"
    patient = partner.patient(phone=phone)
    partner.plan()
    message = partner.messages(patient)[0]["id"]
    partner.publish("plugin.sms_reports", reports=[DeliveryReport("delivered", reference=f"ref-{message}")])
    receive(partner, phone, "1")
    return patient, phone, message


def test_message_report_answer_consent_and_withdrawal_are_in_the_timeline(partner, network, loop):
    patient, phone, message = loop
    receive(partner, phone, "STOP")
    answer = partner.api.get(f"/v1/patients/{patient}/timeline", params={"kind": KINDS})
    assert answer.status_code == 200, answer.text
    facts = {kind: [item["facts"] for item in answer.json()["items"] if item["kind"] == kind] for kind in KINDS}
    (sent,), (report,) = facts["message"], facts["delivery_report"]
    contact = partner.day + timedelta(2)
    assert (sent["state"], sent["purpose"], sent["contact_date"]) == ("sent", "reminders", str(contact))
    assert sent["text"].startswith("Sunrise: see you on")
    assert (report["state"], report["message_id"]) == ("delivered", message)
    assert {(each["answer"], each["text"]) for each in facts["answer"]} == {("coming", "1"), ("stop", "STOP")}
    assert {each["message_id"] for each in facts["answer"]} == {message}
    assert {(each["decision"], each["source"]) for each in facts["consent"]} == {
        ("given", "verbal"),
        ("withdrawn", "sms"),
    }
    everything = partner.api.get(f"/v1/patients/{patient}/timeline").json()
    assert {"visit", "contact", *KINDS} <= {item["kind"] for item in everything["items"]}
    assert {item["facility"] for item in everything["items"]} == {partner.clinic}


def test_who_may_not_read_messages_sees_that_they_went_but_not_what_they_say(partner, loop):
    shown = timeline(partner, loop[0], permissions=frozenset())
    facts = [entry.facts for entries in shown.values() for entry in entries]
    assert [len(shown[kind]) for kind in KINDS] == [1, 1, 1, 0]
    assert not {"text", "answer", "reason"} & {name for each in facts for name in each}
    (report,) = shown["delivery_report"]
    assert report.facts["state"] == "delivered"


def test_a_key_without_the_permissions_gets_no_text_and_no_decision(partner, application, loop):
    created = partner.api.post("/v1/keys", json={"name": uuid4().hex, "permissions": ["patients.read"]}).json()
    with KeyedClient(application, headers={"X-API-Key": created["api_key"]}) as api:
        answer = api.get(f"/v1/patients/{loop[0]}/timeline", params={"kind": KINDS})
    assert {item["kind"] for item in answer.json()["items"]} == {"message", "delivery_report", "answer"}
    assert "Sunrise" not in answer.text
    assert "coming" not in answer.text


@pytest.mark.parametrize(
    ("outcome", "state", "reason"), [("failed", "failed", "invalid_number"), ("unknown", "unknown", "timeout")]
)
def test_what_became_of_a_message_says_why(partner, network, outcome, state, reason):
    network.answers.append(Outcome(outcome, reason=reason))
    patient = partner.patient()
    partner.plan()
    shown = timeline(partner, patient)
    ends = [
        (e.kind, e.facts["state"], e.facts["reason"]) for each in shown.values() for e in each if "reason" in e.facts
    ]
    assert ends == [("delivery_report" if state == "failed" else "message", state, reason)]


def test_a_message_that_never_left_says_so_and_has_no_report(partner, network):
    patient = partner.patient()
    phone = partner.api.get(f"/v1/patients/{patient}").json()["phone"]
    receive(partner, phone, "STOP")
    partner.consent(patient)
    partner.plan()
    shown = timeline(partner, patient)
    assert [(e.facts["state"], e.facts["reason"]) for e in shown["message"]] == [("cancelled", "opted_out")]
    assert (shown["delivery_report"], network.sent) == ([], [])
    decisions = [e.facts["decision"] for e in sorted(shown["consent"], key=lambda e: e.known_from)]
    assert decisions == ["given", "withdrawn", "given"]


def test_a_first_no_is_no_withdrawal(partner):
    patient = partner.patient(consent=False)
    partner.consent(patient, agrees=False)
    assert [e.facts["decision"] for e in timeline(partner, patient)["consent"]] == ["declined"]


def test_as_of_a_day_only_what_had_happened_by_then_is_shown(partner, loop):
    patient, _phone, message = loop
    with partner.session() as session:
        row = session.get(Communication, UUID(message))
        row.created_at, row.sent_at = now() - timedelta(3), now() - timedelta(2)
        session.add(row)
        session.cursor().execute(
            "UPDATE patients SET known_from = now() - interval '9 days' WHERE uuid = %s", (patient,)
        )
    before = [partner.day - timedelta(days) for days in (3, 2, 4)]
    waiting, sent, nothing = (timeline(partner, patient, as_of=day) for day in before)
    assert [e.facts["state"] for e in waiting["message"]] == ["waiting"]
    assert [e.facts["state"] for e in sent["message"]] == ["sent"]
    assert not any([waiting["delivery_report"], sent["delivery_report"], sent["answer"], sent["consent"]])
    assert not any(nothing.values())
    assert [len(timeline(partner, patient, as_of=partner.day)[kind]) for kind in KINDS] == [1, 1, 1, 1]


def test_who_reaches_other_facilities_only_sees_nothing_of_this_one(partner, loop):
    patient = loop[0]
    other = f"G{uuid4().hex[:10]}"
    place = partner.api.post("/v1/facilities", json={"datim_id": other, "name": "Other"}).json()["id"]
    with partner.session() as session:
        own = patient_of_id(session, UUID(patient)).facility_uuid
        session.cursor().execute("UPDATE patients SET facility_uuid = %s WHERE uuid = %s", (place, patient))
    assert not any(timeline(partner, patient, reach=Reach(frozenset({UUID(place)}))).values())
    assert all(timeline(partner, patient, reach=Reach(frozenset({UUID(place), own}))).values())


def test_messages_to_a_merged_record_are_in_the_timeline_of_the_one_that_counts(partner, loop):
    merged_record, survivor = loop[0], partner.patient(consent=False)
    assert not any(timeline(partner, survivor).values())
    merged(partner, merged_record, survivor)
    assert [len(timeline(partner, survivor)[kind]) for kind in KINDS] == [1, 1, 1, 1]
    yesterday = partner.day - timedelta(1)
    with partner.session() as session:
        session.cursor().execute(
            "UPDATE communications SET created_at = now() - interval '2 days', sent_at = created_at"
        )
        session.cursor().execute(
            "UPDATE patients SET known_from = now() - interval '9 days' WHERE uuid = %s", (survivor,)
        )
    assert not any(timeline(partner, survivor, as_of=yesterday).values())


def test_who_reaches_assigned_patients_only_sees_the_messages_to_merged_records_too(partner, loop):
    person, survivor = uuid4(), partner.patient(consent=False)
    merged(partner, loop[0], survivor)
    with partner.session() as session:
        session.cursor().execute(
            "INSERT INTO patient_assignments (patient_uuid, person_id, assigned_at, assigned_by)"
            " VALUES (%s, %s, now(), 'test:1')",
            (survivor, person),
        )
    shown = timeline(partner, survivor, reach=Reach(assigned_to=person))
    assert [len(shown[kind]) for kind in KINDS] == [1, 1, 1, 1]


def test_the_reads_are_in_the_audit(partner, loop):
    timeline(partner, loop[0], permissions=frozenset())
    timeline(partner, loop[0])
    with partner.session() as session:
        rows = session.cursor().execute(
            "SELECT action, count(*) FROM audit_events WHERE subject_uuid = %s AND action = ANY(%s) GROUP BY 1",
            (loop[0], ["api:patient:timeline", "messages:message:read", "messages:consent:read"]),
        )
        counts = dict(rows.fetchall())
    assert counts == {"api:patient:timeline": 2, "messages:message:read": 1, "messages:consent:read": 1}
