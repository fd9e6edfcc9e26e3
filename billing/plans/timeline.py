"""The terms of a subscription over time: its periods, and the parts of a period by terms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING

from sqlmodel import col, select

from billing.plans.models import Plan, PlanVersion, Subscription, SubscriptionChange
from billing.terms import Overrides, Period, PlanTerms, effective_terms, period_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from sqlmodel import Session


@dataclass(frozen=True, slots=True)
class TermsChange:
    """The partner's terms from a day on, with its add-ons and overrides. ``plan`` is the name of the plan."""

    effective_on: date
    plan: str
    version_id: UUID
    terms: PlanTerms


@dataclass(frozen=True, slots=True)
class BillingPeriod:
    """A period to invoice.

    Attributes:
        days: the days that the subscription covers.
        whole: the whole period, of which a late start, an end or another currency may cut days.
        currency: of its invoice.
    """

    days: Period
    whole: Period
    currency: str


@dataclass(frozen=True, slots=True)
class Part:
    """The days of a period with the same terms."""

    days: Period
    plan: str
    version_id: UUID
    terms: PlanTerms
    is_trial: bool
    share: Fraction


@dataclass(frozen=True, slots=True)
class Timeline:
    """A subscription with its changes, those that lie ahead too, in the order of their days and one a day."""

    id: UUID
    tenant_id: UUID
    started_on: date
    ends_on: date | None
    invoiced_until: date | None
    changes: tuple[TermsChange, ...]

    @property
    def trial_until(self) -> date:
        """The first day that is charged."""
        return self.started_on + timedelta(days=self.changes[0].terms.trial_days)

    def on(self, day: date) -> TermsChange | None:
        """Return the terms of a day; None on a day that the subscription does not cover."""
        if day < self.started_on or (self.ends_on is not None and day >= self.ends_on):
            return None
        return [change for change in self.changes if change.effective_on <= day][-1]

    def periods(self, until: date) -> Iterator[BillingPeriod]:
        """Yield the periods that begin before ``until``, the oldest first.

        A period ends where the currency, the interval or the alignment changes. Anniversary periods are counted from
        the day from which these three apply.
        """
        runs = [
            change
            for place, change in enumerate(self.changes)
            if place == 0 or change.terms.cadence != self.changes[place - 1].terms.cadence
        ]
        for place, run in enumerate(runs):
            ends = [change.effective_on for change in runs[place + 1 : place + 2]]
            if self.ends_on is not None:
                ends.append(self.ends_on)
            yield from _periods_of(run.terms, run.effective_on, min(ends, default=None), until)

    def parts(self, period: BillingPeriod) -> list[Part]:
        """Return the parts of a period, in the order of their days."""
        starts = {change.effective_on for change in self.changes} | {self.trial_until}
        cuts = [period.days.start, *sorted(day for day in starts if period.days.start < day < period.days.end)]
        parts = []
        for start, end in zip(cuts, [*cuts[1:], period.days.end], strict=True):
            change = self.on(start)
            if change is not None:
                days = Period(start, end)
                share = Fraction(days.days, period.whole.days)
                is_trial = start < self.trial_until
                parts.append(Part(days, change.plan, change.version_id, change.terms, is_trial, share))
        return parts


def _periods_of(terms: PlanTerms, start: date, end: date | None, until: date) -> Iterator[BillingPeriod]:
    """Yield the periods of the days from ``start`` on, as long as their currency and interval are the same."""
    day = start
    while day < until and (end is None or day < end):
        whole = period_of(start, terms.interval, terms.alignment, day)
        yield BillingPeriod(Period(day, min(whole.end, end or whole.end)), whole, terms.currency)
        day = whole.end


def timelines_of(session: Session, tenant_id: UUID) -> list[Timeline]:
    """Return the subscriptions of a tenant, the oldest first."""
    subscriptions = session.exec(
        select(Subscription).where(Subscription.tenant_id == tenant_id).order_by(col(Subscription.started_on))
    ).all()
    if not subscriptions:
        return []
    rows = session.exec(
        select(SubscriptionChange, PlanVersion, Plan.name)
        .join(PlanVersion, col(PlanVersion.id) == SubscriptionChange.plan_version_id)
        .join(Plan, col(Plan.id) == PlanVersion.plan_id)
        .where(col(SubscriptionChange.subscription_id).in_([each.id for each in subscriptions]))
        .order_by(col(SubscriptionChange.effective_on), col(SubscriptionChange.number))
    ).all()
    return [
        _timeline(subscription, [row for row in rows if row[0].subscription_id == subscription.id])
        for subscription in subscriptions
    ]


def _timeline(subscription: Subscription, rows: Sequence[tuple[SubscriptionChange, PlanVersion, str]]) -> Timeline:
    last_of_day = {change.effective_on: (change, version, plan) for change, version, plan in rows}
    changes = tuple(
        TermsChange(change.effective_on, plan, version.id, terms_of(version, change.add_ons, change.overrides))
        for change, version, plan in last_of_day.values()
    )
    return Timeline(
        subscription.id,
        subscription.tenant_id,
        subscription.started_on,
        subscription.ends_on,
        subscription.invoiced_until,
        changes,
    )


def terms_of(version: PlanVersion, add_ons: Sequence[str], overrides: dict[str, object]) -> PlanTerms:
    """Return the terms of a version with a partner's add-ons and overrides.

    Raises:
        ValueError: they do not fit the version.
    """
    plan = PlanTerms.model_validate(version.terms)
    return effective_terms(plan, add_ons, Overrides.model_validate(overrides))


def terms_on(session: Session, tenant_id: UUID, day: date) -> PlanTerms | None:
    """Return the terms of a tenant on a day, with its add-ons and overrides; None without a subscription."""
    for timeline in timelines_of(session, tenant_id):
        if (change := timeline.on(day)) is not None:
            return change.terms
    return None
