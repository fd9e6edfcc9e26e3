"""Credits: amounts that pay for use before money does, by priority, and never for use after they expire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import func
from sqlmodel import col, select

from billing.invoices.lines import Line
from billing.invoices.models import Credit, CreditUse
from billing.plans.service import Act, lock_account, record
from billing.terms import is_amount, is_currency
from core.clock import now
from core.errors import Conflict, FieldError, Invalid, NotFound, phrase

if TYPE_CHECKING:
    from uuid import UUID

    from sqlmodel import Session

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class CreditState:
    """A credit and what is left of it."""

    credit: Credit
    left: Decimal


def grant_credit(
    session: Session,
    tenant_id: UUID,
    amount: Decimal,
    currency: str,
    *,
    today: date,
    act: Act,
    priority: int = 50,
    expires_on: date | None = None,
) -> Credit:
    """Grant a credit, which the next invoices in its currency use.

    Args:
        session: of the control database.
        tenant_id: the tenant; it needs an account.
        amount: above 0, in the decimals of the currency.
        currency: ISO 4217.
        today: the day of the grant.
        act: who, and why: the reason is on the invoice.
        priority: 0 to 100; credits with a smaller number are used first.
        expires_on: the first day for which it does not pay.

    Raises:
        NotFound: the tenant has no account.
        Invalid: the amount, the currency, the priority or the day of expiry is not valid.
    """
    if not is_currency(currency):
        detail = phrase("{currency} is not a currency", currency=repr(currency))
        raise Invalid(detail, remedy="Write the three capital letters of ISO 4217, such as NGN.")
    if amount <= 0 or not is_amount(amount, currency):
        detail = phrase("{amount} is no amount in {currency} above 0", amount=amount, currency=currency)
        raise Invalid(detail, remedy="Write an amount above 0 with the decimals that the currency has.")
    if not 0 <= priority <= 100:  # noqa: PLR2004 - as the table's check
        raise Invalid("the priority must be from 0 to 100")
    if expires_on is not None and expires_on <= today:
        raise Invalid(phrase("the credit would expire on {day}, before it is granted", day=expires_on))
    lock_account(session, tenant_id)
    credit = Credit(
        tenant_id=tenant_id,
        currency=currency,
        amount=amount,
        priority=priority,
        granted_on=today,
        expires_on=expires_on,
        reason=act.reason or "Credit",
        created_at=now(),
        created_by=act.actor,
    )
    session.add(credit)
    session.flush()
    record(session, act, "credit:grant", tenant_id, credit=credit.id, amount=amount, currency=currency)
    return credit


def revoke_credit(session: Session, tenant_id: UUID, credit_id: UUID, *, act: Act) -> CreditState:
    """Revoke what is left of a credit, by an entry against it. What invoices used of it stays used.

    Args:
        session: of the control database.
        tenant_id: the tenant.
        credit_id: its credit.
        act: who, and why.

    Raises:
        NotFound: the tenant has no such credit, or no account.
        Conflict: nothing of it is left.
        Invalid: there is no reason.
    """
    if not act.reason.strip():
        raise Invalid("a reason is needed", errors=[FieldError("reason", "is empty", "Say why; name no person.")])
    lock_account(session, tenant_id)
    state = next((each for each in credits_of(session, tenant_id) if each.credit.id == credit_id), None)
    if state is None:
        raise NotFound("the partner has no such credit")
    if state.left <= 0:
        raise Conflict("nothing is left of the credit", remedy="What invoices used of it stays used.")
    session.add(CreditUse(credit_id=credit_id, amount=state.left, reason=act.reason.strip(), used_at=now()))
    session.flush()
    currency = state.credit.currency
    record(session, act, "credit:revoke", tenant_id, credit=credit_id, amount=state.left, currency=currency)
    return CreditState(state.credit, _ZERO)


def credits_of(session: Session, tenant_id: UUID, currency: str | None = None) -> list[CreditState]:
    """Return the credits of a tenant in the order of their use, spent ones too."""
    used = (
        select(col(CreditUse.credit_id).label("credit_id"), func.sum(CreditUse.amount).label("used"))
        .group_by(col(CreditUse.credit_id))
        .subquery()
    )
    query = (
        select(Credit, func.coalesce(used.c.used, 0))
        .join(used, used.c.credit_id == Credit.id, isouter=True)
        .where(Credit.tenant_id == tenant_id)
        .order_by(
            col(Credit.priority), col(Credit.expires_on).asc().nulls_last(), col(Credit.granted_on), col(Credit.id)
        )
    )
    if currency is not None:
        query = query.where(Credit.currency == currency)
    return [CreditState(credit, credit.amount - used_amount) for credit, used_amount in session.exec(query).all()]


def credit_lines(
    states: list[CreditState], subtotal: Decimal, start: date, end: date, used_by: Callable[[date], Decimal]
) -> list[Line]:
    """Return the lines that credits pay, with amounts below 0.

    A credit that expires within the period pays at most what had been used when it expired.

    Args:
        states: the credits in the order of their use.
        subtotal: what there is to pay.
        start: first day of the period. A credit that expired before pays nothing.
        end: first day after the period.
        used_by: returns what the use up to a day costs.
    """
    lines: list[Line] = []
    paid = _ZERO
    for state in states:
        expires_on = state.credit.expires_on
        if state.left <= 0 or (expires_on is not None and expires_on <= start):
            continue
        most = subtotal if expires_on is None or expires_on >= end else min(subtotal, used_by(expires_on))
        amount = min(state.left, most - paid)
        if amount <= 0:
            continue
        paid += amount
        lines.append(Line("credit", state.credit.reason, -amount, reference=state.credit.id))
    return lines


def use_credits(session: Session, invoice_id: UUID, lines: list[Line]) -> None:
    """Record the use of the credits that the lines of an invoice name."""
    for line in lines:
        if line.kind == "credit" and line.reference is not None:
            session.add(CreditUse(credit_id=line.reference, invoice_id=invoice_id, amount=-line.amount, used_at=now()))
