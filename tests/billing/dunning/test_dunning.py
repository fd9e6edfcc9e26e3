"""Steps against overdue invoices, and what money never stops."""

from datetime import UTC, date, datetime
from decimal import Decimal
from threading import Event

import pytest

from billing.dunning import letters, loop
from billing.dunning.service import candidates, notices_of, take_steps
from billing.invoices.models import Invoice, Payment
from billing.invoices.payments import record_payment, void
from billing.plans.service import Act, get_account
from core.clock import frozen
from core.database import platform_session
from core.errors import Conflict
from core.tenancy import get_tenant

ACT = Act("system:billing", "system")
TERMS = {
    "base_fee": "100",
    "due_days": 10,
    "dunning": [
        {"after_days": 2, "action": "reminder"},
        {"after_days": 5, "action": "extras_off"},
        {"after_days": 9, "action": "reminder"},
    ],
}


def steps(partner, day):
    with platform_session() as session:
        moment = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=UTC)
        return [notice.action for notice in take_steps(session, partner.ref.id, now=moment, act=ACT)]


def extras_off(partner):
    with platform_session() as session:
        return get_account(session, partner.ref.id).extras_off


@pytest.fixture
def overdue(partner):
    """A partner whose invoice was due on 14 March."""
    partner.subscribe(TERMS, "2027-02-01", email="accounts@partner.example")
    (partner.invoice,) = partner.issue("2027-03-04")
    return partner


def pay(partner):
    with frozen(datetime(2027, 3, 20, 12, tzinfo=UTC)), platform_session() as session:
        record_payment(
            session, partner.invoice.id, Decimal(100), received_on=date(2027, 3, 20), method="bank",
            reference=str(partner.invoice.id), act=ACT,
        )  # fmt: skip


def reopen(partner):
    """Take the payment back, as a refund at Stripe does."""
    with platform_session() as session:
        session.add(
            Payment(
                tenant_id=partner.ref.id, invoice_id=partner.invoice.id, currency="USD", amount=Decimal(-100),
                received_on=date(2027, 3, 26), method="bank", reference=f"R-{partner.invoice.id}", recorded_by="test:1",
            )
        )  # fmt: skip
        session.get_one(Invoice, partner.invoice.id).state = "final"


def test_each_step_is_taken_one_time_on_its_day_and_payment_lifts_it(overdue):
    assert steps(overdue, "2027-03-14") == []
    assert steps(overdue, "2027-03-15") == []
    assert steps(overdue, "2027-03-16") == ["reminder"]
    assert steps(overdue, "2027-03-16") == []
    assert not extras_off(overdue)
    assert steps(overdue, "2027-03-19") == ["extras_off"]
    assert extras_off(overdue)
    pay(overdue)
    assert steps(overdue, "2027-03-20") == ["extras_on"]
    assert not extras_off(overdue)
    assert steps(overdue, "2027-04-20") == []


def test_a_refund_without_a_credit_note_is_rejected_and_reopens_no_dunning(overdue):
    pay(overdue)
    with pytest.raises(Conflict), platform_session() as session:
        record_payment(
            session, overdue.invoice.id, Decimal(-100), received_on=date(2026, 11, 30), method="bank", reference="R-1",
            act=ACT,
        )  # fmt: skip
    assert steps(overdue, "2027-04-20") == []
    assert not extras_off(overdue)


def test_a_reopened_invoice_switches_the_extras_off_again_with_a_notice(overdue):
    assert steps(overdue, "2027-03-24") == ["reminder", "extras_off", "reminder"]
    pay(overdue)
    assert steps(overdue, "2027-03-25") == ["extras_on"]
    reopen(overdue)
    assert steps(overdue, "2027-03-26") == ["extras_off"]
    assert extras_off(overdue)
    assert steps(overdue, "2027-03-26") == []
    with platform_session() as session:
        session.get_one(Invoice, overdue.invoice.id).state = "paid"
    assert steps(overdue, "2027-03-27") == ["extras_on"]


def test_a_cancelled_invoice_brings_no_letter_that_it_is_paid(overdue, monkeypatch):
    sent = []
    monkeypatch.setattr(letters.mail, "is_configured", lambda: True)
    monkeypatch.setattr(letters.mail, "send", sent.append)
    steps(overdue, "2027-03-24")
    with platform_session() as session:
        void(session, overdue.invoice.id, now=datetime(2027, 3, 24, 13, tzinfo=UTC), act=ACT)
    assert steps(overdue, "2027-03-25") == ["extras_on"]
    letters.send_due(overdue.ref.id)
    [letter] = sent
    assert "is cancelled: all functions are on again" in letter["Subject"]
    assert "Thank you" not in letter.get_content()


def test_a_worker_that_was_down_takes_all_steps_and_none_suspends(overdue):
    assert steps(overdue, "2027-04-20") == ["reminder", "extras_off", "reminder"]
    assert get_tenant(overdue.ref.slug).state == "active"


def test_the_loop_looks_at_overdue_tenants_and_those_whose_extras_are_off(overdue):
    with platform_session() as session:
        assert overdue.ref.id not in candidates(session, datetime(2027, 3, 13, 12, tzinfo=UTC))
        assert overdue.ref.id in candidates(session, datetime(2027, 3, 15, 12, tzinfo=UTC))
    steps(overdue, "2027-04-20")
    pay(overdue)
    with platform_session() as session:
        assert overdue.ref.id in candidates(session, datetime(2027, 4, 21, tzinfo=UTC))


def test_letters_are_sent_one_time_and_name_what_stops_and_what_never_does(overdue, monkeypatch):
    sent = []
    monkeypatch.setattr(letters.mail, "is_configured", lambda: True)
    monkeypatch.setattr(letters.mail, "send", sent.append)
    monkeypatch.setattr(loop, "now", lambda: datetime(2027, 4, 20, 12, tzinfo=UTC))
    monkeypatch.setattr(loop, "candidates", lambda *_: [overdue.ref.id])
    loop.look(Event())
    loop.look(Event())
    assert len({letter["Message-ID"] for letter in sent}) == len(sent) == 3
    assert {letter["To"] for letter in sent} == {"accounts@partner.example"}
    stopped = sent[1]
    assert "AI answers, SMS and new people are off" in stopped["Subject"]
    assert "Imports, lists, recording, reading and export work as before." in stopped.get_content()
    assert "USD 100.00" in stopped.get_content()
    with platform_session() as session:
        assert all(notice.mailed_at is not None for notice in notices_of(session, overdue.ref.id))
