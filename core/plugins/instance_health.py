"""Whether the instances of plugins work: failures in a row, and the signal that one keeps failing.

``plugins.failing`` is published in the transaction that counts: when an instance has failed ``MOST_FAILURES`` times in
a row or its breaker opens, again after each further ``MOST_FAILURES``, and when it works again, is disabled or removed.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from core import telemetry
from core.clock import now
from core.database import tenant_session
from core.deliveries import NOT_TRIED
from core.events import publish
from core.plugins.filling import storable

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantRef, TenantSession
    from core.plugins.instance_models import PluginInstance
    from plugins.sdk import Outcome

SIGNAL: Final = "plugins.failing"
ACTOR: Final = "system:plugins"
MOST_FAILURES: Final = 3
"""As many failures in a row are no accident."""
_LATEST: Final = timedelta(minutes=1)
"""How far the time of the last success may lag, so that not every message writes the row."""
_LONGEST_REASON: Final = 200
BREAKER_OPEN: Final = "BreakerOpen"
NOT_JUDGED: Final = NOT_TRIED - {BREAKER_OPEN}
"""Reasons of the platform that say nothing about an instance. No outcome of a plugin has one."""
OF_ONE_MESSAGE: Final = frozenset(
    {
        "blocked",
        "do_not_disturb",
        "filtered",
        "invalid_message",
        "invalid_number",
        "landline",
        "no_route",
        "rejected_by_network",
        "text_missing",
        "text_too_long",
        "unknown_number",
        "unreachable",
        "unsubscribed",
        "unsupported_number",
    }
)
"""Reasons of gateways that concern one phone or text: the gateway works. A channel with such a phone does not."""
_FAILED: Final = """
UPDATE plugin_instances SET consecutive_failures = consecutive_failures + 1, last_failure_at = %(now)s,
    last_failure_reason = %(reason)s, failing_since = CASE
        WHEN consecutive_failures + 1 >= %(most)s OR %(at_once)s THEN coalesce(failing_since, %(now)s)
        ELSE failing_since END
WHERE id = %(id)s AND enabled
RETURNING kind, plugin, name, consecutive_failures, failing_since IS NOT NULL, failing_since = %(now)s
"""
_WORKED: Final = """
WITH before AS (SELECT id, failing_since FROM plugin_instances WHERE id = %(id)s FOR UPDATE)
UPDATE plugin_instances i SET consecutive_failures = 0, failing_since = NULL, last_success_at = %(now)s
FROM before b WHERE i.id = b.id
RETURNING i.kind, i.plugin, i.name, b.failing_since IS NOT NULL
"""

log = telemetry.get_logger(__name__)


def judge(tenant: TenantRef, instance_id: UUID, kind: str, outcome: Outcome, *, success_is_news: bool) -> None:
    """Count an outcome of an instance. Never raises: what was sent stays sent, whatever the count.

    Args:
        tenant: whose instance it is.
        instance_id: the instance.
        kind: of the instance.
        outcome: what became of a message.
        success_is_news: whether a success changes what the instance's row says; see :func:`success_is_news`.
    """
    try:
        if outcome.state == "sent":
            if success_is_news:
                with tenant_session(tenant, actor=ACTOR) as session:
                    count_success(session, instance_id)
        elif outcome.reason not in NOT_JUDGED and not (kind == "sms-gateway" and outcome.reason in OF_ONE_MESSAGE):
            with tenant_session(tenant, actor=ACTOR) as session:
                count_failure(session, instance_id, outcome.reason, breaker_open=outcome.reason == BREAKER_OPEN)
    except Exception as error:  # noqa: BLE001 - an outcome that is lost is a message sent twice
        log.warning("an outcome of a plugin was not counted", error=type(error).__name__)


def success_is_news(row: PluginInstance) -> bool:
    """Return whether a success now changes what the row says: it failed before, or its last success is old."""
    return row.consecutive_failures > 0 or row.last_success_at is None or row.last_success_at < now() - _LATEST


def count_failure(session: TenantSession, instance_id: UUID, reason: str, *, breaker_open: bool = False) -> None:
    """Count a failure of an enabled instance, and publish the signal if it keeps failing.

    Args:
        session: a transaction of the tenant.
        instance_id: the instance; nothing happens if it is gone.
        reason: a short code, without personal data.
        breaker_open: whether it failed so often that it is not called for a while.
    """
    values = {
        "id": instance_id,
        "most": MOST_FAILURES,
        "at_once": breaker_open,
        "now": now(),
        "reason": storable(reason)[:_LONGEST_REASON],
    }
    with session.cursor() as cursor:
        row = cursor.execute(_FAILED, values).fetchone()
    if row is None:
        return
    kind, plugin, name, count, is_failing, is_new = row
    if is_failing and (is_new or count % MOST_FAILURES == 0):
        _publish(session, subject_of(kind, plugin, name), count)


def count_success(session: TenantSession, instance_id: UUID) -> None:
    """Forget the failures of an instance that works, and publish that it fails no longer if it kept failing."""
    with session.cursor() as cursor:
        row = cursor.execute(_WORKED, {"id": instance_id, "now": now()}).fetchone()
    if row is not None and row[3]:
        _publish(session, subject_of(*row[:3]), 0, ended=True)


def end_failures(session: TenantSession, row: PluginInstance) -> None:
    """Forget the failures of an instance that is disabled or removed. The caller saves the row."""
    if row.failing_since is not None:
        _publish(session, subject_of(row.kind, row.plugin, row.name), 0, ended=True)
    row.consecutive_failures, row.failing_since = 0, None


def rename_failures(session: TenantSession, row: PluginInstance, before: str) -> None:
    """Let the alert about a failing instance follow its new name.

    Args:
        session: a transaction of the tenant.
        row: the instance, with its new name.
        before: its name until now.
    """
    if row.failing_since is not None and row.name != before:
        _publish(session, subject_of(row.kind, row.plugin, before), 0, ended=True)
        _publish(session, subject_of(row.kind, row.plugin, row.name), row.consecutive_failures)


def subject_of(kind: str, plugin: str, name: str) -> str:
    """Return what an alert calls an instance, unique for a tenant: ``Nights (slack, alert-channel)``."""
    return f"{name} ({plugin}, {kind})"


def _publish(session: TenantSession, subject: str, value: int, *, ended: bool = False) -> None:
    publish(session, SIGNAL, {"subject": subject, "value": value, "ended": ended})
