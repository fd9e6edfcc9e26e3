"""The history of an alert, and the public events about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from sqlmodel import and_, col, or_, select

from core.clock import now
from core.events.outbox import publish_after_commit
from core.events.signals import signal_after_commit
from tenants.alerts.models import Alert, AlertDelivery, AlertEvent
from tenants.records.ids import new_uuid

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantSession

Published = Literal["opened", "acknowledged", "resolved"]


def note(
    session: TenantSession, alert: Alert, act: str, detail: dict[str, Any] | None = None, *, actor: str | None = None
) -> None:
    """Add an entry to the history, save the alert with a new version, and let the pages that show it look."""
    signal_after_commit(session)
    alert.version_id, alert.updated_at = new_uuid(), now()
    session.add(alert)
    session.flush()
    session.add(AlertEvent(alert_uuid=alert.uuid, act=act, actor=actor or session.actor, detail=detail or {}))
    session.flush()


def announce(session: TenantSession, alert: Alert, act: Published) -> None:
    """Publish what happened to an alert, with the commit."""
    payload = {
        "alert_id": str(alert.uuid),
        "rule": alert.alert_type,
        "stream": alert.stream,
        "severity": alert.severity,
        "facility_id": None if alert.facility_uuid is None else str(alert.facility_uuid),
        "count": alert.count,
    }
    publish_after_commit(session, f"alert.{act}", subject=str(alert.uuid), payload=payload)


def history_of(session: TenantSession, alert_id: UUID) -> list[AlertEvent]:
    """Return the history of an alert, oldest first."""
    query = select(AlertEvent).where(AlertEvent.alert_uuid == alert_id)
    return list(session.exec(query.order_by(col(AlertEvent.at), col(AlertEvent.id))))


def deliveries_of(session: TenantSession, alert: Alert) -> list[AlertDelivery]:
    """Return what channels were notified of an alert, or of its digest while the alert lasted, oldest first."""
    delivery: Any = AlertDelivery
    while_it_lasted = [delivery.created_at >= alert.created_at]
    if alert.resolved_at is not None:
        while_it_lasted.append(or_(delivery.created_at <= alert.resolved_at, delivery.act == "resolve"))
    query = select(AlertDelivery).where(
        or_(
            delivery.alert_uuid == alert.uuid,
            and_(delivery.alert_uuid == alert.digest_id, *while_it_lasted),
        )
    )
    return list(session.exec(query.order_by(col(AlertDelivery.id))))
