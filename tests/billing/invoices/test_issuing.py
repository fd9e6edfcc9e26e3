"""Invoices of partners whose months were computed by hand."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from click.testing import CliRunner
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from billing.invoices import commands, issuing
from billing.invoices.checking import recompute
from billing.invoices.computing import stored_lines
from billing.invoices.credits import credits_of, grant_credit
from billing.invoices.documents import document_of, invoice_csv, invoice_pdf
from billing.invoices.models import CreditUse, Invoice, InvoiceLine
from billing.invoices.payments import balance, credit_note, record_payment, void
from billing.invoices.preview import preview
from billing.plans.service import Act, change_subscription, create_version, end_subscription
from core.clock import frozen
from core.database import owner_session, platform_session, tenant_session
from core.errors import Conflict, Invalid
from core.metering.corrections import correct

ACT = Act("test:1", "cli", "A test")
TERMS = {
    "base_fee": "280",
    "due_days": 10,
    "meters": [{"meter": "sms_segments", "charge": {"model": "per_unit", "unit_price": "0.10"}, "included": 100}],
}


def noon(day):
    return datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=UTC)


def lines(invoice):
    with platform_session() as session:
        return [(line.kind, str(line.amount)) for line in stored_lines(session, invoice.id)]


def total(invoice):
    return str(invoice.total)


def test_a_month_is_drafted_when_it_ends_and_issued_after_the_grace(partner):
    partner.subscribe(TERMS, "2027-02-01", tax_rate="7.5")
    partner.use(350, "2027-02-28T22:30")  # 23:30 in Lagos
    partner.use(1000, "2027-02-28T23:30")  # in March there
    assert partner.issue("2027-02-28") == []
    (draft,) = partner.issue("2027-03-01")
    assert (draft.state, draft.number, total(draft)) == ("draft", None, "327.88")
    assert partner.issue("2027-03-03") == []
    (invoice,) = partner.issue("2027-03-04")
    assert invoice.id == draft.id
    assert (invoice.state, str(invoice.issued_on), str(invoice.due_on)) == ("final", "2027-03-04", "2027-03-14")
    assert lines(invoice) == [("base", "280.00"), ("usage", "25.00"), ("tax", "22.88")]  # 22.875
    assert partner.issue("2027-03-05") == []
    shown = CliRunner().invoke(commands.invoice, ["show", str(invoice.id)], catch_exceptions=False).output
    assert "250 \N{MULTIPLICATION SIGN} USD 0.1" in shown
    assert "without tax 305.00, tax 22.88, total USD 327.88" in shown
    with platform_session() as session:
        assert recompute(session, invoice).is_same


def test_use_within_the_grace_counts_for_its_month_and_later_use_for_the_next_invoice(partner):
    partner.subscribe(TERMS, "2027-02-01")
    partner.use(200, "2027-02-10T12:00")
    assert total(partner.issue("2027-03-01")[0]) == "290.00"
    partner.use(100, "2027-02-20T12:00", recorded="2027-03-02T12:00")
    assert total(partner.issue("2027-03-02")[0]) == "300.00"
    assert total(partner.issue("2027-03-04")[0]) == "300.00"
    key = partner.use(50, "2027-02-21T12:00", recorded="2027-03-10T12:00")
    (march,) = partner.issue("2027-04-04")
    assert lines(march) == [("base", "280.00"), ("usage", "0.00"), ("late_use", "5.00")]
    with platform_session() as session:
        assert recompute(session, march).is_same
    with tenant_session(partner.ref, actor="test:1") as session:
        correct(session, "sms_segments", key=key, reason="counted twice")
    partner.roll_up()
    (april,) = partner.issue("2027-05-04")
    assert lines(april) == [("base", "280.00"), ("usage", "0.00"), ("late_use", "-5.00")]


def test_two_invoices_of_one_run_are_the_same_when_they_are_computed_again(partner):
    partner.subscribe(TERMS, "2027-02-01")
    partner.issue("2027-03-04")
    partner.use(150, "2027-02-20T12:00", recorded="2027-03-10T12:00")
    march, april = partner.issue("2027-05-10")
    assert march.issued_at == april.issued_at
    assert [kind for kind, _ in lines(march)] == ["base", "usage", "late_use"]
    assert [kind for kind, _ in lines(april)] == ["base", "usage"]
    with platform_session() as session:
        assert recompute(session, march).is_same
        assert recompute(session, april).is_same


def test_late_use_after_the_end_of_a_subscription_gets_a_last_invoice(partner):
    partner.subscribe(TERMS, "2027-02-01")
    with platform_session() as session:
        end_subscription(session, partner.ref.id, date(2027, 3, 1), act=ACT)
    assert total(partner.issue("2027-03-04")[0]) == "280.00"
    partner.use(300, "2027-02-21T12:00", recorded="2027-03-10T12:00")
    (draft,) = partner.issue("2027-03-10")
    assert (draft.kind, draft.state) == ("late_use", "draft")
    partner.use(10, "2027-02-22T12:00", recorded="2027-03-11T12:00")
    (invoice,) = partner.issue("2027-03-14")
    assert (invoice.id, invoice.state, lines(invoice)) == (draft.id, "final", [("late_use", "21.00")])
    partner.use(10, "2027-03-22T12:00")  # no plan covers this day
    assert partner.issue("2027-04-30") == []


def test_another_currency_closes_the_period_and_late_use_stays_in_its_currency(partner):
    partner.subscribe(TERMS, "2027-02-01")
    with platform_session() as session:
        _, francs = create_version(session, f"f-{partner.ref.id.hex[-12:]}", {**TERMS, "currency": "XOF"}, act=ACT)
        change_subscription(session, partner.ref.id, date(2027, 2, 15), act=ACT, version=francs)
    first = partner.issue("2027-02-20")
    assert [(each.currency, total(each)) for each in first] == [("USD", "140.00")]
    partner.use(150, "2027-02-02T12:00", recorded="2027-03-02T12:00")
    documents = {(each.currency, each.kind): each for each in partner.issue("2027-03-04")}
    assert total(documents["XOF", "invoice"]) == "140"
    assert total(documents["USD", "late_use"]) == "10.00"  # 150 - 100 * 14 / 28 included


def test_usage_of_a_database_that_is_away_delays_the_invoice(partner, monkeypatch):
    partner.subscribe(TERMS, "2027-02-01")
    monkeypatch.setattr(issuing, "complete_until", lambda _: datetime(2027, 3, 3, 22, 59, tzinfo=UTC))
    assert [each.state for each in partner.issue("2027-03-20")] == ["draft"]
    monkeypatch.setattr(issuing, "complete_until", lambda _: datetime(2027, 3, 3, 23, 0, tzinfo=UTC))
    assert [each.state for each in partner.issue("2027-03-21")] == ["final"]


def test_credits_are_used_by_priority_and_return_when_the_invoice_is_void(partner):
    partner.subscribe(TERMS, "2027-02-01", tax_rate="10")
    with platform_session() as session:
        for value, priority, expires in (("100", 50, None), ("40", 10, date(2027, 2, 8)), ("500", 60, None)):
            grant_credit(
                session, partner.ref.id, Decimal(value), "USD", today=date(2027, 2, 1), act=ACT, priority=priority,
                expires_on=expires,
            )  # fmt: skip
    (invoice,) = partner.issue("2027-03-04")
    # The one that expires after 7 of 28 days pays at most 70; then 100, and the rest.
    assert lines(invoice) == [
        ("base", "280.00"), ("usage", "0.00"), ("credit", "-40"), ("credit", "-100"), ("credit", "-140.00"),
        ("tax", "0.00"),
    ]  # fmt: skip
    assert (invoice.state, total(invoice)) == ("paid", "0.00")
    with platform_session() as session:
        assert [str(state.left) for state in credits_of(session, partner.ref.id)] == ["0", "0", "360.00"]
        void(session, invoice.id, now=noon("2027-03-05"), act=ACT)
    with platform_session() as session:
        assert [str(state.left) for state in credits_of(session, partner.ref.id)] == ["40", "100", "500.00"]
    (again,) = partner.issue("2027-03-05")
    assert (again.number, lines(again)) == ((invoice.number or 0) + 1, lines(invoice))


def test_a_void_invoice_is_issued_again_while_the_next_period_has_a_draft(partner):
    partner.subscribe(TERMS, "2027-02-01")
    partner.use(350, "2027-02-10T12:00")
    (february,) = partner.issue("2027-03-04")
    partner.use(450, "2027-03-10T12:00")
    assert [total(each) for each in partner.issue("2027-04-01")] == ["315.00"]
    with platform_session() as session:
        void(session, february.id, now=noon("2027-04-02"), act=ACT)
    documents = partner.issue("2027-04-05")
    assert [(str(each.period_start), each.state, total(each)) for each in documents] == [
        ("2027-02-01", "final", "305.00"),
        ("2027-03-01", "final", "315.00"),
    ]
    with platform_session() as session:
        assert all(recompute(session, each).is_same for each in documents)


def test_a_draft_follows_other_days_of_its_period(partner):
    partner.subscribe(TERMS, "2027-02-01")
    assert [total(each) for each in partner.issue("2027-03-01")] == ["280.00"]
    with platform_session() as session:
        _, francs = create_version(session, f"f-{partner.ref.id.hex[-12:]}", {**TERMS, "currency": "XOF"}, act=ACT)
        change_subscription(session, partner.ref.id, date(2027, 2, 1), act=ACT, version=francs)
    assert [(each.currency, total(each)) for each in partner.issue("2027-03-02")] == [("XOF", "280")]
    with platform_session() as session:
        end_subscription(session, partner.ref.id, date(2027, 2, 15), act=ACT)
    (invoice,) = partner.issue("2027-03-04")
    assert (str(invoice.period_end), invoice.state, total(invoice)) == ("2027-02-15", "final", "140")
    with platform_session() as session:
        assert session.exec(select(Invoice.state).where(Invoice.tenant_id == partner.ref.id)).all() == ["final"]


def test_an_amount_below_zero_is_carried_to_the_next_invoice(partner):
    partner.subscribe({**TERMS, "base_fee": "0"}, "2027-02-01")
    key = partner.use(1100, "2027-02-10T12:00")
    assert total(partner.issue("2027-03-04")[0]) == "100.00"
    with tenant_session(partner.ref, actor="test:1") as session:
        correct(session, "sms_segments", key=key, reason="counted twice")
    partner.roll_up()
    (march,) = partner.issue("2027-04-04")
    assert lines(march) == [("usage", "0.00"), ("late_use", "-100.00"), ("carried", "100.00")]
    assert (march.state, total(march)) == ("paid", "0.00")
    partner.use(1600, "2027-04-10T12:00")
    (april,) = partner.issue("2027-05-04")
    assert lines(april) == [("usage", "150.00"), ("credit", "-100.00")]


def test_payments_credit_notes_and_refunds_add_up(partner):
    partner.subscribe(TERMS, "2027-02-01", tax_rate="10")
    (invoice,) = partner.issue("2027-03-04")
    assert total(invoice) == "308.00"
    day = date(2027, 3, 10)

    def pay(value, reference, act=ACT, on=day):
        with frozen(noon("2027-03-10")), platform_session() as session:
            return record_payment(
                session, invoice.id, Decimal(value), received_on=on, method="bank", reference=reference, act=act
            )

    first = f"A-{invoice.id}"
    assert pay("300", first).id == pay("300", first).id  # the same payment counts one time
    with pytest.raises(Conflict, match="for another amount"):
        pay("200", first)
    with pytest.raises(Conflict, match=r"USD 8\.00 to pay"):
        pay("9", f"B-{invoice.id}")
    with pytest.raises(Invalid):
        pay("0.001", f"B-{invoice.id}")
    with pytest.raises(Invalid, match="is no amount in USD"):
        pay("1e40", f"B-{invoice.id}")
    with pytest.raises(Invalid, match="lies ahead"):
        pay("8", f"B-{invoice.id}", on=date(2027, 3, 12))
    pay("8", f"B-{invoice.id}")
    with platform_session() as session:
        stored = session.get_one(Invoice, invoice.id)
        assert (stored.state, stored.paid_on) == ("paid", day)
        note = credit_note(session, invoice.id, now=noon("2027-03-11"), act=ACT, amount=Decimal(100))
        assert (note.kind, note.series, total(note)) == ("credit_note", "CN-2027", "-110.00")
        assert balance(session, stored) == -110
        with pytest.raises(Invalid, match="nothing to correct"):
            credit_note(session, invoice.id, now=noon("2027-03-11"), act=ACT, amount=Decimal("1e40"))
        for value, currency in (("1e40", "USD"), ("5", "us"), ("5", "")):
            with pytest.raises(Invalid):
                grant_credit(session, partner.ref.id, Decimal(value), currency, today=day, act=ACT)
        with pytest.raises(Conflict, match="left to correct"):
            credit_note(session, invoice.id, now=noon("2027-03-11"), act=ACT, amount=Decimal(181))
    pay("-110", f"C-{invoice.id}")
    with platform_session() as session:
        rest = credit_note(session, invoice.id, now=noon("2027-03-12"), act=ACT)
        assert total(rest) == "-198.00"
        with pytest.raises(Conflict):
            void(session, invoice.id, now=noon("2027-03-12"), act=ACT)


def test_an_exempt_account_pays_no_tax_and_says_why(partner):
    partner.subscribe(TERMS, "2027-02-01", tax_rate="7.5", tax_exemption="NGO, certificate 17", purchase_order="PO-9")
    (invoice,) = partner.issue("2027-03-04")
    assert (total(invoice), str(invoice.tax)) == ("280.00", "0.00")
    with platform_session() as session:
        document = document_of(session, invoice)
    assert invoice_pdf(document).startswith(b"%PDF")
    assert invoice_csv(document).splitlines()[1].endswith(",USD,280.00")


def test_an_issued_document_never_changes_even_for_the_owner(partner):
    partner.subscribe(TERMS, "2027-02-01")
    (invoice,) = partner.issue("2027-03-04")
    changes = (
        "UPDATE platform.invoices SET total = 1, subtotal = 1 WHERE id = '{id}'",
        "UPDATE platform.invoices SET state = 'draft' WHERE id = '{id}'",
        "DELETE FROM platform.invoices WHERE id = '{id}'",
        "DELETE FROM platform.invoice_lines WHERE invoice_id = '{id}'",
        "UPDATE platform.invoice_lines SET amount = 0 WHERE invoice_id = '{id}'",
        (
            "INSERT INTO platform.invoice_lines (invoice_id, position, kind, description, steps, amount) VALUES"
            " ('{id}', 99, 'base', 'x', '[]', 1)"
        ),
        "UPDATE platform.plan_versions SET terms = '{{}}'",
        "DELETE FROM platform.subscription_changes",
        "UPDATE platform.credit_uses SET amount = 1",
    )
    with platform_session() as session:
        session.add(CreditUse(credit_id=_credit(session, partner), invoice_id=invoice.id, amount=Decimal(1)))
    for change in changes:
        with pytest.raises(DBAPIError, match="never change"), owner_session() as session:
            session.connection().exec_driver_sql(change.format(id=invoice.id))
    with platform_session() as session:
        assert session.exec(select(InvoiceLine).where(InvoiceLine.invoice_id == invoice.id)).all()


def _credit(session, partner):
    return grant_credit(session, partner.ref.id, Decimal(5), "USD", today=date(2027, 2, 1), act=ACT).id


def test_days_that_are_invoiced_cannot_get_other_terms(partner):
    partner.subscribe(TERMS, "2027-02-01")
    partner.issue("2027-03-04")
    with platform_session() as session:
        with pytest.raises(Conflict, match="are invoiced"):
            change_subscription(session, partner.ref.id, date(2027, 2, 20), act=ACT)
        with pytest.raises(Conflict, match="are invoiced"):
            end_subscription(session, partner.ref.id, date(2027, 2, 20), act=ACT)
        change_subscription(session, partner.ref.id, date(2027, 3, 1), act=ACT)


def test_the_preview_shows_the_period_so_far_and_at_the_same_rate(partner):
    partner.subscribe(TERMS, "2027-02-01")
    partner.use(350, "2027-02-03T12:00")
    with platform_session() as session:
        running = preview(session, partner.ref.id, now=datetime(2027, 2, 7, 23, 0, tzinfo=UTC))
    assert running is not None
    assert (str(running.total), str(running.forecast_total)) == ("305.00", "410.00")  # 350 * 28 / 7 = 1400
