"""What other terms would mean for partners: the running period under today's terms and under the others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from billing.invoices.lines import period_lines
from billing.invoices.preview import at_same_rate
from billing.plans.checks import complete_overrides, complete_terms
from billing.plans.subscribers import accounts, subscribers
from billing.plans.timeline import timelines_of
from billing.terms import Overrides, PlanTerms, effective_terms
from core.clock import now
from core.metering.hours import newest_batch
from core.tenancy import list_tenants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlmodel import Session

    from core.database import TenantRef

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Effect:
    """What other terms change for one partner.

    Attributes:
        before: forecast of its running period by the terms of today, without credits and tax.
        after: the same use by the other terms.
        currency: of ``before``; currency_after: of ``after``.
        problem: why the other terms do not fit its add-ons or overrides; then ``after`` is None.
    """

    tenant: TenantRef
    plan: str
    before: Decimal
    currency: str
    after: Decimal | None
    currency_after: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """A value of the terms that differs: where it is, and both as text."""

    place: str
    before: str
    after: str


def effects_on_plan(session: Session, code: str, terms: PlanTerms) -> list[Effect]:
    """Return what terms would change for each partner that is on a plan, in any of its versions."""
    subscribed = subscribers(session)
    chosen = [each for each in list_tenants() if each.id in subscribed and subscribed[each.id].plan.code == code]
    return [effect for tenant in chosen if (effect := effect_on(session, tenant, terms)) is not None]


def effect_on(
    session: Session,
    tenant: TenantRef,
    terms: PlanTerms,
    *,
    add_ons: Sequence[str] | None = None,
    overrides: Overrides | None = None,
) -> Effect | None:
    """Return what the terms of a plan's version would change for a partner; None if it has no subscription today.

    Args:
        session: a session of the control database.
        tenant: the partner.
        terms: of the version.
        add_ons: the add-ons that it would have; those of today when None.
        overrides: the overrides that it would have; those of today when None.
    """
    subscriber, account = subscribers(session).get(tenant.id), accounts(session).get(tenant.id)
    if subscriber is None or account is None:
        return None
    present = now()
    zone = ZoneInfo(account.time_zone)
    today = present.astimezone(zone).date()
    timeline = next((each for each in timelines_of(session, tenant.id) if each.on(today) is not None), None)
    if timeline is None:
        return None
    period = list(timeline.periods(today + timedelta(days=1)))[-1]
    rate = partial(at_same_rate, session, tenant.id, zone, newest_batch(session), present)
    before = sum((line.amount for line in period_lines(timeline, period, rate)), ZERO)
    codes = subscriber.change.add_ons if add_ons is None else add_ons
    plan = f"{subscriber.plan.name}, {subscriber.version.number}"
    try:
        changes = Overrides.model_validate(subscriber.change.overrides) if overrides is None else overrides
        terms = complete_terms(terms)
        new = effective_terms(terms, codes, complete_overrides(changes, terms))
    except ValueError as error:
        return Effect(tenant, plan, before, period.currency, None, terms.currency, str(error))
    other = replace(timeline, changes=(replace(timeline.changes[0], terms=new),))
    after = sum((line.amount for line in period_lines(other, replace(period, currency=new.currency), rate)), ZERO)
    return Effect(tenant, plan, before, period.currency, after, new.currency)


def differences(before: PlanTerms | None, after: PlanTerms) -> list[Difference]:
    """Return the values that differ between two versions, by their places such as ``meters.sms_segments.included``."""
    old = {} if before is None else _flat(before.model_dump(mode="json"))
    new = _flat(after.model_dump(mode="json"))
    return [
        Difference(place, old.get(place, ""), new.get(place, ""))
        for place in sorted(old.keys() | new.keys())
        if not _is_same(old.get(place, ""), new.get(place, ""))
    ]


def _is_same(before: str, after: str) -> bool:
    """Whether two leaves say the same, as ``0.00`` and ``0`` do."""
    try:
        return before == after or Decimal(before) == Decimal(after)
    except InvalidOperation:
        return False


def _flat(value: object, place: str = "") -> dict[str, str]:
    """Return the leaves of a JSON value by their places; a list's members by their meter, else by their number."""
    if isinstance(value, dict):
        items = [(str(key), each) for key, each in value.items()]
    elif isinstance(value, list):
        items = [
            (str(each.get("meter", at) if isinstance(each, dict) else at), each) for at, each in enumerate(value, 1)
        ]
    else:
        return {} if value is None or value == "" else {place: str(value)}
    leaves: dict[str, str] = {}
    for key, each in items:
        leaves |= _flat(each, f"{place}.{key}" if place else key)
    return leaves
