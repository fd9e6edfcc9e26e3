"""Sets up the demo's business: plans, accounts, simulated use of the days before, invoices, a payment, and prices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from sqlmodel import col, select

from billing.costs.margins import margins
from billing.costs.rates import BUILT_IN, Rates, set_rates
from billing.costs.service import month_of
from billing.demo.plans import PARTNERS, DemoPartner
from billing.demo.simulated_use import uses_between
from billing.invoices.credits import grant_credit
from billing.invoices.loop import issue_for
from billing.invoices.models import Invoice, Payment
from billing.invoices.payments import balance, record_payment
from billing.plans.models import Subscription
from billing.plans.schemas import AccountChange
from billing.plans.service import Act, create_version, describe_plan, find_version, start_subscription, store_account
from core.clock import now, today
from core.database import databases, platform_session, tenant_session
from core.errors import NotFound
from core.metering import record
from core.metering.rollup import roll_up
from core.tenancy import get_tenant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlmodel import Session

    from core.database import TenantRef

ACTOR: Final = "system:demo"
GRACE_DAYS: Final = 3
LATEST_START: Final = GRACE_DAYS + 1
_RATES: Final = {
    "sms_segment": {"": "0.03", "termii": "0.004"},
    "exchange": {"NGN": "1550"},
}


@dataclass(frozen=True, slots=True)
class DemoBill:
    """What the demo has for a partner. Everything in it is simulated.

    Attributes:
        invoice_id: its oldest issued invoice; None if none is due yet.
        cost, margin: of the month of the invoice, in US dollars; None if they are not known.
    """

    tenant: str
    plan: str
    currency: str
    uses: int
    invoice_id: str | None
    invoice: str | None
    total: str | None
    state: str | None
    cost: str | None
    margin: str | None


def set_up(slugs: Sequence[str]) -> list[DemoBill]:
    """Give tenants of the demo a business with a whole month behind it. Running it again adds the days since.

    Args:
        slugs: one for each of ``PARTNERS``, in their order.

    Raises:
        NotFound: there is no such tenant.
    """
    present = now()
    start = first_day(present.date())
    act = Act(ACTOR, "system", "simulated for the demo")
    tenants = [get_tenant(slug) for slug in slugs]
    with platform_session() as session:
        set_rates(
            session,
            Rates.model_validate({**BUILT_IN.rates.model_dump(mode="json"), **_RATES}),
            date(2026, 1, 1),
            note="Assumed prices, for the demo",
            actor=ACTOR,
            source="cli",
        )
    counts = {}
    for tenant, partner in zip(tenants, PARTNERS, strict=True):
        with platform_session() as session:
            started_on = _subscribe(session, tenant, partner, start, act)
        counts[tenant.slug] = _simulate(tenant, partner, started_on, present.date())
    for database in databases():
        while roll_up(database) is not None:
            pass
    for tenant, partner in zip(tenants, PARTNERS, strict=True):
        for _document in issue_for(tenant.id, now(), act):
            pass
        with platform_session() as session:
            _settle(session, tenant, partner, act)
    with platform_session() as session:
        return [
            _bill(session, tenant, partner, counts[tenant.slug])
            for tenant, partner in zip(tenants, PARTNERS, strict=True)
        ]


def first_day(today: date) -> date:
    """Return the first day of the simulated business: its first whole month has ended, and its days of grace too."""
    first = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    if today.day <= LATEST_START:
        first = (first - timedelta(days=1)).replace(day=1)
    return first


def _subscribe(session: Session, tenant: TenantRef, partner: DemoPartner, start: date, act: Act) -> date:
    """Put the tenant on its plan, and return the first day of its subscription."""
    change = AccountChange.model_validate({"legal_name": f"{tenant.name} (simulated)", **partner.account})
    default = {"legal_name": tenant.name, "time_zone": tenant.time_zone}
    try:
        describe_plan(session, partner.plan)
    except NotFound:
        create_version(session, partner.plan, partner.terms, act=act, name=partner.plan_name)
    present = session.exec(
        select(Subscription).where(Subscription.tenant_id == tenant.id).order_by(col(Subscription.started_on))
    ).first()
    if present is not None:
        return present.started_on
    store_account(session, tenant.id, change, act=act, default=default)
    start_subscription(session, tenant.id, find_version(session, partner.plan), start, act=act)
    if partner.credit:
        grant_credit(session, tenant.id, Decimal(partner.credit), str(partner.terms["currency"]), today=start, act=act)
    return start


def _simulate(tenant: TenantRef, partner: DemoPartner, start: date, end: date) -> int:
    """Record the simulated use that is not recorded yet, and return how many uses were."""
    recorded = 0
    with tenant_session(tenant, actor=ACTOR) as session:
        for use in uses_between(tenant.slug, partner.size, start, end):
            recorded += record(
                session,
                use.meter,
                use.value,
                key=use.key,
                occurred_at=use.occurred_at,
                dimensions=use.dimensions,
            )
    return recorded


def _settle(session: Session, tenant: TenantRef, partner: DemoPartner, act: Act) -> None:
    """Record the payment of the oldest invoice, if the partner pays."""
    invoice = _oldest(session, tenant)
    if invoice is None or not partner.pays or invoice.state != "final":
        return
    reference = f"SIMULATED-{invoice.label}"
    if session.exec(select(Payment).where(Payment.reference == reference)).first() is None:
        record_payment(
            session,
            invoice.id,
            balance(session, invoice),
            received_on=today(str(invoice.account["time_zone"])),
            method="bank_transfer",
            reference=reference,
            act=act,
        )


def _oldest(session: Session, tenant: TenantRef) -> Invoice | None:
    query = select(Invoice).where(Invoice.tenant_id == tenant.id, col(Invoice.state).in_(("final", "paid")))
    return session.exec(query.order_by(col(Invoice.id)).limit(1).execution_options(populate_existing=True)).first()


def _bill(session: Session, tenant: TenantRef, partner: DemoPartner, uses: int) -> DemoBill:
    invoice = _oldest(session, tenant)
    values: dict[str, Any] = dict.fromkeys(("invoice_id", "invoice", "total", "state", "cost", "margin"))
    if invoice is not None:
        values |= {"invoice_id": str(invoice.id), "invoice": invoice.label, "state": invoice.state}
        values["total"] = f"{invoice.total:f}"
        costs = margins(session, *month_of(invoice.period_start), tenant_id=tenant.id)
        if costs:
            margin = costs[0].margin
            values["cost"] = f"{costs[0].costs.amount:.2f}"
            values["margin"] = None if margin is None else f"{margin:.2f}"
    return DemoBill(tenant.slug, partner.plan_name, str(partner.terms["currency"]), uses, **values)
