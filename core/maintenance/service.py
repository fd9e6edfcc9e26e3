"""Setting the notice of maintenance, which is an act in the platform's audit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from core.audit.platform import record_act
from core.clock import now
from core.database import after_commit, platform_session
from core.errors import Invalid
from core.maintenance import repository
from core.maintenance.memory import memory
from core.maintenance.models import Notice

LONGEST: Final = 300
"""Most characters of a message: it is on every page."""

FARTHEST: Final = timedelta(days=14)
"""How far ahead the end of a maintenance may be."""


def set_notice(until: datetime, message: str, *, actor: str, source: str = "cli") -> Notice:
    """Show a notice until a moment. Every process has it within seconds.

    Args:
        until: when the maintenance is over.
        message: the operator's own text, in the readers' language; may be empty.
        actor: who acts.
        source: ``cli``.

    Raises:
        Invalid: the moment has no time zone, is over or too far away, or the message is too long.
    """
    if until.tzinfo is None or not now() < until <= now() + FARTHEST:
        detail = "the end of the maintenance must be a moment with a time zone, within the next 14 days"
        raise Invalid(detail, remedy="write it such as 2027-03-01T22:00+02:00")
    text = " ".join(message.split())
    if len(text) > LONGEST or not text.isprintable():
        detail = "the message must be one line of at most 300 characters"
        raise Invalid(detail, remedy="shorten it")
    notice = Notice(text, until.astimezone(UTC))
    with platform_session() as session:
        repository.store(session, notice, actor)
        detail_of = {"until": notice.until.isoformat(timespec="seconds")}
        record_act(session, f"{source}:maintenance:on", actor=actor, tenant_id=None, detail=detail_of)
        after_commit(session, memory.read)
    return notice


def remove_notice(*, actor: str, source: str = "cli") -> bool:
    """Remove the notice; return whether there was one."""
    with platform_session() as session:
        removed = repository.remove(session)
        if removed:
            record_act(session, f"{source}:maintenance:off", actor=actor, tenant_id=None)
        after_commit(session, memory.read)
    return removed
