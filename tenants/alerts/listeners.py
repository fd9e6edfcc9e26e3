"""What alerts do when other rooms publish: signals about the platform, acts in channels, failed jobs."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from core import telemetry
from core.clock import now
from core.errors import AppError
from core.jobs import enqueue
from tenants.alerts import acts, digests
from tenants.alerts.jobs import CHECK
from tenants.alerts.messages import PREFIX
from tenants.alerts.notifying import lock_alerts, was_notified
from tenants.alerts.rules import get_rule
from tenants.alerts.signals import Signal, apply_signals, end_signal, resolved_too_early

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database import TenantSession

LONGEST_SUBJECT: Final = 100
LONGEST_NAME: Final = 100
_SOON: Final = timedelta(minutes=1)
"""Jobs that fail in one minute are one look."""

log = telemetry.get_logger(__name__)


def job_given_up(session: TenantSession, event: Mapping[str, Any]) -> None:
    """Have the rules checked soon. Listens to ``jobs.given_up``, and to what ends it.

    A failure of the check itself must not ask for another one.
    """
    if event["kind"] != CHECK:
        enqueue(session, CHECK, {}, run_after=now() + _SOON, dedupe_key=CHECK)


def drifted(session: TenantSession, event: Mapping[str, Any]) -> None:
    """Raise or end an alert about drift. Listens to ``models.drift``, which is published each night.

    After somebody has resolved the alert, the same drift raises no other one: it must have ended first, or be of more
    things than it was then.
    """
    early = None if event.get("ended") else resolved_too_early(session, get_rule(session, "drift"), _subject(event))
    if early is None or int(event.get("value", 0)) > early.count:
        signal(session, "drift", event)


def plugin_failing(session: TenantSession, event: Mapping[str, Any]) -> None:
    """Raise or end an alert about a plugin. Listens to ``plugins.failing``."""
    signal(session, "plugin_failing", event)


def quota_near(session: TenantSession, event: Mapping[str, Any]) -> None:
    """Raise or end an alert about a quota. Listens to ``quotas.near``."""
    signal(session, "quota_near", event)


def signal(session: TenantSession, rule_name: str, event: Mapping[str, Any]) -> None:
    """Apply a signal of the platform.

    Args:
        session: the publisher's transaction.
        rule_name: the rule.
        event: ``subject``: what it is about, a code or name without personal data; ``value``: a whole number, compared
            with the threshold; ``ended``: whether the cause has ended; ``facts``: further figures and codes.
    """
    rule = get_rule(session, rule_name)
    subject, value = _subject(event), int(event.get("value", 0))
    if event.get("ended") or value < rule.threshold:
        end_signal(session, rule, subject)
        return
    apply_signals(session, rule, [Signal(subject=subject, count=value, facts=event.get("facts", {}))], whole=False)


def _subject(event: Mapping[str, Any]) -> str:
    return str(event["subject"])[:LONGEST_SUBJECT]


def channel_acts(session: TenantSession, event: Mapping[str, Any]) -> None:
    """Do what people did in a channel. Listens to ``plugin.channel_acts``.

    Args:
        session: the publisher's transaction.
        event: ``instance_id``: the channel; ``acts``: what was done, each a ``plugins.sdk.ChannelAct``.
    """
    channel_id = UUID(str(event["instance_id"]))
    named = [(act, alert_id) for act in event["acts"] if (alert_id := _alert_named(act)) is not None]
    if digests.are_among(session, [alert_id for _, alert_id in named]):
        lock_alerts(session)  # before the alerts of earlier acts, as jobs do
    for act, alert_id in named:
        if not was_notified(session, alert_id, channel_id):
            log.info("a channel acted on an alert of which it was not notified", act=act.act)
            continue
        for concerned in digests.concerned(session, alert_id, act.act):
            try:
                _do(session, concerned, channel_id, act)
            except AppError as error:
                log.info("an act in a channel was not done", act=act.act, error=type(error).__name__)


def _alert_named(act: Any) -> UUID | None:  # noqa: ANN401 - of the SDK
    """The alert or digest of an act's key; None if the key is not one of ours."""
    if not act.key.startswith(PREFIX):
        return None
    try:
        return UUID(act.key.removeprefix(PREFIX))
    except ValueError as error:
        log.info("an act in a channel was not done", act=act.act, error=type(error).__name__)
        return None


def _do(session: TenantSession, alert_id: UUID, channel_id: UUID, act: Any) -> None:  # noqa: ANN401 - of the SDK
    actor, who = f"channel:{channel_id}", _shown_name(act.who)
    if act.act in ("acknowledge", "assign"):
        acts.acknowledge(session, alert_id, source="channel", actor=actor, who=who)
    elif act.act == "resolve":
        acts.resolve(session, alert_id, source="channel", actor=actor, who=who)
    elif act.act == "snooze":
        minutes = min(max(act.minutes, 0) or acts.SNOOZE_MINUTES, acts.LONGEST_SNOOZE)
        acts.snooze(session, alert_id, minutes, source="channel", actor=actor, who=who)
    elif act.act == "reopen":
        acts.reopen(session, alert_id, source="channel", actor=actor, who=who)


def _shown_name(who: str) -> str:
    """Whom a channel names, as the history can hold it."""
    return "".join(sign for sign in who if sign.isprintable())[:LONGEST_NAME]
