"""Meter events from sealed roll-ups: each batch becomes events one time, in the transaction that moves the cursor.

A meter that adds up gets one event for each hour of a batch; Stripe takes whole numbers, so a fraction is carried to
the next event. For any other aggregation, the event says what the quantity of the period is as of the batch, and
Stripe's meter takes the latest. The identifier of an event is ``tenant:meter:hour:batch``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg.rows import class_row

from billing.payments.client import enabled
from billing.payments.outbox import plan
from billing.payments.prices import event_name, plan_meter
from billing.payments.references import reference
from billing.plans.models import BillingAccount
from billing.plans.timeline import timelines_of
from billing.terms import bounds, is_additive
from core.clock import now
from core.database import platform_session, psycopg_connection
from core.metering.hours import quantity

if TYPE_CHECKING:
    from threading import Event

    from sqlmodel import Session

    from billing.plans.timeline import Timeline
    from billing.terms import MeterTerms

OLDEST: Final = timedelta(days=35)
"""Stripe takes no event that is older. Such use is on our next invoice, and a difference says so."""
_HOUR: Final = timedelta(hours=1)
_IDENTIFIER: Final = 100
_CURSOR: Final = """
INSERT INTO platform.provider_cursors (name, batch)
VALUES ('usage', (SELECT coalesce(max(number), 0) FROM platform.usage_batches))
ON CONFLICT (name) DO NOTHING
"""
_NEXT: Final = """
SELECT cursors.batch, (SELECT min(number) FROM platform.usage_batches WHERE number > cursors.batch)
FROM platform.provider_cursors AS cursors WHERE name = 'usage' FOR UPDATE
"""
_HOURS: Final = """
SELECT tenant_id, meter, hour, sum(total) AS total, sum(uses) AS uses FROM platform.usage_hours
WHERE batch = %s AND tenant_id IN (SELECT tenant_id FROM platform.billing_accounts WHERE provider = 'stripe')
GROUP BY tenant_id, meter, hour ORDER BY tenant_id, meter, hour
"""
_CARRY: Final = """
INSERT INTO platform.provider_usage AS usage (tenant_id, meter, after_batch, sent, carried)
VALUES (%(tenant)s, %(meter)s, %(batch)s - 1, floor(%(value)s::numeric), %(value)s::numeric - floor(%(value)s::numeric))
ON CONFLICT (tenant_id, meter) DO UPDATE SET
    sent = usage.sent + floor(usage.carried + %(value)s),
    carried = usage.carried + %(value)s - floor(usage.carried + %(value)s)
RETURNING sent
"""
_SENT: Final = "SELECT sent FROM platform.provider_usage WHERE tenant_id = %s AND meter = %s FOR UPDATE"


@dataclass(frozen=True, slots=True)
class _Hour:
    """What a batch has of a tenant's meter in an hour."""

    tenant_id: UUID
    meter: str
    hour: datetime
    total: Decimal
    uses: int


def plan_usage(stopping: Event) -> int:
    """Plan the meter events of the batches that were sealed since the last round. Return the number of batches.

    The first round begins with the next batch: what was used before an installation had an account is not mirrored.
    """
    batches = 0
    while enabled() and not stopping.is_set():
        with platform_session() as session:
            if not _plan_batch(session):
                break
        batches += 1
    return batches


def _plan_batch(session: Session) -> bool:
    connection = psycopg_connection(session)
    connection.execute(_CURSOR)
    _, batch = connection.execute(_NEXT).fetchall()[0]
    if batch is None:
        return False
    with connection.cursor(row_factory=class_row(_Hour)) as cursor:
        hours = cursor.execute(_HOURS, (batch,)).fetchall()
    by_tenant: dict[UUID, list[_Hour]] = {}
    for each in hours:
        by_tenant.setdefault(each.tenant_id, []).append(each)
    for tenant_id, own in by_tenant.items():
        zone = ZoneInfo(session.get_one(BillingAccount, tenant_id).time_zone)
        timelines = timelines_of(session, tenant_id)
        for each in own:
            _plan_hour(session, each, timelines, zone, batch)
    connection.execute("UPDATE platform.provider_cursors SET batch = %s WHERE name = 'usage'", (batch,))
    return True


def _plan_hour(session: Session, hour: _Hour, timelines: list[Timeline], zone: ZoneInfo, batch: int) -> None:
    day = hour.hour.astimezone(zone).date()
    timeline = next((each for each in timelines if each.on(day) is not None), None)
    change = None if timeline is None else timeline.on(day)
    terms = None if change is None else next((each for each in change.terms.meters if each.meter == hour.meter), None)
    if timeline is None or terms is None:
        return  # not charged
    own_id = plan_meter(session, terms.meter, terms.aggregation, terms.label)
    if is_additive(terms.aggregation):
        value = _with_carry(session, hour, own_id, terms, batch)
    else:
        value = _level(session, hour, terms, timeline, zone, batch)
    if value or not is_additive(terms.aggregation):
        _plan_event(session, hour, own_id, value, batch)


def _with_carry(session: Session, hour: _Hour, own_id: str, terms: MeterTerms, batch: int) -> int:
    connection = psycopg_connection(session)
    used = hour.total if terms.aggregation == "sum" else Decimal(hour.uses)
    row = connection.execute(_SENT, (hour.tenant_id, own_id)).fetchone()
    before = 0 if row is None else int(row[0])
    values = {"tenant": hour.tenant_id, "meter": own_id, "batch": batch, "value": used}
    return int(connection.execute(_CARRY, values).fetchall()[0][0]) - before


def _level(session: Session, hour: _Hour, terms: MeterTerms, timeline: Timeline, zone: ZoneInfo, batch: int) -> int:
    day = hour.hour.astimezone(zone).date()
    period = [each for each in timeline.periods(day.fromordinal(day.toordinal() + 1)) if each.days.start <= day][-1]
    start, end = bounds(period.days, zone)
    level = quantity(session, hour.tenant_id, terms.meter, start, end, terms.aggregation, as_of=batch)
    return int(level.to_integral_value(ROUND_FLOOR))


def _plan_event(session: Session, hour: _Hour, own_id: str, value: int, batch: int) -> None:
    identifier = f"{hour.tenant_id.hex}:{own_id}:{hour.hour:%Y%m%d%H}:{batch}"
    if len(identifier) > _IDENTIFIER:
        identifier = hashlib.sha256(identifier.encode()).hexdigest()
    payload = {"stripe_customer_id": reference("customer", hour.tenant_id), "value": str(value)}
    body = {
        "event_name": event_name(own_id),
        "identifier": identifier,
        "timestamp": int(hour.hour.timestamp()),
        "payload": payload,
    }
    plan(
        session,
        "meter_event",
        identifier,
        "/v1/billing/meter_events",
        body,
        tenant_id=hour.tenant_id,
        lane=f"usage:{hour.tenant_id}:{own_id}",
        usage=(hour.hour, own_id, value),
    )


def is_too_old(hour: datetime) -> bool:
    """Return whether Stripe takes no event of an hour any more; with an hour to spare."""
    return hour < now() - OLDEST + _HOUR
