"""Pauses of jobs, for operators: stop the jobs of a tenant, of a kind or of both, and let them start again.

A pause holds in every data database, from the relay's next round on. Paused jobs wait in the queue; jobs that run go on
to their end. Each act is in the platform's audit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from core.database import platform_session
from core.errors import NotFound
from core.jobs.bounds import PLATFORM_ID
from core.jobs.scopes import checked_reason

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from core.jobs.scopes import JobScope

_PAUSE: Final = text(
    "INSERT INTO platform.job_pauses (target, tenant_id, kind, reason, set_by)"
    " VALUES (:target, :tenant, :kind, :reason, :actor)"
    " ON CONFLICT (target) DO UPDATE SET reason = excluded.reason, set_by = excluded.set_by, set_at = now()"
)
_RESUME: Final = text("DELETE FROM platform.job_pauses WHERE target = :target RETURNING target")
_LIST: Final = text(
    "SELECT p.target, p.tenant_id, t.slug AS tenant, p.kind, p.reason, p.set_by, p.set_at"
    " FROM platform.job_pauses p LEFT JOIN platform.tenants t ON t.id = p.tenant_id ORDER BY p.set_at, p.target"
)


@dataclass(frozen=True, slots=True)
class Pause:
    """Jobs that do not start.

    Attributes:
        target: the scope in one text, such as ``*/imports.run``.
        tenant_id: the tenant; None for all tenants, and for the platform's own jobs.
        tenant: its slug.
        platform: whether the platform's own jobs are paused.
        kind: the kind; None for all kinds.
        set_by: who paused them.
    """

    target: str
    tenant_id: UUID | None
    tenant: str | None
    platform: bool
    kind: str | None
    reason: str
    set_by: str
    set_at: datetime


def pause(scope: JobScope, reason: str, *, actor: str, source: str = "cli") -> Pause:
    """Let no more jobs of the scope start, until ``resume``. A second call replaces the reason.

    Args:
        scope: the jobs.
        reason: why; other operators read it. Never a person's data.
        actor: who acts.
        source: ``cli``, ``api`` or ``page``.

    Raises:
        Invalid: the scope names nothing or an unknown kind, or there is no reason.
    """
    scope.check()
    why = checked_reason(reason)
    values = {"target": scope.target, "tenant": scope.tenant_id, "kind": scope.kind, "reason": why, "actor": actor}
    with platform_session() as session:
        session.execute(_PAUSE, values)
        scope.record(session, f"{source}:job:pause", actor=actor, reason=why)
    return next(each for each in list_pauses() if each.target == scope.target)


def resume(scope: JobScope, *, actor: str, source: str = "cli") -> None:
    """End the pause of exactly this scope. Pauses of a wider or narrower scope remain.

    Raises:
        NotFound: there is no such pause.
    """
    with platform_session() as session:
        if session.execute(_RESUME, {"target": scope.target}).first() is None:
            detail = "no such jobs are paused"
            raise NotFound(detail, remedy="List the pauses, and name the same partner and kind.")
        scope.record(session, f"{source}:job:resume", actor=actor)


def list_pauses() -> list[Pause]:
    """Return all pauses, the oldest first."""
    with platform_session() as session:
        rows = session.execute(_LIST).mappings().all()
    return [
        Pause(
            row["target"],
            None if row["tenant_id"] == PLATFORM_ID else row["tenant_id"],
            row["tenant"],
            row["tenant_id"] == PLATFORM_ID,
            row["kind"],
            row["reason"],
            row["set_by"],
            row["set_at"],
        )
        for row in rows
    ]
