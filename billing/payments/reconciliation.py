"""Compares our ledger with Stripe once a day. Ours is the truth; what differs is mended, or shown with its cause."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from sqlmodel import select

from billing.invoices.models import Payment
from billing.payments import applying, differences, payments
from billing.payments.client import read, read_all
from billing.payments.doubts import hourly
from billing.payments.mirror import customer_body, stripe_accounts
from billing.payments.outbox import next_turn, plan
from core.clock import now
from core.database import platform_session, psycopg_connection

if TYPE_CHECKING:
    from threading import Event
    from uuid import UUID

    from billing.plans.models import BillingAccount

EVERY: Final = timedelta(days=1)
SETTLED: Final = timedelta(hours=2)
"""Stripe adds meter events up a little later than it accepts them."""
WINDOW: Final = timedelta(days=34)
"""How far back use is compared: as far as Stripe would take an event again."""
RECHECKED: Final = (
    "collects",
    "customer_differs",
    "delayed",
    "deleted_at_provider",
    "late_for_provider",
    "meter_inactive",
    "missing_at_provider",
    "not_planned",
    "overpaid",
    "payment_not_recorded",
    "payment_unknown_to_provider",
    "refund_without_credit_note",
    "rejected_by_provider",
    "surplus_at_provider",
)
_STUCK: Final = """
SELECT id, kind, own_id, tenant_id, state, coalesce(error, 'waits for another call') FROM platform.provider_calls
WHERE state = 'failed' OR (state = 'waiting' AND created_at < %s) ORDER BY id
"""
_SENT: Final = """
SELECT id, turn, tenant_id, meter, hour, quantity FROM platform.provider_calls
WHERE kind = 'meter_event' AND state = 'done' AND hour >= %s AND hour < %s AND ended_at < %s
ORDER BY tenant_id, meter, hour, id
"""
_LEDGER: Final = """
SELECT usage.tenant_id, usage.meter, usage.sent + usage.carried, coalesce(sum(CASE split_part(usage.meter, ':', 2)
    WHEN 'count' THEN hours.uses ELSE hours.total END), 0)
FROM platform.provider_usage AS usage LEFT JOIN platform.usage_hours AS hours ON hours.tenant_id = usage.tenant_id
    AND hours.meter = split_part(usage.meter, ':', 1) AND hours.batch > usage.after_batch
    AND hours.batch <= (SELECT batch FROM platform.provider_cursors WHERE name = 'usage')
GROUP BY usage.tenant_id, usage.meter, usage.sent, usage.carried
"""
_REMOVE: Final = """
DELETE FROM platform.provider_calls WHERE kind = 'meter_event' AND state = 'done' AND hour < %s AND ended_at < %s
"""


@dataclass(frozen=True, slots=True)
class Report:
    """What a reconciliation compared, and the differences that are open after it."""

    compared: dict[str, int]
    escalated: int
    mending: int


def is_due() -> bool:
    """Return whether the last reconciliation was a day ago."""
    query = "SELECT at FROM platform.provider_cursors WHERE name = 'reconciliation'"
    with platform_session() as session:
        row = psycopg_connection(session).execute(query).fetchone()
    return row is None or row[0] is None or row[0] <= now() - EVERY


def reconcile(stopping: Event | None = None) -> Report:
    """Compare everything with Stripe, mend what can be mended, and note the rest.

    Raises:
        StripeAway, stripe.StripeError, BreakerOpen: Stripe does not answer; nothing is concluded from that.
    """
    began, compared = now(), Counter[str]()
    with platform_session() as session:
        accounts = stripe_accounts(session)
    compared["calls"] = _calls(began)
    compared["meters"] = _meters()
    for account in accounts:
        if stopping is not None and stopping.is_set():
            break
        compared["payments"] += _account(account)
    for own in differences.own_objects("subscription"):
        applying.check_subscription(own, read(f"/v1/subscriptions/{own.provider_id}"))
        compared["subscriptions"] += 1
    compared["usage hours"] = _usage(began)
    _ledger()
    differences.sweep(RECHECKED, began)
    with platform_session() as session:
        connection = psycopg_connection(session)
        connection.execute(_REMOVE, (began - timedelta(days=40), began - timedelta(days=40)))
        connection.execute(
            "INSERT INTO platform.provider_cursors (name, at) VALUES ('reconciliation', %s)"
            " ON CONFLICT (name) DO UPDATE SET at = excluded.at",
            (began,),
        )
        query = "SELECT state, count(*) FROM platform.provider_differences WHERE ended_at IS NULL GROUP BY state"
        states = {row[0]: int(row[1]) for row in connection.execute(query).fetchall()}
    return Report(dict(compared), states.get("escalated", 0), states.get("mending", 0))


def _calls(began: datetime) -> int:
    with platform_session() as session:
        rows = psycopg_connection(session).execute(_STUCK, (began - timedelta(hours=1),)).fetchall()
    for call_id, kind, own_id, tenant_id, state, error in rows:
        cause = "delayed" if state == "waiting" else "rejected_by_provider"
        if error.startswith("too_old"):
            cause = "late_for_provider"
        differences.note(
            "call",
            f"{call_id}",
            cause,
            ours=f"{kind} {own_id}",
            theirs=error,
            tenant_id=tenant_id,
            mending=state == "waiting",
        )
    return len(rows)


def _meters() -> int:
    own = differences.own_objects("meter")
    active = {each["id"] for each in read_all("/v1/billing/meters", status="active")} if own else set()
    for each in own:
        if each.provider_id not in active:
            differences.note("meter", each.own_id, "meter_inactive", ours="active", theirs="inactive")
    return len(own)


def _account(account: BillingAccount) -> int:
    """Compare the customer of an account, and its payments."""
    customer = _provider_id("customer", str(account.tenant_id))
    if customer is None:
        return 0
    _customer(account, read(f"/v1/customers/{customer}"))
    seen, count = set[str](), 0
    for theirs in read_all("/v1/checkout/sessions", customer=customer):
        intent = theirs.get("payment_intent")
        if theirs["status"] != "complete" or not intent:
            continue
        count += 1
        seen.add(intent)
        if theirs["payment_status"] == "paid" and payments.recorded(intent) is None:
            payments.apply_session(theirs)
        for refund in read_all("/v1/refunds", payment_intent=intent):
            seen.add(refund["id"])
            if payments.recorded(refund["id"]) is None:
                payments.apply_refund(refund)
    with platform_session() as session:
        query = select(Payment).where(Payment.method == payments.METHOD, Payment.tenant_id == account.tenant_id)
        own = session.exec(query).all()
    for payment in own:
        if payment.reference not in seen:
            differences.note(
                "payment",
                payment.reference,
                "payment_unknown_to_provider",
                ours=f"{payment.currency} {payment.amount}",
                theirs="nothing",
                tenant_id=account.tenant_id,
            )
    return count


def _customer(account: BillingAccount, theirs: dict[str, Any]) -> None:
    tenant_id = account.tenant_id
    if theirs.get("deleted"):
        differences.note(
            "customer", str(tenant_id), "deleted_at_provider", ours="exists", theirs="deleted", tenant_id=tenant_id
        )
        return
    body = customer_body(account)
    differing = [name for name in ("name", "email") if name in body and theirs.get(name) != body[name]]
    if not differing or _is_waiting(f"customer:{tenant_id}"):
        return
    with platform_session() as session:
        path, version = f"/v1/customers/{theirs['id']}", f"again:{now():%Y%m%d%H%M%S}"
        plan(session, "customer_update", str(tenant_id), path, body, tenant_id=tenant_id, lane=f"customer:{tenant_id}",
             version=version)  # fmt: skip
    named = ", ".join(differing)
    differences.note(
        "customer",
        str(tenant_id),
        "customer_differs",
        ours=f"{named} as in the account",
        theirs=f"another {named}",
        tenant_id=tenant_id,
        mending=True,
    )


def _usage(began: datetime) -> int:
    """Compare, hour by hour, the acknowledged events with what Stripe counts; plan again what it lost."""
    start = (began - WINDOW).replace(minute=0, second=0, microsecond=0)
    with platform_session() as session:
        rows = psycopg_connection(session).execute(_SENT, (start, began, began - SETTLED)).fetchall()
    by_meter: dict[tuple[UUID, str], dict[datetime, list[tuple[int, int, int]]]] = {}
    for call_id, turn, tenant_id, meter, hour, quantity in rows:
        by_meter.setdefault((tenant_id, meter), {}).setdefault(hour, []).append((call_id, turn, quantity))
    compared = 0
    for (tenant_id, meter), hours in by_meter.items():
        meter_at_provider, customer = _provider_id("meter", meter), _provider_id("customer", str(tenant_id))
        if meter_at_provider is None or customer is None:
            continue
        first, last = min(hours), max(hours) + timedelta(hours=1)
        theirs = hourly(meter_at_provider, customer, int(first.timestamp()), int(last.timestamp()))
        check = _hour if meter.endswith(":sum") else _level
        for hour in sorted(hours) if check is _hour else [max(hours)]:
            compared += 1
            check(tenant_id, meter, hour, hours[hour], theirs.get(int(hour.timestamp())) or 0)
    return compared


def _hour(tenant_id: UUID, meter: str, hour: datetime, calls: list[tuple[int, int, int]], theirs: int) -> None:
    ours = sum(quantity for _, _, quantity in calls)
    if ours == theirs:
        return
    missing = [call for call in calls if call[2] == ours - theirs]
    if theirs == 0:
        missing = calls
    mending = bool(missing) and ours > theirs and hour > now() - WINDOW
    if mending:
        with platform_session() as session:
            for call_id, turn, _ in missing if theirs == 0 else missing[:1]:
                next_turn(session, call_id, turn)
    differences.note(
        "usage",
        f"{tenant_id}:{meter}:{hour.astimezone(UTC):%Y-%m-%dT%H}",
        "missing_at_provider" if ours > theirs else "surplus_at_provider",
        ours=str(ours),
        theirs=str(theirs),
        tenant_id=tenant_id,
        mending=mending,
    )


def _level(tenant_id: UUID, meter: str, hour: datetime, calls: list[tuple[int, int, int]], theirs: int) -> None:
    """Compare the newest level of a meter that takes the last value.

    Events of an hour have the same time, and Stripe does not document which of them is the last: each one will do.
    """
    call_id, turn, ours = calls[-1]
    if theirs in {quantity for _, _, quantity in calls}:
        return
    is_missing = theirs == 0
    if is_missing:
        with platform_session() as session:
            next_turn(session, call_id, turn)
    differences.note(
        "usage",
        f"{tenant_id}:{meter}:{hour.astimezone(UTC):%Y-%m-%dT%H}",
        "missing_at_provider" if is_missing else "surplus_at_provider",
        ours=str(ours),
        theirs=str(theirs),
        tenant_id=tenant_id,
        mending=is_missing,
    )


def _ledger() -> None:
    """Check that what was planned for Stripe is what was rolled up."""
    with platform_session() as session:
        rows = psycopg_connection(session).execute(_LEDGER).fetchall()
    for tenant_id, meter, planned, rolled_up in rows:
        if Decimal(planned) != Decimal(rolled_up):
            differences.note(
                "usage",
                f"{tenant_id}:{meter}",
                "not_planned",
                ours=f"{rolled_up:f}",
                theirs=f"{planned:f} planned",
                tenant_id=tenant_id,
            )


def _provider_id(kind: str, own_id: str) -> str | None:
    query = "SELECT provider_id FROM platform.provider_objects WHERE kind = %s AND own_id = %s"
    with platform_session() as session:
        row = psycopg_connection(session).execute(query, (kind, own_id)).fetchone()
    return None if row is None else row[0]


def _is_waiting(lane: str) -> bool:
    query = "SELECT FROM platform.provider_calls WHERE lane = %s AND state = 'waiting'"
    with platform_session() as session:
        return psycopg_connection(session).execute(query, (lane,)).rowcount > 0
