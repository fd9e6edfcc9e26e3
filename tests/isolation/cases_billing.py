"""The routes of a partner's plan, invoices, credits and notices."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sqlmodel import select

from billing.dunning.models import DunningNotice
from billing.invoices.credits import grant_credit
from billing.invoices.loop import issue_for
from billing.invoices.models import Invoice
from billing.plans.schemas import AccountChange
from billing.plans.service import Act, create_version, start_subscription, store_account
from core.clock import now
from core.database import platform_session
from tests.isolation.routes import Call, World, case

TEN = Decimal(10)
ACT = Act("test:1", "cli", "A test")
TERMS = {
    "currency": "USD",
    "base_fee": "10",
    "meters": [{"meter": "sms_segments", "charge": {"model": "per_unit", "unit_price": "1"}}],
}


def _invoice(world: World) -> Invoice:
    """A draft of the owner, whose subscription began last month; the second call finds the same."""
    query = select(Invoice).where(Invoice.tenant_id == world.tenant.id).order_by(Invoice.id).limit(1)  # type: ignore[arg-type]
    with platform_session() as session:
        if (stored := session.exec(query).first()) is not None:
            return stored
        default = {"legal_name": "Owner", "time_zone": "UTC"}
        store_account(session, world.tenant.id, AccountChange(tax_rate=Decimal(5)), act=ACT, default=default)
        _, version = create_version(session, f"case-{uuid4().hex[:12]}", TERMS, act=ACT)
        start = (now().date().replace(day=1) - timedelta(days=1)).replace(day=1)
        start_subscription(session, world.tenant.id, version, start, act=ACT)
    return next(iter(issue_for(world.tenant.id, now(), ACT)))


def _named(world: World, **path: Any) -> Call:
    return Call(path={"invoice_id": _invoice(world).id, **path})


@case("GET", "/v1/billing/plan", kind="item")
def get_plan(world: World) -> Call:
    _invoice(world)
    return Call()  # the stranger has no plan


@case("GET", "/v1/billing/preview", kind="item")
def get_billing_preview(world: World) -> Call:
    _invoice(world)
    return Call()


@case("GET", "/v1/billing/invoices", kind="collection")
def list_invoices(world: World) -> Call:
    return Call(marks=[_invoice(world).id])


@case("GET", "/v1/billing/invoices/{invoice_id}", kind="item")
def get_invoice(world: World) -> Call:
    return _named(world)


@case("GET", "/v1/billing/invoices/{invoice_id}/pdf", kind="item")
def get_invoice_pdf(world: World) -> Call:
    return _named(world)


@case("GET", "/v1/billing/invoices/{invoice_id}/csv", kind="item")
def get_invoice_csv(world: World) -> Call:
    return _named(world)


@case("GET", "/v1/billing/invoices/{invoice_id}/lines/{position}/uses", kind="item")
def list_uses_of_line(world: World) -> Call:
    return _named(world, position=2)


@case("GET", "/v1/billing/credits", kind="collection")
def list_credits(world: World) -> Call:
    _invoice(world)
    with platform_session() as session:
        credit = grant_credit(session, world.tenant.id, TEN, "USD", today=date(2026, 1, 1), act=ACT)
    return Call(marks=[credit.id])


@case("GET", "/v1/billing/notices", kind="collection")
def list_billing_notices(world: World) -> Call:
    invoice = _invoice(world)
    notice = DunningNotice(
        tenant_id=world.tenant.id,
        invoice_id=invoice.id,
        after_days=uuid4().int % 10**6,
        action="reminder",
        taken_on=date(2026, 1, 1),
    )
    with platform_session() as session:
        session.add(notice)
    return Call(marks=[notice.id])
