"""Mirrors accounts and subscriptions to Stripe: plans the calls that bring Stripe to what our tables say.

Our invoices alone ask for money. The subscription at Stripe shows plan and usage; its collection is paused and each of
its invoices is void, so nobody is charged twice. Planning again plans nothing new, whatever was sent meanwhile.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from sqlmodel import col, select

from billing.payments.client import enabled
from billing.payments.outbox import plan
from billing.payments.prices import plan_prices
from billing.payments.references import reference
from billing.plans.models import BillingAccount, PlanVersion
from billing.plans.timeline import timelines_of
from billing.terms import bounds
from core.clock import now, today
from core.database import platform_session, psycopg_connection

if TYPE_CHECKING:
    from datetime import date, datetime
    from threading import Event
    from uuid import UUID

    from sqlmodel import Session

    from billing.plans.timeline import TermsChange, Timeline

_TAX_ID: Final = re.compile(r"(?P<type>[a-z]{2}_[a-z]{2,10}):(?P<value>\S.{0,48}\S)")
"""A tax id that Stripe can verify: its type in Stripe's list, then its value, such as ``ng_tin:12345678-0001``."""
_DROP: Final = """
UPDATE platform.provider_calls SET state = 'dropped', ended_at = %s
WHERE kind IN ('subscription', 'subscription_pause') AND own_id = %s AND state = 'waiting' AND attempts = 0
    AND right(idempotency_key, length(%s) + 1) <> ':' || %s
"""
"""Calls of an earlier period that were never sent: their first day of billing is over."""
_OPEN: Final = """
SELECT own_id FROM platform.provider_objects WHERE kind = 'subscription' AND tenant_id = %s AND own_id <> %s
"""


def stripe_accounts(session: Session) -> list[BillingAccount]:
    """Return the accounts that pay by Stripe."""
    query = select(BillingAccount).where(BillingAccount.provider == "stripe").order_by(col(BillingAccount.tenant_id))
    return list(session.exec(query).all())


def mirror_all(stopping: Event) -> int:
    """Plan what Stripe does not know yet: a round of a loop. Return the number of accounts."""
    if not enabled():
        return 0
    with platform_session() as session:
        tenants = [account.tenant_id for account in stripe_accounts(session)]
    for tenant_id in tenants:
        if stopping.is_set():
            break
        with platform_session() as session:
            account = session.get(BillingAccount, tenant_id)
            if account is not None and account.provider == "stripe":
                mirror_account(session, account, today(account.time_zone))
    return len(tenants)


def mirror_account(session: Session, account: BillingAccount, day: date) -> None:
    """Plan the calls of one account, as its tables are on a day."""
    _customer(session, account)
    current = None
    for timeline in timelines_of(session, account.tenant_id):
        change = timeline.on(day)
        if change is not None:
            current = _subscription(session, account, timeline, change, day)
    for (own_id,) in psycopg_connection(session).execute(_OPEN, (account.tenant_id, current or "")).fetchall():
        path = f"/v1/subscriptions/{reference('subscription', own_id)}"
        plan(session, "subscription_cancel", own_id, path, {}, tenant_id=account.tenant_id, method="delete",
             lane=f"subscription:{own_id}")  # fmt: skip


def customer_body(account: BillingAccount) -> dict[str, Any]:
    """Return what Stripe knows of a partner: the legal person to invoice, and no natural one."""
    body: dict[str, Any] = {"name": account.legal_name, "metadata": {"tenant": str(account.tenant_id)}}
    if account.email:
        body["email"] = account.email
    if account.address:
        body["address"] = {"line1": account.address[:200]}
    return body


def _customer(session: Session, account: BillingAccount) -> None:
    tenant_id, body = account.tenant_id, customer_body(account)
    lane, path = f"customer:{tenant_id}", f"/v1/customers/{reference('customer', tenant_id)}"
    own_id = str(tenant_id)
    if not plan(session, "customer", own_id, "/v1/customers", body, tenant_id=tenant_id, lane=lane):
        version = f"{account.updated_at.timestamp():.6f}"
        if _last_body(session, lane) != body:
            plan(session, "customer_update", own_id, path, body, tenant_id=tenant_id, lane=lane, version=version)
    match = _TAX_ID.fullmatch(account.tax_id or "")
    if match is not None:
        values = {"type": match["type"], "value": match["value"]}
        plan(session, "tax_id", f"{tenant_id}:{match[0]}", f"{path}/tax_ids", values, tenant_id=tenant_id)


def _last_body(session: Session, lane: str) -> dict[str, Any] | None:
    query = "SELECT body FROM platform.provider_calls WHERE lane = %s AND state <> 'failed' ORDER BY id DESC LIMIT 1"
    row = psycopg_connection(session).execute(query, (lane,)).fetchone()
    return None if row is None else row[0]


def _subscription(
    session: Session, account: BillingAccount, timeline: Timeline, change: TermsChange, day: date
) -> str | None:
    """Plan the subscription of a day's terms, paused; return our name of it, None if there is nothing to subscribe."""
    version = session.get_one(PlanVersion, change.version_id)
    prices = plan_prices(session, version.plan_id, change.plan, change.terms)
    if not prices:
        return None
    own_id = f"{timeline.id}:{change.effective_on}:{change.version_id}"
    tenant_id = account.tenant_id
    anchor = _next_begin(timeline, day, account.time_zone)
    if anchor is None or _is_mirrored(session, own_id):
        return own_id
    stamp = str(int(anchor.timestamp()))
    due_days = change.terms.due_days if account.due_days is None else account.due_days
    body = {
        "customer": reference("customer", tenant_id),
        "items": [{"price": reference("price", name)} for name in prices],
        "collection_method": "send_invoice",
        "days_until_due": max(1, due_days),
        "billing_cycle_anchor": int(stamp),
        "proration_behavior": "none",
        "metadata": {"iit": own_id},
    }
    lane = f"subscription:{own_id}"
    psycopg_connection(session).execute(_DROP, (now(), own_id, stamp, stamp))
    plan(session, "subscription", own_id, "/v1/subscriptions", body, tenant_id=tenant_id, lane=lane, version=stamp)
    plan_pause(session, tenant_id, own_id, stamp)
    return own_id


def plan_pause(session: Session, tenant_id: UUID, own_id: str, version: str) -> None:
    """Plan that a subscription collects nothing: each of its invoices is void at once."""
    path, body = f"/v1/subscriptions/{reference('subscription', own_id)}", {"pause_collection": {"behavior": "void"}}
    lane = f"subscription:{own_id}"
    plan(session, "subscription_pause", own_id, path, body, tenant_id=tenant_id, lane=lane, version=version)


def _is_mirrored(session: Session, own_id: str) -> bool:
    query = "SELECT FROM platform.provider_objects WHERE kind = 'subscription' AND own_id = %s"
    return psycopg_connection(session).execute(query, (own_id,)).rowcount == 1


def _next_begin(timeline: Timeline, day: date, time_zone: str) -> datetime | None:
    """Return the instant at which the period of a day ends; None if no period covers the day."""
    for period in timeline.periods(day.fromordinal(day.toordinal() + 1)):
        if period.days.start <= day < period.days.end:
            return bounds(period.whole, ZoneInfo(time_zone))[1]
    return None
