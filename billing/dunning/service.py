"""Takes the steps against overdue invoices, and the extras follow from what is still owed.

A reminder is sent one time. The extras go off again, with a notice, if an invoice is reopened after they were on again.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlmodel import col, select

from billing.dunning.models import DunningNotice
from billing.invoices.models import Invoice
from billing.invoices.repository import states_of
from billing.plans.service import Act, lock_account, record
from billing.plans.timeline import timelines_of

if TYPE_CHECKING:
    from uuid import UUID

    from sqlmodel import Session

    from billing.plans.timeline import Timeline
    from billing.terms import DunningStep

LIFTED: Final = -1
"""The step of the notice that the extras are on again."""

_CANDIDATES: Final = text(
    "SELECT tenant_id FROM platform.billing_accounts WHERE extras_off"
    " UNION SELECT tenant_id FROM platform.invoices WHERE state = 'final' AND due_on < :day ORDER BY tenant_id"
)


def candidates(session: Session, now: datetime) -> list[UUID]:
    """Return the tenants that may have a step due: those with overdue invoices, and those whose extras are off."""
    tomorrow = now.date() + timedelta(days=1)  # where the day is ahead of UTC
    return list(session.execute(_CANDIDATES, {"day": tomorrow}).scalars())


def take_steps(session: Session, tenant_id: UUID, *, now: datetime, act: Act) -> list[DunningNotice]:
    """Take the steps that are due against a tenant, and return their notices. Again, it takes none twice.

    The extras go off with the step of the plan that says so, and on when no invoice with such a step has anything to
    pay. Nothing else is ever switched off.

    Args:
        session: of the control database.
        tenant_id: the tenant.
        now: the present instant.
        act: who acts.
    """
    account = lock_account(session, tenant_id)
    today = now.astimezone(ZoneInfo(account.time_zone)).date()
    invoices = session.exec(
        select(Invoice).where(Invoice.tenant_id == tenant_id, Invoice.state == "final", Invoice.kind != "credit_note")
    ).all()
    overdue = [state.invoice for state in states_of(session, invoices) if state.is_overdue(today)]
    earlier = session.exec(
        select(DunningNotice).where(DunningNotice.tenant_id == tenant_id).order_by(col(DunningNotice.id))
    ).all()
    timelines = {each.id: each for each in timelines_of(session, tenant_id)}
    lifted = max((at for at, notice in enumerate(earlier) if notice.action == "extras_on"), default=-1)
    since = earlier[lifted + 1 :]
    taken = {(notice.invoice_id, notice.after_days) for notice in earlier if notice.action == "reminder"}
    taken |= {(notice.invoice_id, notice.after_days) for notice in since}
    notices = [
        DunningNotice(
            tenant_id=tenant_id,
            invoice_id=invoice.id,
            after_days=step.after_days,
            action=step.action,
            taken_on=today,
        )
        for invoice in overdue
        for step in _steps(timelines[invoice.subscription_id], invoice)
        if _is_due(invoice, step, today) and (invoice.id, step.after_days) not in taken
    ]
    stopped_by = {notice.invoice_id for notice in (*since, *notices) if notice.action == "extras_off"}
    is_off = bool(stopped_by & {invoice.id for invoice in overdue})
    if account.extras_off and not is_off:
        last = next(notice for notice in reversed(earlier) if notice.action == "extras_off")
        notices.append(
            DunningNotice(
                tenant_id=tenant_id, invoice_id=last.invoice_id, after_days=LIFTED, action="extras_on", taken_on=today
            )
        )
    if account.extras_off != is_off:
        account.extras_off = is_off
        session.add(account)
    for notice in notices:
        session.add(notice)
        record(session, act, f"dunning:{notice.action}", tenant_id, invoice=notice.invoice_id)
    session.flush()
    return notices


def notices_of(session: Session, tenant_id: UUID) -> list[DunningNotice]:
    """Return the notices of a tenant, the newest first."""
    query = select(DunningNotice).where(DunningNotice.tenant_id == tenant_id).order_by(col(DunningNotice.id).desc())
    return list(session.exec(query).all())


def _steps(timeline: Timeline, invoice: Invoice) -> tuple[DunningStep, ...]:
    """Return the steps of the terms that applied on the last day of the invoice's period."""
    last_day = invoice.period_end - timedelta(days=1)
    change = timeline.on(last_day) or timeline.changes[-1]
    return change.terms.dunning


def _is_due(invoice: Invoice, step: DunningStep, today: date) -> bool:
    return invoice.due_on is not None and invoice.due_on + timedelta(days=step.after_days) <= today
