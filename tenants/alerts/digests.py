"""Digests: channels get the alerts about the people of a facility in one message.

Each of these alerts has its own status, history, pauses and silences. In channels their digest stands for them: a row
of ``alerts`` with the type ``digest``, which no list shows. It has the key, the deliveries and the escalation. A
facility has at most one that has not ended. It is acknowledged when each of its alerts is, and ends with the last one.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlmodel import col, select

from core.clock import now
from tenants.alerts import notifying
from tenants.alerts.history import note
from tenants.alerts.kinds import DIGEST, PEOPLE, rank
from tenants.alerts.models import OPEN, Alert
from tenants.alerts.notifying import (
    Targets,
    has_to_wait,
    is_gathered,
    lock_alerts,
    notify_of_act,
    send_round,
    targets_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from uuid import UUID

    from core.database import TenantSession

PAUSE: Final = timedelta(hours=1)
"""After a message, before another one only because a further rule found people. Greater severity does not wait."""
_ACTOR: Final = "system:alerts"


def update(session: TenantSession, facility_id: UUID) -> None:
    """Send what is due of a facility's alerts about people, and tell channels what was acknowledged or has ended.

    Only jobs call this. Whoever changes an alert holds its lock, and would wait for the digest against the order.
    """
    lock_alerts(session)
    present = now()
    alerts = _alerts_of(session, facility_id)
    digest = _open_digest(session, facility_id, lock=True)
    sent = [row for row in alerts if digest is not None and row.digest_id == digest.uuid]
    due = [
        row
        for row in alerts
        if row.notify_at is not None and row.notify_at <= present and not has_to_wait(session, row, present)
    ]
    if due:
        due += [row for row in alerts if row not in due and _only_waits_for_others(session, row, present)]
        _send(session, digest or _earlier(session, due) or _new(facility_id), due, sent, present)
    elif digest is not None:
        _settle(session, digest, sent)


def pause_until(session: TenantSession, alert: Alert) -> datetime | None:
    """Return when a new alert may follow the last message about its facility; None if at once."""
    if not is_gathered(alert) or alert.facility_uuid is None or alert.severity == "critical":
        return None
    digest = _open_digest(session, alert.facility_uuid)
    if digest is None or digest.notified_at is None or rank(alert.severity) > rank(digest.severity):
        return None
    due = digest.notified_at + PAUSE
    return due if due > now() else None


def deferred_until(session: TenantSession, digest: Alert, moment: datetime) -> datetime | None:
    """Return until when each alert of a digest that nobody acknowledged is deferred; None if one is not."""
    ends = [notifying.deferred_until(session, row, moment)[0] for row in unanswered(session, digest)]
    later = [end for end in ends if end is not None]
    return min(later) if later and len(later) == len(ends) else None


def unanswered(session: TenantSession, digest: Alert) -> list[Alert]:
    """Return the alerts of a digest that nobody has acknowledged."""
    query = select(Alert).where(Alert.digest_id == digest.uuid, Alert.facility_uuid == digest.facility_uuid)
    return list(session.exec(query.where(Alert.status == "open").order_by(col(Alert.uuid))))


def are_among(session: TenantSession, alert_ids: Collection[UUID]) -> bool:
    """Return whether one of these is a digest."""
    query = select(Alert.uuid).where(col(Alert.uuid).in_(alert_ids), Alert.alert_type == DIGEST)
    return session.exec(query).first() is not None


def concerned(session: TenantSession, alert_id: UUID, act: str) -> list[UUID]:
    """Return the alerts on which somebody acts in a channel: those that it got in the digest, or the one it got.

    What was added since the channel was notified waits for its own message, and stays open. A digest that is reopened
    opens what somebody resolved since its last message, not what has ended by itself. The caller has locked alerts.
    """
    row = session.get(Alert, alert_id)
    if row is None or row.alert_type != DIGEST:
        return [alert_id]
    alert: Any = Alert
    query = select(Alert.uuid).where(alert.digest_id == row.uuid, alert.facility_uuid == row.facility_uuid)
    if act == "reopen":
        query = query.where(
            alert.status == "resolved", alert.resolution != "cause_ended", alert.resolved_at >= row.notified_at
        )
    else:
        query = query.where(alert.status.in_(OPEN))
    return list(session.exec(query.order_by(alert.uuid)))


def _send(session: TenantSession, digest: Alert, due: list[Alert], sent: list[Alert], present: datetime) -> None:
    """Write one message for each channel to which one of the alerts that are due goes."""
    targets = Targets()
    for row in due:
        goes_to = targets_of(session, row, present)
        targets.channels |= goes_to.channels
        targets.policy = targets.policy or goes_to.policy
    others = [row for row in sent if row not in due and notifying.deferred_until(session, row, present)[0] is None]
    new = [*due, *(row for row in others if row.notify_at is not None)]
    for row in new:
        row.status, row.snoozed_until = "open", None  # it has grown: somebody must look again
    digest.status, digest.acknowledged_at, digest.acknowledged_by = "open", None, None
    digest.resolved_at, digest.resolved_by, digest.resolution = None, None, None
    _count(digest, [*due, *others])
    session.add(digest)
    session.flush()
    detail = send_round(session, digest, targets, present)
    note(session, digest, "notified", detail, actor=_ACTOR)
    for row in (*due, *others):
        row.digest_id, row.notified_at, row.notify_at = digest.uuid, present, None
        session.add(row)
    for row in new:
        note(session, row, "notified", detail, actor=_ACTOR)


def _only_waits_for_others(session: TenantSession, alert: Alert, present: datetime) -> bool:
    """Whether channels never got an alert because it waits for the next message about its facility."""
    waits = alert.notify_at is not None and alert.digest_id is None
    return waits and notifying.deferred_until(session, alert, present)[0] is None


def _settle(session: TenantSession, digest: Alert, sent: list[Alert]) -> None:
    """Acknowledge a digest each of whose alerts is acknowledged, and end one that has none left."""
    if not sent:
        digest.status, digest.resolved_at, digest.resolved_by = "resolved", now(), _ACTOR
        digest.resolution, digest.step_at = "cause_ended", None
        note(session, digest, "resolved", actor=_ACTOR)
        notify_of_act(session, digest, "resolve")
        return
    counted = [row for row in sent if row.alert_type in digest.facts["rules"]]
    if counted:
        _count(digest, counted)
    if digest.status == "open" and all(row.status == "acknowledged" for row in sent):
        digest.status, digest.acknowledged_at, digest.acknowledged_by = "acknowledged", now(), _ACTOR
        digest.step_at = None
        note(session, digest, "acknowledged", actor=_ACTOR)
        notify_of_act(session, digest, "acknowledge")
    session.add(digest)
    session.flush()


def _count(digest: Alert, alerts: Sequence[Alert]) -> None:
    """Write what a message says of alerts: the people of each rule, those of all, and the greatest severity."""
    waiting = [row.severity for row in alerts if row.status == "open"] or [row.severity for row in alerts]
    digest.severity = max(waiting, key=rank)
    digest.facts = {"rules": {row.alert_type: row.count for row in alerts}}
    digest.count = len({person for row in alerts for person in row.patients})
    digest.data_date = max((row.data_date for row in alerts if row.data_date is not None), default=None)


def _alerts_of(session: TenantSession, facility_id: UUID) -> list[Alert]:
    """The alerts about people of a facility that have not ended, locked in the order of their ids."""
    query = select(Alert).where(
        Alert.facility_uuid == facility_id, col(Alert.alert_type).in_(PEOPLE), col(Alert.status).in_(OPEN)
    )
    query = query.order_by(col(Alert.uuid)).with_for_update().execution_options(populate_existing=True)
    return list(session.exec(query))


def _open_digest(session: TenantSession, facility_id: UUID, *, lock: bool = False) -> Alert | None:
    query = select(Alert).where(Alert.dedupe_key == _key(facility_id), col(Alert.status).in_(OPEN))
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return session.exec(query).first()


def _earlier(session: TenantSession, due: Sequence[Alert]) -> Alert | None:
    """The digest of an alert that was reopened: its receivers know the key."""
    ids = {row.digest_id for row in due if row.digest_id is not None}
    query = select(Alert).where(col(Alert.uuid).in_(ids), Alert.alert_type == DIGEST).order_by(col(Alert.uuid).desc())
    return session.exec(query.with_for_update()).first() if ids else None


def _new(facility_id: UUID) -> Alert:
    return Alert(
        stream="clinical",
        alert_type=DIGEST,
        facility_uuid=facility_id,
        severity="info",
        dedupe_key=_key(facility_id),
        created_by=_ACTOR,
    )


def _key(facility_id: UUID) -> str:
    return f"{DIGEST}:{facility_id}:"
