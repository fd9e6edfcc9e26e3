"""Drafts and issues invoices, step by step: each step is one transaction, and the next run resumes a killed one.

A draft is computed when its period has ended, and again as long as use arrives. After the grace, when the use of every
data database until then is rolled up, it is issued: it gets the next number of its series in the same transaction, so
a number is never missing and never used twice.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import delete, text
from sqlmodel import col, select

from billing.invoices.computing import Computation, issued_before
from billing.invoices.credits import credit_lines, credits_of, use_credits
from billing.invoices.issuer import issuer
from billing.invoices.lines import Line
from billing.invoices.models import Credit, Invoice, InvoiceLetter, InvoiceLine
from billing.plans.models import BillingAccount, Subscription
from billing.plans.service import Act, lock_account, record
from billing.plans.timeline import BillingPeriod, Timeline, timelines_of
from billing.terms import Period, rounded
from billing.terms.periods import midnight
from core.metering.hours import complete_until, newest_batch

if TYPE_CHECKING:
    from uuid import UUID

    from sqlmodel import Session

_ZERO = Decimal(0)
_HUNDRED = Decimal(100)
_NEXT = text(
    "INSERT INTO platform.number_series (series, last) VALUES (:series, 1)"
    " ON CONFLICT (series) DO UPDATE SET last = number_series.last + 1 RETURNING last"
)


def advance(session: Session, tenant_id: UUID, *, now: datetime, act: Act) -> Invoice | None:
    """Take the next step for a tenant: draft or issue one document. Returns it, or None if nothing is due.

    Args:
        session: of the control database; commit it, and call again until None comes back.
        tenant_id: the tenant.
        now: the present instant.
        act: who issues.
    """
    account = lock_account(session, tenant_id)
    zone = ZoneInfo(account.time_zone)
    today = now.astimezone(zone).date()
    for timeline in timelines_of(session, tenant_id):
        period = _next_period(timeline, today)
        _delete_other_drafts(session, timeline, period)
        if period is not None:
            return _advance_period(session, account, timeline, period, now=now, act=act)
        for currency in _closed_currencies(session, timeline, today):
            document = _advance_late_use(session, account, timeline, currency, now=now, act=act)
            if document is not None:
                return document
    return None


def _closed_currencies(session: Session, timeline: Timeline, today: date) -> list[str]:
    """Return the currencies in which invoices were issued and no next invoice will take late use along."""
    running = timeline.on(today)
    invoiced = {each.currency for each in issued_before(session, timeline.id)}
    return sorted(invoiced - {running.terms.currency if running is not None else None})


def _next_period(timeline: Timeline, today: date) -> BillingPeriod | None:
    """Return the oldest period that has ended without an issued invoice."""
    for period in timeline.periods(today):
        if timeline.invoiced_until is None or period.days.start >= timeline.invoiced_until:
            return period if period.days.end <= today else None
    return None


def _advance_period(
    session: Session, account: BillingAccount, timeline: Timeline, period: BillingPeriod, *, now: datetime, act: Act
) -> Invoice | None:
    zone = ZoneInfo(account.time_zone)
    grace = timeline.parts(period)[-1].terms.grace_days
    grace_end = midnight(period.days.end + timedelta(days=grace), zone)
    is_due = now >= grace_end and complete_until(session) >= grace_end
    draft = _draft_of(session, timeline.id, "invoice", period.currency)
    batch = newest_batch(session)
    if not is_due and draft is not None and draft.as_of == batch:
        return None
    computation = Computation(timeline, zone, batch, issued_before(session, timeline.id))
    lines = [*computation.of_period(session, period), *computation.of_late_use(session, period.currency)]
    if draft is None:
        draft = Invoice(
            tenant_id=timeline.tenant_id,
            subscription_id=timeline.id,
            kind="invoice",
            currency=period.currency,
            period_start=period.days.start,
            period_end=period.days.end,
            as_of=batch,
            created_at=now,
        )
    subtotal = _sum(lines)
    if subtotal > 0:
        states = credits_of(session, timeline.tenant_id, period.currency)
        late = _sum([line for line in lines if line.kind == "late_use"])
        lines += credit_lines(
            states,
            subtotal,
            period.days.start,
            period.days.end,
            lambda day: _sum(computation.of_period(session, period, until=day)) + max(late, _ZERO),
        )
    _store(session, draft, lines, account, batch)
    if is_due:
        _issue(session, draft, lines, account, timeline, now=now, act=act)
        subscription = session.get_one(Subscription, timeline.id)
        subscription.invoiced_until = period.days.end
        session.add(subscription)
    session.flush()
    return draft


def _advance_late_use(
    session: Session, account: BillingAccount, timeline: Timeline, currency: str, *, now: datetime, act: Act
) -> Invoice | None:
    """Draft and issue what arrived late after the last period in a currency was invoiced."""
    zone = ZoneInfo(account.time_zone)
    before = issued_before(session, timeline.id)
    batch = newest_batch(session)
    lines = Computation(timeline, zone, batch, before).of_late_use(session, currency)
    draft = _draft_of(session, timeline.id, "late_use", currency)
    if not lines:
        if draft is not None:
            _delete_draft(session, draft)
        return None
    if draft is None:
        draft = Invoice(
            tenant_id=timeline.tenant_id,
            subscription_id=timeline.id,
            kind="late_use",
            currency=currency,
            period_start=min(line.start for line in lines if line.start is not None),
            period_end=max(line.end for line in lines if line.end is not None),
            as_of=batch,
            created_at=now,
        )
    elif draft.as_of == batch and now < _late_due(draft, timeline):
        return None
    is_due = now >= _late_due(draft, timeline)
    subtotal = _sum(lines)
    if subtotal > 0:
        states = credits_of(session, timeline.tenant_id, currency)
        lines += credit_lines(states, subtotal, draft.period_start, draft.period_end, lambda _: subtotal)
    _store(session, draft, lines, account, batch)
    if is_due:
        _issue(session, draft, lines, account, timeline, now=now, act=act)
    session.flush()
    return draft


def _late_due(draft: Invoice, timeline: Timeline) -> datetime:
    """Return when an invoice for late use is issued: the days of grace after its draft, so that it takes more along."""
    return draft.created_at + timedelta(days=timeline.changes[-1].terms.grace_days)


def _draft_of(session: Session, subscription_id: UUID, kind: str, currency: str) -> Invoice | None:
    query = select(Invoice).where(
        Invoice.subscription_id == subscription_id,
        Invoice.kind == kind,
        Invoice.currency == currency,
        Invoice.state == "draft",
    )
    return session.exec(query).one_or_none()


def _delete_other_drafts(session: Session, timeline: Timeline, period: BillingPeriod | None) -> None:
    """Delete the drafts of other days than the next period's.

    There are some after the invoice before a draft was cancelled, and after days that are not invoiced got other terms.
    """
    query = select(Invoice).where(
        Invoice.subscription_id == timeline.id, Invoice.kind == "invoice", Invoice.state == "draft"
    )
    for draft in session.exec(query).all():
        if period is None or (draft.currency, Period(draft.period_start, draft.period_end)) != (
            period.currency,
            period.days,
        ):
            _delete_draft(session, draft)


def _delete_draft(session: Session, draft: Invoice) -> None:
    session.execute(delete(InvoiceLine).where(col(InvoiceLine.invoice_id) == draft.id))
    session.delete(draft)
    session.flush()


def _store(session: Session, draft: Invoice, lines: list[Line], account: BillingAccount, batch: int) -> None:
    """Write a draft with its lines, in place of its earlier lines. Adds the tax, and what is carried, to ``lines``."""
    subtotal = _sum(lines)
    if subtotal < 0:
        lines.append(Line("carried", "Carried to the next invoice as a credit", -subtotal))
        subtotal = _ZERO
    tax = _ZERO
    if account.tax_exemption is None and account.tax_rate:
        tax = rounded(subtotal * account.tax_rate / _HUNDRED, draft.currency)
        lines.append(Line("tax", f"{account.tax_name} {account.tax_rate.normalize():f} %", tax))
    draft.as_of, draft.account = batch, snapshot(account)
    draft.subtotal, draft.tax, draft.total = (rounded(each, draft.currency) for each in (subtotal, tax, subtotal + tax))
    session.add(draft)
    session.flush()
    session.execute(delete(InvoiceLine).where(col(InvoiceLine.invoice_id) == draft.id))
    add_lines(session, draft.id, lines)


def add_lines(session: Session, invoice_id: UUID, lines: list[Line]) -> None:
    """Store the lines of a draft in their order."""
    for position, line in enumerate(lines, start=1):
        values = {name: getattr(line, name) for name in Line.__dataclass_fields__}
        session.add(InvoiceLine(invoice_id=invoice_id, position=position, **{**values, "steps": list(line.steps)}))
    session.flush()


def _issue(
    session: Session,
    draft: Invoice,
    lines: list[Line],
    account: BillingAccount,
    timeline: Timeline,
    *,
    now: datetime,
    act: Act,
) -> None:
    today = now.astimezone(ZoneInfo(account.time_zone)).date()
    due_days = timeline.changes[-1].terms.due_days if account.due_days is None else account.due_days
    use_credits(session, draft.id, lines)
    for line in lines:
        if line.kind == "carried":
            session.add(
                Credit(
                    tenant_id=draft.tenant_id,
                    currency=draft.currency,
                    amount=line.amount,
                    priority=0,
                    granted_on=today,
                    reason="Carried from an earlier invoice",
                    invoice_id=draft.id,
                    created_at=now,
                    created_by=act.actor,
                )
            )
    draft.due_on = today + timedelta(days=due_days)
    number_document(session, draft, f"INV-{today.year}", now=now, today=today, act=act)
    if draft.total == 0:
        draft.state, draft.paid_on = "paid", today
        session.flush()
    record(session, act, "invoice:issue", draft.tenant_id, invoice=draft.id, number=draft.label, total=draft.total)


def number_document(session: Session, document: Invoice, series: str, *, now: datetime, today: date, act: Act) -> None:
    """Issue a draft under the next number of its series. Its letter then waits for a mail server.

    The series is locked until the transaction ends.
    """
    session.flush()
    document.issuer = issuer()
    document.issued_at, document.issued_on, document.issued_by = now, today, act.actor
    document.series = series
    document.number = int(session.execute(_NEXT, {"series": series}).scalar_one())
    document.state = "final"
    session.add(document)
    session.flush()
    session.add(InvoiceLetter(invoice_id=document.id, tenant_id=document.tenant_id))
    session.flush()


def snapshot(account: BillingAccount) -> dict[str, Any]:
    """Return the values of an account that a document prints or is computed from."""
    names = ("legal_name", "address", "email", "tax_name", "tax_exemption", "tax_id", "purchase_order", "time_zone")
    return {**{name: getattr(account, name) for name in names}, "tax_rate": f"{account.tax_rate:f}"}


def _sum(lines: list[Line]) -> Decimal:
    return sum((line.amount for line in lines), _ZERO)
