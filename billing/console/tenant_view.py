"""One partner as the console shows it: state, plan, use, what it will pay, health and cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlmodel import col, select

from billing.costs.margins import TenantMargin, margins
from billing.costs.service import month_of, this_month
from billing.invoices.credits import CreditState, credits_of
from billing.invoices.preview import Preview, preview
from billing.plans.models import BillingAccount, Plan, PlanVersion, Subscription, SubscriptionChange
from billing.plans.subscribers import Subscriber, accounts, subscribers
from core.clock import now
from core.database import platform_session
from core.errors import AppError
from core.jobs import operations
from core.tenancy import describe_tenant, list_tenants, suspension_of
from core.tenancy.overview import Activity, overview

if TYPE_CHECKING:
    from uuid import UUID

    from sqlmodel import Session

    from billing.terms import MeterTerms, PlanTerms
    from core.database import TenantRef
    from core.tenancy.models import Tenant
    from core.tenancy.service import Suspension

ZERO = Decimal(0)
MOST_DEAD = 100


@dataclass(frozen=True, slots=True)
class TenantRow:
    """A partner in the list.

    Attributes:
        cost: this month so far, in US dollars.
    """

    tenant: TenantRef
    subscriber: Subscriber | None
    account: BillingAccount | None
    activity: Activity
    cost: Decimal


@dataclass(frozen=True, slots=True)
class CapUse:
    """A meter with a cap, and how much of it is used: ``share`` of the hard cap, else of the soft one."""

    terms: MeterTerms
    used: Decimal
    cap: Decimal

    @property
    def share(self) -> float:
        """From 0; above 1 the cap is exceeded."""
        return float(self.used / self.cap) if self.cap else 1.0


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """A change of terms on a day, with the plan's version."""

    change: SubscriptionChange
    plan: Plan
    version: PlanVersion


@dataclass(frozen=True, slots=True)
class TenantView:
    """One partner.

    Attributes:
        planned: changes of terms, the newest first, those that lie ahead too.
        preview: the running period; None without a subscription or an account.
        last_month: cost and invoices of the last whole month.
        dead: jobs that failed for good; None while its database does not answer.
    """

    tenant: Tenant
    suspension: Suspension | None
    activity: Activity
    account: BillingAccount | None
    subscriber: Subscriber | None
    subscription: Subscription | None
    planned: list[PlannedChange]
    preview: Preview | None
    credits: list[CreditState]
    this_month: TenantMargin | None
    last_month: TenantMargin | None
    dead: int | None


def tenant_rows() -> tuple[list[TenantRow], dict[str, str]]:
    """Return all partners by slug, and the databases that did not answer, with reasons."""
    shown = overview()
    start, end = this_month()
    with platform_session() as session:
        subscribed, billed = subscribers(session), accounts(session)
        costs = {each.costs.tenant_id: each.costs.amount for each in margins(session, start, end)}
    rows = [
        TenantRow(tenant, subscribed.get(tenant.id), billed.get(tenant.id), activity, costs.get(tenant.id, ZERO))
        for tenant, activity in shown.tenants
    ]
    return rows, shown.unasked


def tenant_view(slug: str) -> TenantView:
    """Return one partner.

    Raises:
        NotFound: there is no such partner (404).
    """
    tenant = describe_tenant(slug)
    activity = next((activity for each, activity in overview().tenants if each.id == tenant.id), Activity())
    start, end = this_month()
    before = month_of(start - timedelta(days=1))
    with platform_session() as session:
        account = accounts(session).get(tenant.id)
        return TenantView(
            tenant=tenant,
            suspension=suspension_of(tenant),
            activity=activity,
            account=account,
            subscriber=subscribers(session).get(tenant.id),
            subscription=_newest(session, tenant.id),
            planned=_planned(session, tenant.id),
            preview=None if account is None else preview(session, tenant.id, now=now()),
            credits=credits_of(session, tenant.id),
            this_month=_margin(session, tenant.id, start, end),
            last_month=_margin(session, tenant.id, *before),
            dead=_dead(tenant.ref()),
        )


def caps_of(shown: Preview, plan: PlanTerms) -> list[CapUse]:
    """Return the meters of the running period that have a cap, the fullest first."""
    used: dict[str, Decimal] = {}
    for line in shown.lines:
        if line.kind == "usage" and line.meter is not None and line.quantity is not None:
            used[line.meter] = used.get(line.meter, ZERO) + line.quantity
    terms = {each.meter: each for each in plan.meters}
    caps = [
        CapUse(each, used.get(name, ZERO), cap)
        for name, each in terms.items()
        if (cap := each.hard_cap if each.hard_cap is not None else each.soft_cap) is not None
    ]
    return sorted(caps, key=lambda each: -each.share)


def _margin(session: Session, tenant_id: UUID, start: date, end: date) -> TenantMargin | None:
    return next(iter(margins(session, start, end, tenant_id=tenant_id)), None)


def _newest(session: Session, tenant_id: UUID) -> Subscription | None:
    query = select(Subscription).where(Subscription.tenant_id == tenant_id)
    return session.exec(query.order_by(col(Subscription.started_on).desc()).limit(1)).first()


def _planned(session: Session, tenant_id: UUID) -> list[PlannedChange]:
    rows = session.exec(
        select(SubscriptionChange, Plan, PlanVersion)
        .join(Subscription, col(Subscription.id) == SubscriptionChange.subscription_id)
        .join(PlanVersion, col(PlanVersion.id) == SubscriptionChange.plan_version_id)
        .join(Plan, col(Plan.id) == PlanVersion.plan_id)
        .where(Subscription.tenant_id == tenant_id)
        .order_by(col(SubscriptionChange.effective_on).desc(), col(SubscriptionChange.number).desc())
        .limit(20)
    ).all()
    return [PlannedChange(*row) for row in rows]


def _dead(tenant: TenantRef) -> int | None:
    try:
        return len(operations.find(tenant=tenant, state="dead", limit=MOST_DEAD))
    except AppError:
        return None


def slugs_of_all() -> dict[UUID, str]:
    """Return the slugs of all partners by id."""
    return {each.id: each.slug for each in list_tenants()}


def names_of_all() -> dict[UUID, str]:
    """Return the names of all partners by id."""
    return {each.id: each.name for each in list_tenants()}
