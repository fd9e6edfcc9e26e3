"""What every partner has today: its plan, terms and account, read for all partners at once."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from sqlmodel import col, select

from billing.plans.models import BillingAccount, Plan, PlanVersion, Subscription, SubscriptionChange
from billing.plans.timeline import terms_of
from billing.terms.effective import fees
from core.clock import now

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from sqlmodel import Session

    from billing.terms import PlanTerms

_MONTHS: Final = {"month": 1, "quarter": 3}


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A partner's subscription on a day.

    Attributes:
        is_trial: nothing is charged yet.
        ends_on: the first day that it does not cover; None while it runs.
    """

    tenant_id: UUID
    plan: Plan
    version: PlanVersion
    terms: PlanTerms
    change: SubscriptionChange
    started_on: date
    ends_on: date | None
    is_trial: bool

    @property
    def monthly_fees(self) -> Decimal:
        """The fees of a month, without use and tax."""
        total = sum((fee for _code, fee in fees(self.terms)), Decimal(0))
        return total / _MONTHS[self.terms.interval]


def subscribers(session: Session, day: date | None = None) -> dict[UUID, Subscriber]:
    """Return the subscriptions that cover a day, today (UTC) when None, by partner."""
    at = now().date() if day is None else day
    rows = session.exec(
        select(Subscription, SubscriptionChange, PlanVersion, Plan)
        .join(SubscriptionChange, col(SubscriptionChange.subscription_id) == Subscription.id)
        .join(PlanVersion, col(PlanVersion.id) == SubscriptionChange.plan_version_id)
        .join(Plan, col(Plan.id) == PlanVersion.plan_id)
        .where(
            Subscription.started_on <= at,
            col(Subscription.ends_on).is_(None) | (col(Subscription.ends_on) > at),
            SubscriptionChange.effective_on <= at,
        )
        .order_by(col(SubscriptionChange.effective_on), col(SubscriptionChange.number))
    ).all()
    latest = {
        subscription.tenant_id: (subscription, change, version, plan) for subscription, change, version, plan in rows
    }
    return {
        tenant_id: _subscriber(subscription, change, version, plan, at)
        for tenant_id, (subscription, change, version, plan) in latest.items()
    }


def accounts(session: Session) -> dict[UUID, BillingAccount]:
    """Return the billing accounts by partner."""
    return {account.tenant_id: account for account in session.exec(select(BillingAccount))}


def recurring(every: dict[UUID, Subscriber]) -> list[tuple[str, Decimal]]:
    """Return the fees of a month by currency, of partners whose trial is over; use is not in them."""
    sums: dict[str, Decimal] = {}
    for each in every.values():
        if not each.is_trial:
            sums[each.terms.currency] = sums.get(each.terms.currency, Decimal(0)) + each.monthly_fees
    return sorted(sums.items())


def _subscriber(
    subscription: Subscription, change: SubscriptionChange, version: PlanVersion, plan: Plan, day: date
) -> Subscriber:
    terms = terms_of(version, change.add_ons, change.overrides)
    return Subscriber(
        subscription.tenant_id,
        plan,
        version,
        terms,
        change,
        subscription.started_on,
        subscription.ends_on,
        (day - subscription.started_on).days < terms.trial_days,
    )
