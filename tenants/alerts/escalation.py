"""Escalation: notifies the next of a policy until somebody acknowledges the alert."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from core.clock import now
from tenants.alerts import channels, digests
from tenants.alerts.history import note
from tenants.alerts.kinds import DIGEST
from tenants.alerts.models import AlertPolicy, OnCallRota
from tenants.alerts.notifying import ask_step, deferred_until, deliver
from tenants.alerts.oncall import on_call

if TYPE_CHECKING:
    from core.database import TenantSession
    from tenants.alerts.models import Alert


SHORTEST_ROUND: Final = 5
"""Minutes before a policy begins anew, at least."""


def take_step(session: TenantSession, alert: Alert) -> None:
    """Notify those of the present step, and set when the next one is due.

    Quiet hours, silences and snoozes postpone the step; they never skip it.
    """
    policy = None if alert.policy_id is None else session.get(AlertPolicy, alert.policy_id)
    if policy is None or not policy.steps:
        alert.step_at = None
        session.add(alert)
        return
    present = now()
    is_digest = alert.alert_type == DIGEST
    if is_digest and not digests.unanswered(session, alert):
        return  # all are acknowledged or resolved: the job that says so in the digest is under way
    until = digests.deferred_until(session, alert, present) if is_digest else deferred_until(session, alert, present)[0]
    if until is not None or (alert.step_at is not None and alert.step_at > present):
        alert.step_at = max(until or present, alert.step_at or present)
        session.add(alert)
        session.flush()
        ask_step(session, alert)
        return
    step = policy.steps[alert.step % len(policy.steps)]
    channel, person = _target(session, step)
    usable = {each.id for each in channels.list_channels(session)}
    reached = channel is not None and channel in usable
    taken = alert.step
    alert.step, alert.notified_at = alert.step + 1, present
    last = alert.step >= len(policy.steps) * (policy.repeats + 1)
    following = policy.steps[alert.step % len(policy.steps)]
    minutes = following["after_minutes"]
    if alert.step % len(policy.steps) == 0:  # it begins anew: not at once
        minutes = max(minutes, step["after_minutes"], SHORTEST_ROUND)
    pause = timedelta(minutes=minutes)
    alert.step_at = None if last else present + (pause if reached else timedelta())
    if reached and channel is not None:
        deliver(session, alert, "trigger", [channel])
    detail = {"step": taken + 1, "person": person, "reached": reached}
    for row in (alert, *(digests.unanswered(session, alert) if is_digest else ())):
        note(session, row, "escalated", detail, actor="system:alerts")
    if alert.step_at is not None:
        ask_step(session, alert)


def _target(session: TenantSession, step: dict[str, Any]) -> tuple[UUID | None, str | None]:
    """Return the channel of a step, and the person whom it reaches, if the step names a rota."""
    if step.get("channel_id"):
        return UUID(step["channel_id"]), None
    rota = session.get(OnCallRota, UUID(step["rota_id"]))
    shift = None if rota is None else on_call(session, rota, now())
    return (None, None) if shift is None else (shift.channel_id, str(shift.person_id))
