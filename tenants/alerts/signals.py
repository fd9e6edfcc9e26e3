"""From signals to alerts: opens, updates and resolves the alerts of one rule, so that a cause raises one alert."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from sqlmodel import col, select

from core.clock import now
from tenants.alerts import digests
from tenants.alerts.acts import end
from tenants.alerts.history import announce, history_of, note
from tenants.alerts.models import OPEN, Alert
from tenants.alerts.notifying import ask_notice, defer, lock_alerts, notify
from tenants.alerts.outcomes import RULES, outcomes_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from core.database import TenantSession
    from tenants.alerts.rules import Rule


@dataclass(frozen=True, slots=True)
class Signal:
    """What a rule found at one facility, or about one thing of the platform.

    Attributes:
        facility: the facility; None for the platform's.
        subject: what it is about, where there is no facility.
        people: those concerned.
        count: people or things.
        facts: figures and codes, without names and phones.
    """

    facility: UUID | None = None
    subject: str = ""
    people: frozenset[UUID] = frozenset()
    count: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)

    def key(self, rule: str) -> str:
        """Return the key of its alert: one that has not ended per rule, facility and subject."""
        return f"{rule}:{self.facility or ''}:{self.subject}"


def apply_signals(
    session: TenantSession, rule: Rule, signals: Sequence[Signal], *, data_date: date | None = None, whole: bool
) -> list[Alert]:
    """Open or update an alert for each signal; return those that are new to their channels.

    Args:
        session: a transaction of the tenant.
        rule: the rule, enabled or not.
        signals: what it found.
        data_date: the date to which its data run.
        whole: whether these are all that the rule finds now. Alerts without a signal are then resolved.
    """
    lock_alerts(session)
    query = select(Alert).where(Alert.alert_type == rule.kind.name, col(Alert.status).in_(OPEN))
    query = query.order_by(col(Alert.uuid)).with_for_update()  # as everybody who locks several
    known = {row.dedupe_key: row for row in session.exec(query.execution_options(populate_existing=True)).all()}
    notified = []
    keys = set()
    for signal in signals if rule.enabled else ():
        key = signal.key(rule.kind.name)
        keys.add(key)
        row = known.get(key)
        if row is None:
            notified.append(_open(session, rule, signal, data_date))
        elif _update(session, rule, row, signal, data_date):
            notified.append(row)
    if whole:
        for known_key, row in known.items():
            if known_key not in keys:
                end(session, row, "cause_ended", actor="system:alerts", facts=_gone(session, row, frozenset()))
    return notified


def end_signal(session: TenantSession, rule: Rule, subject: str) -> None:
    """Resolve the alert about one thing of the platform, because its cause has ended.

    If somebody has resolved it before, its history says that the cause has ended now.
    """
    lock_alerts(session)
    key = Signal(subject=subject).key(rule.kind.name)
    query = select(Alert).where(Alert.dedupe_key == key, col(Alert.status).in_(OPEN)).with_for_update()
    for row in session.exec(query.execution_options(populate_existing=True)).all():
        end(session, row, "cause_ended", actor="system:alerts")
    early = resolved_too_early(session, rule, subject)
    if early is not None:
        note(session, early, "changed", {"ended": True}, actor="system:alerts")


def resolved_too_early(session: TenantSession, rule: Rule, subject: str) -> Alert | None:
    """Return the newest alert about one thing of the platform if a person resolved it and its cause has not ended."""
    query = select(Alert).where(Alert.alert_type == rule.kind.name, Alert.subject == subject)
    row = session.exec(query.order_by(col(Alert.created_at).desc(), col(Alert.uuid).desc()).limit(1)).first()
    if row is None or row.resolved_at is None or row.resolution == "cause_ended":
        return None
    ended = any(each.detail.get("ended") and each.at >= row.resolved_at for each in history_of(session, row.uuid))
    return None if ended else row


def _open(session: TenantSession, rule: Rule, signal: Signal, data_date: date | None) -> Alert:
    row = Alert(
        stream=rule.kind.stream,
        alert_type=rule.kind.name,
        subject=signal.subject,
        facility_uuid=signal.facility,
        severity=rule.severity,
        patients=sorted(signal.people),
        count=signal.count,
        facts=dict(signal.facts),
        data_date=data_date,
        dedupe_key=signal.key(rule.kind.name),
        created_by="system:alerts",
    )
    note(session, row, "opened", {"count": signal.count}, actor="system:alerts")
    announce(session, row, "opened")
    pause = digests.pause_until(session, row)
    if pause is None:
        notify(session, row)
    else:
        defer(session, row, pause, "gathered")
    return row


def _update(session: TenantSession, rule: Rule, row: Alert, signal: Signal, data_date: date | None) -> bool:
    """Bring an alert up to date. Return whether it notifies its channels again: something is new, and it is time.

    If it is not time yet, the channels are notified when it is.
    """
    before = (row.count, set(row.patients))
    newcomers, gone = len(signal.people - before[1]), _gone(session, row, signal.people)
    row.patients, row.count = sorted(signal.people), signal.count
    row.facts, row.data_date = dict(signal.facts), data_date or row.data_date
    session.add(row)
    session.flush()
    if before == (row.count, set(row.patients)):
        return False
    more = newcomers or max(0, signal.count - before[0])
    note(session, row, "changed", {"count": signal.count, "new": more, **gone}, actor="system:alerts")
    if not more or row.notify_at is not None:
        return False
    if row.notified_at is not None and (due := row.notified_at + timedelta(hours=rule.repeat_hours)) > now():
        row.notify_at = due
        session.add(row)
        session.flush()
        ask_notice(session, row)
        return False
    if row.status == "acknowledged":
        row.status = "open"  # new people: somebody must look again
    notify(session, row)
    return True


def _gone(session: TenantSession, row: Alert, people: frozenset[UUID]) -> dict[str, int]:
    """Return what became of those who were in the alert and are not any more; nothing if nobody left it."""
    gone = set(row.patients) - people
    if not gone or row.alert_type not in RULES or row.data_date is None:
        return {}
    return outcomes_of(session, gone, row.data_date)
