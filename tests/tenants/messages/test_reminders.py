"""Reminders: planned for who consented and is expected, sent once, and found in the patient's history."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from sqlmodel import select

from core import metering
from core.entitlements import capped
from core.jobs import LeaseLost, enqueue
from core.jobs.worker import drain
from plugins.sdk import DeliveryReport, Outcome
from tenants.messages import sending
from tenants.messages.models import Communication
from tenants.messages.planning import PLAN
from tests.tenants.messages.conftest import Prepared


def test_a_reminder_goes_from_consent_to_the_history_of_the_patient(partner, network):
    phone = "0803 555 0101"
    patient = partner.patient(phone=phone, given_name="Zainab", family_name="Okonkwo")
    partner.plan()
    partner.plan()
    contact = partner.day + timedelta(2)
    assert [(to, text) for _, to, text in network.sent] == [
        (
            "+2348035550101",
            f"Sunrise: see you on {contact:%d/%m}. Reply 1 if you come, 2 if we should call. STOP ends this.",
        )
    ]
    (message,) = partner.messages(patient)
    assert (message["state"], message["contact_date"], message["segments"]) == ("sent", str(contact), 1)
    assert message["text"] == network.sent[0][2]
    report = DeliveryReport("delivered", reference=f"ref-{message['id']}", cost="2.80", currency="NGN")
    partner.publish("plugin.sms_reports", reports=[report])
    (message,) = partner.messages(patient)
    assert (message["state"], message["cost"], message["currency"]) == ("delivered", "2.8", "NGN")
    with partner.session() as session:
        row = session.exec(select(Communication).where(Communication.uuid == UUID(message["id"]))).one()
        assert b"0803" not in row.recipient_enc
        assert b"Sunrise" not in row.body_enc


def test_a_contact_is_reminded_of_two_days_and_one_day_before_and_each_part_is_metered(partner, network):
    def metered():
        with partner.session() as session:
            return metering.totals(session)["sms_segments"]

    patient, before = partner.patient(), metered()
    for later in (0, 0, 1, 1):
        with partner.session() as session:
            enqueue(session, PLAN, {"day": str(partner.day + timedelta(later))})
        drain(partner.tenant)
    contact = str(partner.day + timedelta(2))
    assert [(m["state"], m["contact_date"]) for m in partner.messages(patient)] == [("sent", contact)] * 2
    assert metered() - before == len(network.sent)


@pytest.mark.parametrize(
    ("expected", "consent"), [(3, True), (0, True), (2, False)], ids=["later", "today", "no consent"]
)
def test_nobody_else_gets_one(partner, network, expected, consent):
    patient = partner.patient(expected=expected, consent=consent)
    partner.plan()
    assert partner.messages(patient) == []


def test_who_came_meanwhile_gets_none(partner, network):
    patient = partner.patient()
    partner.set(first_hour=0, last_hour=24, free_weekdays=(), holidays=())
    with partner.session() as session:
        from tenants.messages.planning import plan_part

        assert plan_part(session, [UUID(patient)], partner.day) == 1
    partner.visit(patient, partner.day, partner.day + timedelta(28))
    drain(partner.tenant)
    (message,) = partner.messages(patient)
    assert (message["state"], message["reason"]) == ("cancelled", "came")
    assert network.sent == []


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [("died", "left_care"), ("moved", "left_care"), ("returned", "came"), ("wrong_number", "wrong_number")],
)
def test_what_became_of_an_attempt_stops_a_reminder(partner, network, outcome, reason):
    patient = partner.patient()
    body = {"id": str(uuid4()), "patient_id": patient, "outcome": outcome}
    assert partner.api.post("/v1/attempts", json=body).status_code == 201
    partner.plan()
    (message,) = partner.messages(patient)
    assert (message["state"], message["reason"]) == ("cancelled", reason)


def test_a_shared_phone_gets_none_unless_the_consent_covers_it(partner, network):
    phone = "0803 555 0202"
    first, second = partner.patient(phone=phone), partner.patient(phone=phone, expected=9)
    partner.plan()
    assert [m["reason"] for m in partner.messages(first)] == ["shared_phone"]
    partner.consent(second, "follow_up", shared_phone=True)
    assert partner.send(second).status_code == 202
    drain(partner.tenant)
    assert [(m["state"]) for m in partner.messages(second)] == ["sent"]


def test_a_field_with_two_numbers_is_used_by_nobody(partner, network):
    first = partner.patient(phone="08035550303/08035550304")
    partner.patient(phone="0803 555 0303", consent=False)
    other = partner.patient(phone="08035550305/08035550306")
    partner.plan()
    assert [m["reason"] for patient in (first, other) for m in partner.messages(patient)] == ["no_phone"] * 2


def test_an_old_consent_that_is_entered_late_undoes_no_withdrawal(partner, network):
    patient = partner.patient(consent=False)
    partner.consent(patient, day=str(partner.day - timedelta(20)), agrees=False)
    partner.consent(patient, day=str(partner.day - timedelta(40)), source="paper_form")
    partner.plan()
    assert [m["reason"] for m in partner.messages(patient)] == []
    partner.consent(patient, day=str(partner.day - timedelta(10)))
    partner.plan()
    assert [m["state"] for m in partner.messages(patient)][:1] == ["sent"]


def test_a_message_that_the_cap_of_the_plan_stops_is_cancelled(partner, network, monkeypatch):
    partner.consent(patient := partner.patient(), "follow_up")
    monkeypatch.setattr(sending, "allowed", lambda *_: capped("sms_segments", Decimal(10), partner.day, 60))
    assert partner.send(patient).status_code == 202
    drain(partner.tenant)
    assert [(m["state"], m["reason"]) for m in partner.messages(patient)] == [("cancelled", "plan")]
    assert network.sent == []


def test_a_phone_gets_as_many_messages_a_day_as_are_permitted(partner, network):
    partner.set(most_per_day=1)
    patient = partner.patient()
    partner.consent(patient, "follow_up")
    assert partner.send(patient).status_code == 202
    drain(partner.tenant)
    partner.plan()
    assert [(m["purpose"], m["state"], m["reason"]) for m in partner.messages(patient)] == [
        ("reminders", "cancelled", "daily_limit"),
        ("follow_up", "sent", None),
    ]
    assert partner.send(patient).status_code == 409


def test_quiet_hours_put_a_message_off(partner, network):
    patient = partner.patient(consent=False)
    partner.consent(patient, "follow_up")
    hour = datetime.now(UTC).astimezone().hour
    partner.set(free_weekdays=(), holidays=(partner.day,))
    sent = partner.send(patient)
    drain(partner.tenant)
    assert sent.json()["state"] == "waiting"
    assert datetime.fromisoformat(sent.json()["scheduled_for"]) > datetime.now(UTC), hour
    assert network.sent == []
    with partner.session() as session:
        row = session.get(Communication, UUID(sent.json()["id"]))
        assert sending._check(session, row.uuid, uuid4()) is None
        assert row.status == "waiting"
    answer = partner.api.post(f"/v1/messages/{sent.json()['id']}/cancel")
    assert (answer.json()["state"], answer.json()["reason"]) == ("cancelled", "person")
    assert partner.api.post(f"/v1/messages/{sent.json()['id']}/cancel").status_code == 409


@pytest.fixture
def message(partner, network):
    """A message to a patient, which waits for its job."""
    patient = partner.patient(consent=False)
    partner.consent(patient, "follow_up")
    answer = partner.send(patient)
    assert answer.status_code == 202, answer.text
    return answer.json()


def state_of(partner, message):
    shown = partner.api.get(f"/v1/messages/{message['id']}").json()
    return shown["state"], shown["reason"]


def begin(session, message, job):
    """Write that a message may leave, as a worker does just before; return whether it may."""
    ready = sending._check(session, UUID(message["id"]), job)
    return ready is not None and sending._begin(session, UUID(message["id"]), job, ready)


def test_a_worker_that_dies_before_a_message_can_leave_makes_nothing_unknown(partner, network, message, monkeypatch):
    whole, died = network.prepare, []

    def dying(*described, **facts):
        if not died:
            died.append(True)
            raise SystemError("the worker dies while the plugin describes the request")
        return whole(*described, **facts)

    monkeypatch.setattr(sending.gateway, "prepare", dying)
    drain(partner.tenant)
    with partner.session() as session:
        row = session.get(Communication, UUID(message["id"]))
        assert (died, row.status, row.attempts, row.sent_at) == ([True], "waiting", 0, None)
        session.cursor().execute("UPDATE node.jobs SET run_after = now() WHERE kind = 'messages.send'")
    drain(partner.tenant)
    assert state_of(partner, message) == ("sent", None)
    assert len(network.sent) == 1


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (lambda partner, message: partner.consent(message["patient_id"], "follow_up", agrees=False),
         ("cancelled", "no_consent")),
        (lambda partner, message: partner.api.post(f"/v1/messages/{message['id']}/cancel"), ("cancelled", "person")),
    ],
    ids=["consent", "a person"],
)  # fmt: skip
def test_what_changes_while_the_plugin_describes_a_message_counts(
    partner, network, message, monkeypatch, change, state
):
    whole = network.prepare

    def slow(*described, **facts):
        change(partner, message)
        return whole(*described, **facts)

    monkeypatch.setattr(sending.gateway, "prepare", slow)
    drain(partner.tenant)
    assert (state_of(partner, message), network.sent) == (state, [])


def test_a_text_that_changes_while_the_plugin_describes_it_is_described_again(partner, network, message, monkeypatch):
    whole = network.prepare

    def slow(*described, **facts):
        if not network.prepared:
            partner.set(phone="0803 111 1111")
        return whole(*described, **facts)

    monkeypatch.setattr(sending.gateway, "prepare", slow)
    drain(partner.tenant)
    drain(partner.tenant)
    assert [text for _, _, text in network.sent] == ["Sunrise: we miss you. Call 0803 111 1111."]
    assert len(network.prepared) == 2


def test_an_unknown_message_is_asked_for_and_never_sent_again(partner, network, message):
    network.answers = [Outcome("unknown", "timeout", "r1")]
    drain(partner.tenant)
    assert state_of(partner, message) == ("unknown", "timeout")
    drain(partner.tenant)
    assert len(network.sent) == 1
    network.reports["r1"] = DeliveryReport("delivered", reference="r1")
    with partner.session() as session, session.cursor() as cursor:
        cursor.execute("UPDATE node.jobs SET run_after = now() WHERE kind = 'messages.ask' AND state = 'queued'")
    drain(partner.tenant)
    assert network.asked == ["r1"]
    assert state_of(partner, message) == ("delivered", None)


def test_a_worker_that_died_while_it_sent_leaves_an_unknown_message(partner, network, message):
    job = uuid4()
    with partner.session() as session:
        assert begin(session, message, job)
    with partner.session() as session:
        assert not begin(session, message, uuid4())
    assert state_of(partner, message)[0] == "sending"
    with partner.session() as session:
        assert not begin(session, message, job)
    assert state_of(partner, message) == ("unknown", "interrupted")
    drain(partner.tenant)
    assert network.sent == []


def test_a_message_is_tried_again_only_if_the_gateway_did_not_take_it(partner, network, message):
    network.answers = [Outcome("retry", "rate_limited")]
    drain(partner.tenant)
    assert state_of(partner, message)[0] == "waiting"
    with partner.session() as session, session.cursor() as cursor:
        cursor.execute("UPDATE node.jobs SET run_after = now() WHERE kind = 'messages.send' AND state = 'queued'")
    drain(partner.tenant)
    assert state_of(partner, message) == ("sent", None)
    assert len({each[0] for each in network.sent}) == 1


def test_a_message_that_the_platform_held_back_loses_no_attempt(partner, network, message):
    network.answers = [Outcome("retry", "BreakerOpen", retry_after=timedelta(milliseconds=1))]
    drain(partner.tenant)
    with partner.session() as session:
        row = session.get(Communication, UUID(message["id"]))
        assert (row.status, row.attempts) == ("waiting", 0)
        assert row.scheduled_for >= row.updated_at + timedelta(seconds=0.9)
    assert partner.api.post(f"/v1/messages/{message['id']}/cancel").status_code == 200


@pytest.mark.parametrize(
    ("answer", "state"),
    [(Outcome("sent", reference="late"), ("sent", None)), (Outcome("failed", "blocked"), ("failed", "blocked"))],
)
def test_the_outcome_of_a_worker_that_lost_its_job_counts(partner, network, message, monkeypatch, answer, state):
    job = uuid4()

    def send(*_, **__):
        with partner.session() as session:
            begin(session, message, job)  # by the next worker
        assert state_of(partner, message) == ("unknown", "interrupted")
        return answer

    class Lost:
        """The context of a worker that loses its job while it sends."""

        job_id, actor, tenant, steps = job, "test:1", partner.tenant, 0

        @contextmanager
        def session(self):
            self.steps += 1
            if self.steps > 2:
                raise LeaseLost
            with partner.session() as session:
                yield session

    monkeypatch.setattr(sending.gateway, "prepare", lambda *_, **__: Prepared(send))
    with pytest.raises(LeaseLost):
        sending.send(Lost(), {"message_id": message["id"]})
    assert state_of(partner, message) == state


@pytest.mark.parametrize(("reason", "later"), [("invalid_number", "wrong_number"), ("unsubscribed", "opted_out")])
def test_a_number_that_fails_for_good_is_remembered(partner, network, message, reason, later):
    network.answers = [Outcome("failed", reason)]
    drain(partner.tenant)
    assert state_of(partner, message) == ("failed", reason)
    answer = partner.send(message["patient_id"])
    assert answer.status_code == 409
    with partner.session() as session:
        row = Communication(
            patient_uuid=UUID(message["patient_id"]), facility_uuid=uuid4(), communication_type="sms",
            purpose="follow_up", consent_basis="x", created_by="test:1",
        )  # fmt: skip
        with pytest.raises(sending.CancellationError) as cancelled:
            sending.check(session, row)
    assert cancelled.value.reason == later


def test_the_same_id_sends_one_message(partner, network, message):
    body = {name: message[name] for name in ("id", "patient_id", "purpose")}
    assert partner.api.post("/v1/messages", json=body).status_code == 202
    assert partner.api.post("/v1/messages", json=body | {"purpose": "surveys"}).status_code == 409
    drain(partner.tenant)
    assert len(network.sent) == 1


def test_a_report_that_comes_before_its_message_is_known_is_tried_again(partner, network, message):
    partner.publish("plugin.sms_reports", reports=[DeliveryReport("delivered", reference=f"ref-{message['id']}")])
    drain(partner.tenant)
    assert state_of(partner, message)[0] == "sent"
    with partner.session() as session, session.cursor() as cursor:
        cursor.execute("UPDATE node.jobs SET run_after = now() WHERE kind = 'messages.report' AND state = 'queued'")
    drain(partner.tenant)
    assert state_of(partner, message)[0] == "delivered"


def test_a_gateway_that_repeats_a_reference_sends_each_message_once(partner, network):
    network.answers = [Outcome("sent", reference="same"), Outcome("sent", reference="same")]
    patients = [partner.patient(), partner.patient()]
    partner.plan()
    assert len(network.sent) == 2
    assert [partner.messages(patient)[0]["state"] for patient in patients] == ["sent", "sent"]
