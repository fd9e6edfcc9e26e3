"""The jobs of alerts: check rules, notify channels later, escalate, and send deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlmodel import col, select

from core.clock import now, today
from core.database import after_commit
from core.deliveries import ENDED, begin, record
from core.events.signals import signal_after_commit
from core.jobs import Retry, enqueue, job
from core.metrics import Histogram
from tenants.alerts import channels, digests, escalation
from tenants.alerts.findings import FOUND_BY, on_lists
from tenants.alerts.kinds import ON_LISTS
from tenants.alerts.messages import message_of
from tenants.alerts.models import OPEN, Alert, AlertDelivery
from tenants.alerts.notifying import (
    DELIVER,
    DIGESTS,
    ESCALATE,
    NOTIFY,
    ask,
    ask_digest,
    ask_notice,
    ask_step,
    is_gathered,
    lock_alerts,
    notify,
)
from tenants.alerts.rules import get_rule
from tenants.alerts.signals import apply_signals
from tenants.cohort.service import cohort_settings

if TYPE_CHECKING:
    from core.database import TenantSession
    from core.events.outbox import Event
    from core.jobs import JobContext, JobEnd
    from plugins.sdk import Alert as Message

CHECK: Final = "alerts.check"
SECONDS: Final = Histogram(
    "iit_alert_seconds",
    "Seconds from when a message about an alert was written until what became of it was known.",
    ("outcome",),
    bounds=(5.0, 15.0, 60.0, 300.0, 900.0, 3600.0),
)
_AFTER_EARLIER: Final = timedelta(seconds=2)
"""Before a message looks again whether the one before it has ended."""


def enqueue_check(session: TenantSession, due: datetime) -> None:  # noqa: ARG001 - as schedules call
    """Enqueue a check of the rules that look at intervals."""
    enqueue(session, CHECK, {}, dedupe_key=CHECK)


def scored(context: JobContext, event: Event) -> None:
    """Raise, update and resolve the alerts of a scoring. Subscribes to ``risk.scored``.

    A scoring of an earlier day than the newest says nothing about now.
    """
    as_of = date.fromisoformat(event.payload["as_of"])
    with context.session() as session:
        if _is_newest(session, as_of):
            grace = cohort_settings(session).grace_days
            for name in ON_LISTS:
                rule = get_rule(session, name)
                apply_signals(session, rule, on_lists(session, rule, as_of, grace), data_date=as_of, whole=True)
            _check(session, "viral_load")
        context.finish(session)


@job(CHECK, lease=timedelta(minutes=1), time_limit=timedelta(minutes=30))
def check(context: JobContext, payload: dict[str, Any]) -> None:  # noqa: ARG001 - as jobs are called
    """Check the rules that look at intervals, and ask again for what is due and has no job."""
    for name in FOUND_BY:
        with context.session() as session:
            _check(session, name)
    with context.session() as session:
        present = now()
        alert: Any = Alert
        due = select(Alert).where(col(Alert.status).in_(OPEN), alert.notify_at <= present)
        for row in session.exec(due):
            enqueue(session, NOTIFY, {"alert_id": str(row.uuid)}, dedupe_key=str(row.uuid))
        for row in session.exec(select(Alert).where(Alert.status == "open", alert.step_at <= present)):
            ask_step(session, row)
        context.finish(session)


@job(NOTIFY, retry=Retry(8), lease=timedelta(minutes=1), time_limit=timedelta(minutes=10))
def notify_later(context: JobContext, payload: dict[str, Any]) -> None:
    """Notify the channels of an alert that waited for the end of quiet hours, a silence, a snooze or its own pause.

    An acknowledged alert waits only if it has grown since: it is open again, because somebody must look.
    """
    with context.session() as session:
        row = locked(session, UUID(payload["alert_id"]))
        context.finish(session)
        if row is not None and row.status in OPEN and row.notify_at is not None:
            if row.notify_at > now():
                ask_notice(session, row)
            elif is_gathered(row):
                ask_digest(session, row)
            else:
                row.status, row.snoozed_until = "open", None
                notify(session, row)


@job(DIGESTS, retry=Retry(8), lease=timedelta(minutes=1), time_limit=timedelta(minutes=10))
def update_digest(context: JobContext, payload: dict[str, Any]) -> None:
    """Send the alerts about the people of a facility that are due, in one message for each channel."""
    with context.session() as session:
        digests.update(session, UUID(payload["facility_id"]))
        context.finish(session)


@job(ESCALATE, retry=Retry(8), lease=timedelta(minutes=1), time_limit=timedelta(minutes=10))
def escalate(context: JobContext, payload: dict[str, Any]) -> None:
    """Take the next step of an alert's escalation, if nobody has acknowledged the alert."""
    with context.session() as session:
        lock_alerts(session)
        row = locked(session, UUID(payload["alert_id"]))
        context.finish(session)
        if row is not None and row.status == "open" and row.step_at is not None and row.step == payload["step"]:
            escalation.take_step(session, row)


@dataclass(frozen=True, slots=True)
class _Attempt:
    channel_id: UUID
    message: Message


def delivery_ended(session: TenantSession, end: JobEnd) -> None:
    """Say in a delivery's row that its job was given up, or is tried again."""
    row = session.get(AlertDelivery, UUID(end.payload["delivery_id"]))
    if row is None or row.state in ("sent", "unknown"):
        return
    if end.decision == "retried":
        row.state, row.reason, row.ended_at, row.due_at = "waiting", None, None, now()
    else:
        unsure = row.state == "sending" and not row.repeatable
        row.state, row.ended_at = ("unknown" if unsure else "failed"), now()
        row.reason = "given_up" if end.decision == "given_up" else "discarded"
        _count(session, row)
    session.add(row)
    session.flush()


@job(
    DELIVER,
    retry=Retry(8),
    lease=timedelta(minutes=1),
    time_limit=timedelta(minutes=10),
    cancellable=False,
    on_end=delivery_ended,
)
def deliver(context: JobContext, payload: dict[str, Any]) -> None:
    """Send one message about an alert to one channel. Between the steps no transaction is open."""
    delivery_id = UUID(payload["delivery_id"])
    with context.session() as session:
        attempt = _attempt(session, delivery_id)
        if attempt is None:
            context.finish(session)
            _ask_again(session, delivery_id)
            return
    message = channels.prepare(context.tenant, attempt.channel_id, attempt.message)
    with context.session() as session:
        row = begin(session, AlertDelivery, delivery_id, repeatable=message.repeatable)
        if row is None:
            context.finish(session)
            _ask_again(session, delivery_id)
            return
        message.count(session)
    outcome = message.send()
    with context.session() as session:
        record(session, AlertDelivery, delivery_id, outcome)
        _count(session, session.get(AlertDelivery, delivery_id))
        signal_after_commit(session)
        context.finish(session)
        _ask_again(session, delivery_id)
    message.judge(outcome)  # last: a worker that dies before it has recorded leaves the delivery unknown


def _count(session: TenantSession, row: AlertDelivery | None) -> None:
    """Count how long a message took that has ended."""
    if row is not None and row.state in ENDED:
        after_commit(session, partial(SECONDS.observe, (now() - row.created_at).total_seconds(), row.state))


def locked(session: TenantSession, alert_id: UUID) -> Alert | None:
    """Return an alert, locked; None if it is gone."""
    query = select(Alert).where(Alert.uuid == alert_id).with_for_update()
    return session.exec(query.execution_options(populate_existing=True)).first()


def _attempt(session: TenantSession, delivery_id: UUID) -> _Attempt | None:
    """Return the message to send; None if none is to be sent now."""
    query = select(AlertDelivery).where(AlertDelivery.id == delivery_id).with_for_update()
    row = session.exec(query).first()
    if row is None or row.state in ENDED or (row.state == "waiting" and row.due_at > now()):
        return None
    alert = session.get(Alert, row.alert_uuid)
    if alert is None:
        return None
    earlier = session.exec(
        select(AlertDelivery)
        .where(
            AlertDelivery.alert_uuid == row.alert_uuid,
            AlertDelivery.channel_id == row.channel_id,
            AlertDelivery.id < row.id,
        )
        .order_by(col(AlertDelivery.id))
    ).all()
    if any(each.state not in ENDED for each in earlier):
        row.due_at = now() + _AFTER_EARLIER
        session.add(row)
        session.flush()
        return None
    reason = _superfluous(row, alert, any(each.state in ("sent", "unknown") for each in earlier))
    if reason:
        row.state, row.reason, row.ended_at = "failed", reason, now()
        session.add(row)
        session.flush()
        return None
    first = next((each.reference for each in earlier if each.reference), "")
    return _Attempt(row.channel_id, message_of(session, alert, row.act, first))


def _superfluous(row: AlertDelivery, alert: Alert, was_notified: bool) -> str:  # noqa: FBT001 - of the channel
    """Return why a message that was not tried yet need not be sent; empty if it must."""
    if row.attempts:
        return ""
    if row.act == "trigger":
        return "resolved_before" if alert.status == "resolved" else ""
    return "" if was_notified else "never_notified"


def _ask_again(session: TenantSession, delivery_id: UUID) -> None:
    row = session.get(AlertDelivery, delivery_id, populate_existing=True)
    if row is not None and row.state == "waiting":
        ask(session, delivery_id, row.due_at)


def _check(session: TenantSession, name: str) -> None:
    rule = get_rule(session, name)
    day = today(session.tenant.time_zone)
    signals = FOUND_BY[name](session, rule, day) if rule.enabled else []
    apply_signals(session, rule, signals, data_date=day if rule.kind.stream == "clinical" else None, whole=True)


def _is_newest(session: TenantSession, as_of: date) -> bool:
    with session.cursor() as cursor:
        row = cursor.execute("SELECT max(as_of) FROM score_runs WHERE state = 'done'").fetchone()
    return row is not None and row[0] is not None and as_of >= row[0]
