"""Whom an alert notifies, and when: silences, snoozes, quiet hours, routes, and the deliveries that follow."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from sqlmodel import col, or_, select

from core.clock import now
from core.database.locks import lock_own
from core.jobs import enqueue
from core.tenancy import settings as tenant_settings
from tenants.alerts import channels
from tenants.alerts.history import note
from tenants.alerts.kinds import PEOPLE, at_least
from tenants.alerts.models import Alert, AlertDelivery, AlertPolicy, AlertRoute, AlertSilence
from tenants.alerts.quiet import quiet_until
from tenants.alerts.settings import AlertSettings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from core.database import TenantSession

DELIVER: Final = "alerts.deliver"
NOTIFY: Final = "alerts.notify"
ESCALATE: Final = "alerts.escalate"
DIGESTS: Final = "alerts.digest"
LOCK: Final = "alerts"
UNROUTED: Final = "medium"
"""The least severity of alerts that every channel gets where a tenant has no route."""
_MOST_DEFERRALS: Final = 50


@dataclass(slots=True)
class Targets:
    """Where an alert goes: channels, and at most one escalation policy."""

    channels: set[UUID] = field(default_factory=set)
    policy: UUID | None = None


def notify(session: TenantSession, alert: Alert, *, moment: datetime | None = None) -> None:
    """Notify channels that an alert is there: now, or when a silence, a snooze or quiet hours end.

    An alert about people waits for the job of its facility's digest, which sends it with the others.
    """
    present = moment or now()
    if has_to_wait(session, alert, present):
        return
    if is_gathered(alert):
        alert.notify_at = present
        session.add(alert)
        session.flush()
        ask_digest(session, alert)
        return
    detail = send_round(session, alert, targets_of(session, alert, present), present)
    note(session, alert, "notified", detail)


def has_to_wait(session: TenantSession, alert: Alert, moment: datetime) -> bool:
    """Defer an alert whose channels may not be notified at a moment; return whether it was deferred."""
    until, why = deferred_until(session, alert, moment)
    if until is not None:
        defer(session, alert, until, why)
    return until is not None


def defer(session: TenantSession, alert: Alert, until: datetime, why: str) -> None:
    """Have an alert notify its channels later."""
    alert.notify_at = until
    note(session, alert, "deferred", {"until": until.isoformat(), "why": why})
    ask_notice(session, alert)


def send_round(session: TenantSession, alert: Alert, targets: Targets, present: datetime) -> dict[str, Any]:
    """Write a round of messages that an alert is there, and begin its escalation; return figures for the history."""
    alert.notify_at, alert.notified_at = None, present
    policy = None if targets.policy is None else session.get(AlertPolicy, targets.policy)
    if policy is not None and policy.steps:
        alert.policy_id, alert.step = policy.id, 0
        alert.step_at = present + timedelta(minutes=policy.steps[0]["after_minutes"])
        ask_step(session, alert)
    deliver(session, alert, "trigger", targets.channels)
    return {"channels": len(targets.channels), "policy": policy is not None}


def deliver(session: TenantSession, alert: Alert, act: str, chosen: Iterable[UUID]) -> None:
    """Write a delivery of an act for each channel, and ask for its job."""
    if act == "trigger":
        alert.round += 1
        session.add(alert)
        session.flush()
    for channel_id in sorted(chosen):
        row = AlertDelivery(alert_uuid=alert.uuid, channel_id=channel_id, act=act, round=alert.round)
        session.add(row)
        session.flush()
        ask(session, row.id)


def notify_of_act(session: TenantSession, alert: Alert, act: str) -> None:
    """Notify the channels that were notified of the alert that it was acknowledged or resolved.

    For an alert about people, its digest says so once it concerns all of them.
    """
    if is_gathered(alert):
        ask_digest(session, alert)
        return
    query: Any = select(AlertDelivery.channel_id).where(
        AlertDelivery.alert_uuid == alert.uuid, AlertDelivery.act == "trigger"
    )
    done: Any = select(AlertDelivery.channel_id).where(
        AlertDelivery.alert_uuid == alert.uuid, AlertDelivery.act == act, AlertDelivery.round == alert.round
    )
    deliver(session, alert, act, set(session.exec(query)) - set(session.exec(done)))


def was_notified(session: TenantSession, alert_id: UUID, channel_id: UUID) -> bool:
    """Whether an alert was written for a channel."""
    query = select(AlertDelivery.id).where(
        AlertDelivery.alert_uuid == alert_id, AlertDelivery.channel_id == channel_id, AlertDelivery.act == "trigger"
    )
    return session.exec(query).first() is not None


def ask(session: TenantSession, delivery_id: UUID, due: datetime | None = None) -> None:
    """Have a delivery sent, once this transaction commits."""
    enqueue(session, DELIVER, {"delivery_id": str(delivery_id)}, run_after=due, dedupe_key=str(delivery_id))


def ask_notice(session: TenantSession, alert: Alert) -> None:
    """Have an alert look at its ``notify_at`` whether channels are to be notified."""
    enqueue(session, NOTIFY, {"alert_id": str(alert.uuid)}, run_after=alert.notify_at, dedupe_key=str(alert.uuid))


def ask_digest(session: TenantSession, alert: Alert) -> None:
    """Have the digest of an alert's facility brought up to date, once for each transaction.

    There is no ``dedupe_key``: a job that runs may have looked before this transaction commits.
    """
    asked: set[UUID | None] = session.info.setdefault(DIGESTS, set())
    if alert.facility_uuid not in asked:
        asked.add(alert.facility_uuid)
        enqueue(session, DIGESTS, {"facility_id": str(alert.facility_uuid)})


def is_gathered(alert: Alert) -> bool:
    """Return whether channels get an alert in the digest of its facility."""
    return alert.alert_type in PEOPLE and alert.facility_uuid is not None


def lock_alerts(session: TenantSession) -> None:
    """Wait until no other transaction looks at rules, updates a digest or takes a step; these lock many alerts."""
    with session.cursor() as cursor:
        lock_own(cursor, LOCK)


def ask_step(session: TenantSession, alert: Alert) -> None:
    """Have the next step of an alert's escalation taken when it is due."""
    payload = {"alert_id": str(alert.uuid), "step": alert.step}
    enqueue(session, ESCALATE, payload, run_after=alert.step_at, dedupe_key=f"{alert.uuid}:{alert.round}:{alert.step}")


def look_again(session: TenantSession) -> None:
    """Let alerts that wait look again now: what they wait for may have ended."""
    query = select(Alert).where(Alert.status == "open", col(Alert.notify_at).is_not(None))
    for row in session.exec(query.order_by(col(Alert.uuid)).with_for_update()).all():
        row.notify_at = now()
        session.add(row)
        session.flush()
        enqueue(session, NOTIFY, {"alert_id": str(row.uuid)}, dedupe_key=str(row.uuid))


def deferred_until(session: TenantSession, alert: Alert, moment: datetime) -> tuple[datetime | None, str]:
    """Return until when nobody is notified of an alert, and why; None if somebody is notified now."""
    at, why = moment, ""
    settings = tenant_settings.get(session, AlertSettings)
    for _ in range(_MOST_DEFERRALS):
        later = [
            (until, reason)
            for until, reason in (
                (alert.snoozed_until, "snoozed"),
                (_silent_until(session, alert, at), "silenced"),
                (_quiet_until(settings, session, alert, at), "quiet"),
            )
            if until is not None and until > at
        ]
        if not later:
            break
        at, why = max(later)
    return (at, why) if at > moment else (None, "")


def targets_of(session: TenantSession, alert: Alert, moment: datetime) -> Targets:
    """Return where an alert goes at a moment. Without any route, every channel gets it unless it is minor."""
    routes = session.exec(select(AlertRoute).order_by(col(AlertRoute.id))).all()
    usable = {each.id for each in channels.list_channels(session)}
    targets = Targets()
    if not routes:
        if at_least(alert.severity, UNROUTED):
            targets.channels = usable
        return targets
    for route in routes:
        if not matches(route, alert, moment, session.tenant.time_zone):
            continue
        if route.channel_id is not None and route.channel_id in usable:
            targets.channels.add(route.channel_id)
        if route.policy_id is not None and targets.policy is None:
            targets.policy = route.policy_id
    return targets


def matches(route: AlertRoute, alert: Alert, moment: datetime, zone: str) -> bool:
    """Return whether a route takes an alert at a moment."""
    if route.stream not in (None, alert.stream) or not at_least(alert.severity, route.severity):
        return False
    if route.facilities and alert.facility_uuid not in route.facilities:
        return False
    local = moment.astimezone(ZoneInfo(zone))
    minute, begin, end = local.hour * 60 + local.minute, route.from_minute, route.until_minute
    day = local.isoweekday()
    if begin > end and minute < end:
        day = (day - 2) % 7 + 1  # the night belongs to the day on which it began
    if route.days and day not in route.days:
        return False
    if begin == end:
        return True
    return begin <= minute < end if begin < end else minute >= begin or minute < end


def _silent_until(session: TenantSession, alert: Alert, moment: datetime) -> datetime | None:
    silence: Any = AlertSilence
    query = select(silence.until).where(
        silence.since <= moment,
        silence.until > moment,
        or_(silence.rule.is_(None), silence.rule == alert.alert_type),
        or_(silence.stream.is_(None), silence.stream == alert.stream),
        or_(silence.facility_uuid.is_(None), silence.facility_uuid == alert.facility_uuid),
    )
    ends: list[datetime] = list(session.exec(query))
    return max(ends, default=None)


def _quiet_until(settings: AlertSettings, session: TenantSession, alert: Alert, moment: datetime) -> datetime | None:
    if alert.severity == "critical":
        return None
    return quiet_until(settings, session.tenant.time_zone, moment)
