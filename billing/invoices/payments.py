"""Payments: money received for invoices and returned, what is still owed, credit notes, and cancellation."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func
from sqlmodel import col, select

from billing.invoices.computing import ISSUED, issued_before
from billing.invoices.issuing import add_lines, number_document
from billing.invoices.lines import Line
from billing.invoices.models import Credit, CreditUse, Invoice, Payment
from billing.plans.models import Subscription
from billing.plans.service import Act, lock_account, record
from billing.terms import Money, is_amount, rounded
from core.clock import now as present
from core.clock import today
from core.errors import Conflict, Invalid, NotFound, phrase

if TYPE_CHECKING:
    from sqlmodel import Session

_ZERO: Final = Decimal(0)
_LATEST_ZONE: Final = "Pacific/Kiritimati"
"""Where a day begins first: a payment of today is never of tomorrow, wherever the operator is."""


def find_invoice(session: Session, invoice_id: UUID, *, tenant_id: UUID | None = None) -> Invoice:
    """Return a document, of one tenant if ``tenant_id`` is given.

    Raises:
        NotFound: there is none.
    """
    invoice = session.get(Invoice, invoice_id, populate_existing=True)
    if invoice is None or (tenant_id is not None and invoice.tenant_id != tenant_id):
        raise NotFound("there is no such invoice")
    return invoice


def balance(session: Session, invoice: Invoice) -> Decimal:
    """Return what is owed for an invoice: its total less credit notes and payments. Below 0 if too much was paid."""
    noted = session.exec(
        select(func.coalesce(func.sum(Invoice.total), 0)).where(
            Invoice.corrects == invoice.id, col(Invoice.state).in_(ISSUED)
        )
    ).one()
    return invoice.total + noted - _received(session, invoice.id)


def record_payment(
    session: Session,
    invoice_id: UUID,
    amount: Decimal,
    *,
    received_on: date,
    method: str,
    reference: str,
    act: Act,
) -> Payment:
    """Record money received for an invoice, or returned (below 0). The same method and reference count one time.

    Args:
        session: of the control database.
        invoice_id: an issued invoice.
        amount: in the currency of the invoice; at most what is owed, or at least what was paid too much.
        received_on: the day of the money.
        method: such as ``bank_transfer``.
        reference: names the payment, such as the bank's reference.
        act: who records it.

    Raises:
        NotFound: there is no such invoice.
        Invalid: the amount is 0 or finer than the currency, the day lies ahead, or there is no reference.
        Conflict: nothing is owed (or to be returned) to that amount, or the reference names another payment.
    """
    if received_on > today(_LATEST_ZONE):
        detail = phrase("the payment would be of {day}, which lies ahead", day=received_on)
        raise Invalid(detail, remedy="Send the day on which the money arrived.")
    invoice = _locked(session, invoice_id)
    if not amount or not is_amount(amount, invoice.currency):
        detail = phrase("{amount} is no amount in {currency}", amount=amount, currency=invoice.currency)
        raise Invalid(detail, remedy="Write an amount with the decimals that the currency has.")
    if not method or not reference:
        raise Invalid("a payment needs a method and a reference", remedy="Send the reference that the bank states.")
    earlier = session.exec(
        select(Payment).where(Payment.method == method, Payment.reference == reference)
    ).one_or_none()
    if earlier is not None:
        if (earlier.invoice_id, earlier.amount) == (invoice_id, amount):
            return earlier
        detail = phrase("the payment {reference} is recorded for another amount or invoice", reference=reference)
        raise Conflict(detail, remedy="Check the reference.")
    if invoice.state not in ISSUED or invoice.kind == "credit_note":
        raise Conflict(
            phrase("{number} is no issued invoice: it is {state}", number=invoice.label, state=invoice.state)
        )
    owed = balance(session, invoice)
    if amount > max(owed, _ZERO) or amount < min(owed, _ZERO):
        detail = phrase("{number} has {owed} to pay", number=invoice.label, owed=Money(owed, invoice.currency))
        raise Conflict(detail, remedy="Record at most that; grant a credit for what was paid above it.")
    payment = Payment(
        tenant_id=invoice.tenant_id,
        invoice_id=invoice.id,
        currency=invoice.currency,
        amount=amount,
        received_on=received_on,
        method=method,
        reference=reference,
        recorded_at=present(),
        recorded_by=act.actor,
    )
    session.add(payment)
    session.flush()
    _settle(session, invoice, received_on)
    record(session, act, "payment:record", invoice.tenant_id, invoice=invoice.id, amount=amount, method=method)
    return payment


def credit_note(
    session: Session, invoice_id: UUID, *, now: datetime, act: Act, amount: Decimal | None = None
) -> Invoice:
    """Issue a credit note for an invoice, or a part of it. Its amounts are below 0, and its tax is in proportion.

    Args:
        session: of the control database.
        invoice_id: an issued invoice.
        now: the present instant.
        act: who, and why: the reason is on the credit note.
        amount: without tax; all that no credit note has corrected yet when None.

    Raises:
        NotFound: there is no such invoice.
        Conflict: it is no issued invoice, or less of it is left to correct.
        Invalid: the amount is not above 0, or finer than the currency.
    """
    invoice = _locked(session, invoice_id)
    if invoice.state not in ISSUED or invoice.kind == "credit_note":
        raise Conflict(
            phrase("{number} is no issued invoice: it is {state}", number=invoice.label, state=invoice.state)
        )
    notes = session.exec(select(Invoice).where(Invoice.corrects == invoice.id, col(Invoice.state).in_(ISSUED))).all()
    left = invoice.subtotal + sum((note.subtotal for note in notes), _ZERO)
    tax_left = invoice.tax + sum((note.tax for note in notes), _ZERO)
    net = left if amount is None else amount
    if net <= 0 or not is_amount(net, invoice.currency):
        detail = phrase("there is nothing to correct to the amount of {amount}", amount=net)
        raise Invalid(detail, remedy="Write an amount above 0 with the decimals that the currency has.")
    if net > left:
        raise Conflict(phrase("{left} of {number} is left to correct", left=left, number=invoice.label))
    tax = tax_left if net == left else rounded(invoice.tax * net / invoice.subtotal, invoice.currency)
    note = Invoice(
        tenant_id=invoice.tenant_id,
        subscription_id=invoice.subscription_id,
        kind="credit_note",
        currency=invoice.currency,
        period_start=invoice.period_start,
        period_end=invoice.period_end,
        as_of=invoice.as_of,
        account=invoice.account,
        subtotal=-net,
        tax=-tax,
        total=-net - tax,
        corrects=invoice.id,
        reason=act.reason,
        created_at=now,
    )
    session.add(note)
    session.flush()
    lines = [Line("correction", act.reason or f"Correction of {invoice.label}", -net)]
    if tax:
        lines.append(Line("tax", str(invoice.account["tax_name"]), -tax))
    add_lines(session, note.id, lines)
    today = _day(invoice, now)
    number_document(session, note, f"CN-{today.year}", now=now, today=today, act=act)
    _settle(session, invoice, today)
    record(
        session, act, "invoice:credit_note", invoice.tenant_id, invoice=invoice.id, number=note.label, total=note.total
    )
    return note


def void(session: Session, invoice_id: UUID, *, now: datetime, act: Act) -> Invoice:
    """Cancel the newest invoice of a subscription. The next run drafts its period again, under the next number.

    Raises:
        NotFound: there is no such invoice.
        Conflict: it is no unpaid issued invoice, a later one builds on it, or its carried credit is used.
    """
    invoice = _locked(session, invoice_id)
    issued = issued_before(session, invoice.subscription_id)
    newest = sorted(issued, key=lambda each: (each.issued_at or now, each.number or 0))[-1:]
    if invoice.state not in ISSUED or invoice.kind == "credit_note" or _received(session, invoice.id):
        raise Conflict(
            phrase("{number} is no unpaid invoice", number=invoice.label), remedy="Correct it with a credit note."
        )
    if not newest or newest[0].id != invoice.id or balance(session, invoice) != invoice.total:
        detail = phrase("later documents build on {number}", number=invoice.label)
        raise Conflict(detail, remedy="Correct it with a credit note.")
    _return_credits(session, invoice)
    invoice.state, invoice.voided_on, invoice.void_reason = "void", _day(invoice, now), act.reason
    session.add(invoice)
    session.flush()  # first: a trigger compares ``invoiced_until`` with the issued invoices
    if invoice.kind == "invoice":
        subscription = session.get_one(Subscription, invoice.subscription_id)
        subscription.invoiced_until = session.exec(
            select(func.max(Invoice.period_end)).where(
                Invoice.subscription_id == subscription.id,
                Invoice.kind == "invoice",
                col(Invoice.state).in_(ISSUED),
            )
        ).one()
        session.add(subscription)
    session.flush()
    record(session, act, "invoice:void", invoice.tenant_id, invoice=invoice.id, number=invoice.label)
    return invoice


def _return_credits(session: Session, invoice: Invoice) -> None:
    """Return the credits that an invoice used, and use up the credit that it carried on."""
    carried = session.exec(select(Credit).where(Credit.invoice_id == invoice.id)).all()
    for credit in carried:
        if session.exec(select(CreditUse.id).where(CreditUse.credit_id == credit.id).limit(1)).first() is not None:
            detail = phrase("the credit that {number} carried on is used", number=invoice.label)
            raise Conflict(detail, remedy="Correct it with a credit note.")
        session.add(CreditUse(credit_id=credit.id, invoice_id=invoice.id, amount=credit.amount, used_at=present()))
    uses = session.exec(select(CreditUse).where(CreditUse.invoice_id == invoice.id)).all()
    for use in [each for each in uses if each.credit_id not in {credit.id for credit in carried}]:
        session.add(CreditUse(credit_id=use.credit_id, invoice_id=invoice.id, amount=-use.amount, used_at=present()))


def _settle(session: Session, invoice: Invoice, day: date) -> None:
    """Mark an invoice as paid when nothing is owed, and as final again when something is."""
    owed = balance(session, invoice)
    state = "paid" if owed <= 0 else "final"
    if state != invoice.state:
        invoice.state, invoice.paid_on = state, day if state == "paid" else None
        session.add(invoice)
        session.flush()


def _received(session: Session, invoice_id: UUID) -> Decimal:
    return session.exec(
        select(func.coalesce(func.sum(Payment.amount), 0)).where(Payment.invoice_id == invoice_id)
    ).one()


def _locked(session: Session, invoice_id: UUID) -> Invoice:
    lock_account(session, find_invoice(session, invoice_id).tenant_id)
    return find_invoice(session, invoice_id)


def _day(invoice: Invoice, now: datetime) -> date:
    return now.astimezone(ZoneInfo(str(invoice.account["time_zone"]))).date()
