"""Warns of quotas that are nearly used: at 80, 100 and 120 percent, once in a period for each level.

The partner gets the event ``quotas.near``, for its alerts and its webhooks; operators get theirs. A period that is over
ends the warning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlmodel import col, select

from billing.entitlements.models import QuotaLevel
from billing.entitlements.quotas import state_of
from core import events, telemetry
from core.clock import now
from core.database import platform_session, tenant_session
from core.events.operator_events import BUSINESS, announce
from core.events.outbox import publish_after_commit
from core.tenancy.rounds import for_each_tenant

if TYPE_CHECKING:
    from threading import Event
    from uuid import UUID

    from sqlmodel import Session

    from billing.entitlements.quotas import Quota, RunningPeriod
    from core.database import TenantRef

EVENT: Final = "quotas.near"
ACTOR: Final = "system:billing"

log = telemetry.get_logger(__name__)


def look(stopping: Event) -> None:
    """Warn every active partner whose quotas passed a level: one round of the loop."""
    for slug, error in for_each_tenant(stopping, look_at).items():
        log.warning("quotas of a partner were not looked at", tenant=slug, error=error)


def look_at(tenant: TenantRef) -> list[int]:
    """Publish the warnings of one partner that are due; return their levels."""
    period = state_of(tenant).period
    _end_earlier(tenant, period)
    if period is None:
        return []
    return [level for quota in period.quotas if (level := _warn(tenant, period, quota))]


def _warn(tenant: TenantRef, period: RunningPeriod, quota: Quota) -> int:
    """Publish a warning if the quota passed a level that was not announced in this period; return the level, or 0.

    The level is locked until the event has committed, so that two workers publish one.
    """
    if not quota.level:
        return 0
    with platform_session() as session:
        row = _locked(session, tenant.id, period, quota)
        if row.level >= quota.level:
            return 0
        facts = {"used": f"{quota.used:f}", "quota": f"{quota.quota:f}", "until": period.days.last.isoformat()}
        _publish(tenant, quota.meter, quota.percent, facts=facts, level=quota.level)
        row.level, row.used, row.quota, row.announced_at = quota.level, quota.used, quota.quota, now()
        session.add(row)
    log.info("a quota is nearly used", tenant=tenant.slug, meter=quota.meter, percent=quota.percent)
    announce(BUSINESS, {"tenant": tenant.slug, "meter": quota.meter, "percent": quota.percent})
    return quota.level


def _locked(session: Session, tenant_id: UUID, period: RunningPeriod, quota: Quota) -> QuotaLevel:
    key = (tenant_id, quota.meter, period.days.start)
    row = session.get(QuotaLevel, key, with_for_update=True)
    if row is None:
        row = QuotaLevel(
            tenant_id=tenant_id,
            meter=quota.meter,
            period_start=period.days.start,
            used=quota.used,
            quota=quota.quota,
        )
        session.add(row)
        session.flush()  # of two workers, the second waits for the first one's row, and fails: the next round looks
    return row


def _end_earlier(tenant: TenantRef, period: RunningPeriod | None) -> None:
    """Publish the end of warnings of earlier periods."""
    query = select(QuotaLevel).where(QuotaLevel.tenant_id == tenant.id, col(QuotaLevel.is_over).is_(False))
    if period is not None:
        query = query.where(QuotaLevel.period_start < period.days.start)
    with platform_session() as session:
        for row in session.scalars(query.with_for_update()):
            _publish(tenant, row.meter, 0, facts={}, level=row.level, ended=True)
            row.is_over = True
            session.add(row)


def _publish(
    tenant: TenantRef, meter: str, percent: int, *, facts: dict[str, str], level: int, ended: bool = False
) -> None:
    with tenant_session(tenant, actor=ACTOR) as session:
        events.publish(session, EVENT, {"subject": meter, "value": percent, "ended": ended, "facts": facts})
        payload = {"meter": meter, "percent": percent, "level": level, "ended": ended}
        publish_after_commit(session, EVENT, subject=meter, payload=payload)
