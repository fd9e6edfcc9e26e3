"""Payments and refunds as Stripe states them, recorded on our invoices. Recording one again changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlmodel import select

from billing.invoices.models import Payment
from billing.invoices.payments import find_invoice, record_payment
from billing.payments import differences
from billing.payments.amounts import amount_of
from billing.plans.service import Act
from core.clock import today
from core.database import platform_session
from core.errors import AppError, NotFound

if TYPE_CHECKING:
    from decimal import Decimal

METHOD: Final = "stripe"
ACT: Final = Act(actor="system:stripe", source="system")


def apply_session(theirs: dict[str, Any]) -> bool:
    """Record the payment of a Checkout session, as Stripe answers it. Return whether it is paid.

    Sessions that are not ours are left alone.
    """
    invoice_id = _invoice_of(theirs)
    if invoice_id is None or theirs["payment_status"] != "paid":
        return False
    reference = str(theirs["payment_intent"] or theirs["id"])
    currency = str(theirs["currency"]).upper()
    amount = amount_of(int(theirs["amount_total"]), currency)
    try:
        _record(invoice_id, amount, currency, reference)
    except NotFound:
        return False  # of another installation with the same account
    except AppError as error:
        differences.note("payment", reference, "overpaid", ours=error.detail, theirs=f"{currency} {amount} paid")
    return True


def apply_refund(theirs: dict[str, Any]) -> None:
    """Record that money of a payment of ours was returned."""
    if theirs["status"] != "succeeded" or not theirs.get("payment_intent"):
        return
    with platform_session() as session:
        query = select(Payment).where(Payment.method == METHOD, Payment.reference == theirs["payment_intent"])
        payment = session.exec(query).one_or_none()
    if payment is None:
        return
    reference, amount = str(theirs["id"]), amount_of(int(theirs["amount"]), payment.currency)
    try:
        _record(payment.invoice_id, -amount, payment.currency, reference)
    except AppError as error:
        differences.note(
            "payment",
            reference,
            "refund_without_credit_note",
            ours=error.detail,
            theirs=f"{payment.currency} {amount} returned",
            tenant_id=payment.tenant_id,
        )


def recorded(reference: str) -> Payment | None:
    """Return our record of a payment or refund at Stripe."""
    with platform_session() as session:
        query = select(Payment).where(Payment.method == METHOD, Payment.reference == reference)
        return session.exec(query).one_or_none()


def _record(invoice_id: UUID, amount: Decimal, currency: str, reference: str) -> None:
    with platform_session() as session:
        invoice = find_invoice(session, invoice_id)
        if invoice.currency != currency:
            differences.note(
                "payment", reference, "overpaid", ours=invoice.currency, theirs=currency, tenant_id=invoice.tenant_id
            )
            return
        day = today(str(invoice.account["time_zone"]))
        record_payment(session, invoice_id, amount, received_on=day, method=METHOD, reference=reference, act=ACT)


def _invoice_of(theirs: dict[str, Any]) -> UUID | None:
    try:
        return UUID((theirs.get("metadata") or {})["invoice"])
    except (KeyError, ValueError):
        return None
