"""An issued invoice for tests of pages: its lines are made up, and no usage stands behind them."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlmodel import select

from billing.invoices.issuing import add_lines, number_document, snapshot
from billing.invoices.lines import Line
from billing.invoices.models import Invoice
from billing.plans.models import Subscription
from billing.plans.schemas import AccountChange
from billing.plans.service import Act, create_version, start_subscription, store_account
from core.clock import now
from core.database import platform_session

if TYPE_CHECKING:
    from core.database import TenantRef

ACT = Act("test:1", "cli", "A test")


def issued_invoice(tenant: TenantRef) -> str:
    """Put a tenant on a plan of its own, and issue an invoice of last month; return the invoice's id."""
    present = now()
    end = present.date().replace(day=1)
    start = (end - timedelta(days=1)).replace(day=1)
    with platform_session() as session:
        subscription = session.exec(select(Subscription).where(Subscription.tenant_id == tenant.id)).first()
        if subscription is None:
            default = {"legal_name": tenant.name, "time_zone": tenant.time_zone}
            store_account(session, tenant.id, AccountChange(), act=ACT, default=default)
            terms = {"currency": "USD", "base_fee": "100", "meters": []}
            _, version = create_version(session, plan_code(tenant), terms, act=ACT)
            subscription = start_subscription(session, tenant.id, version, start, act=ACT)
        account = store_account(session, tenant.id, AccountChange(), act=ACT)
        invoice = Invoice(
            tenant_id=tenant.id,
            subscription_id=subscription.id,
            kind="late_use",
            currency="USD",
            period_start=start,
            period_end=end,
            as_of=0,
            account=snapshot(account),
            subtotal=Decimal(7),
            total=Decimal(7),
            due_on=present.date() + timedelta(days=30),
            created_at=present,
        )
        session.add(invoice)
        session.flush()
        line = Line("late_use", "Imports", Decimal(7), meter="imports", aggregation="sum", quantity=Decimal(7))
        add_lines(session, invoice.id, [_within(line, start, end)])
        number_document(session, invoice, f"INV-{present.year}", now=present, today=present.date(), act=ACT)
        return str(invoice.id)


def plan_code(tenant: TenantRef) -> str:
    """The code of the plan that ``issued_invoice`` makes for a tenant."""
    return f"p-{tenant.id.hex[-12:]}"


def _within(line: Line, start: date, end: date) -> Line:
    from dataclasses import replace

    return replace(line, start=start, end=end)
