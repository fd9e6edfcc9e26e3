"""Limits of jobs, for operators: how many of a tenant, of a kind, or of a kind of a tenant run at the same time.

Kinds have limits of their own (``at_once``), and tenants that of ``IIT_JOBS_PER_TENANT``; an operator's takes their
place, the narrowest first. Whatever they say, one thread always remains for other tenants.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from core.database import platform_session
from core.errors import FieldError, Invalid, NotFound, phrase
from core.jobs.bounds import PLATFORM_ID
from core.jobs.scopes import checked_reason

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from core.jobs.scopes import JobScope

LARGEST: Final = 10_000
_SET: Final = text(
    "INSERT INTO platform.job_limits (target, tenant_id, kind, at_once, reason, set_by)"
    " VALUES (:target, :tenant, :kind, :at_once, :reason, :actor) ON CONFLICT (target) DO UPDATE"
    " SET at_once = excluded.at_once, reason = excluded.reason, set_by = excluded.set_by, set_at = now()"
)
_REMOVE: Final = text("DELETE FROM platform.job_limits WHERE target = :target RETURNING target")
_LIST: Final = text(
    "SELECT l.target, l.tenant_id, t.slug AS tenant, l.kind, l.at_once, l.reason, l.set_by, l.set_at"
    " FROM platform.job_limits l LEFT JOIN platform.tenants t ON t.id = l.tenant_id ORDER BY l.set_at, l.target"
)


@dataclass(frozen=True, slots=True)
class Limit:
    """How many jobs run at the same time, for each tenant.

    Attributes:
        target: the scope in one text, such as ``*/imports.run``.
        tenant_id: the tenant; None for all tenants, and for the platform's own jobs.
        tenant: its slug.
        platform: whether it concerns the platform's own jobs.
        kind: the kind; None for all kinds together.
    """

    target: str
    tenant_id: UUID | None
    tenant: str | None
    platform: bool
    kind: str | None
    at_once: int
    reason: str
    set_by: str
    set_at: datetime


def set_limit(scope: JobScope, at_once: int, reason: str, *, actor: str, source: str = "cli") -> Limit:
    """Set how many jobs of the scope run at the same time, for each tenant. A second call replaces the first.

    Args:
        scope: the jobs.
        at_once: the number, at least 1. To stop jobs, pause them.
        reason: why; other operators read it. Never a person's data.
        actor: who acts.
        source: ``cli``, ``api`` or ``page``.

    Raises:
        Invalid: the scope names nothing or an unknown kind, the number is out of range, or there is no reason.
    """
    scope.check()
    why = checked_reason(reason)
    if not 1 <= at_once <= LARGEST:
        error = FieldError("at_once", phrase("is not from 1 to {most}", most=LARGEST), "To stop jobs, pause them.")
        raise Invalid("the limit is not valid", errors=[error])
    values = {"target": scope.target, "tenant": scope.tenant_id, "kind": scope.kind, "at_once": at_once}
    with platform_session() as session:
        session.execute(_SET, {**values, "reason": why, "actor": actor})
        scope.record(session, f"{source}:job:limit", actor=actor, at_once=at_once, reason=why)
    return next(each for each in list_limits() if each.target == scope.target)


def remove_limit(scope: JobScope, *, actor: str, source: str = "cli") -> None:
    """Remove an operator's limit of exactly this scope.

    Raises:
        NotFound: there is no such limit.
    """
    with platform_session() as session:
        if session.execute(_REMOVE, {"target": scope.target}).first() is None:
            detail = "no operator limited such jobs"
            raise NotFound(detail, remedy="List the limits, and name the same partner and kind.")
        scope.record(session, f"{source}:job:unlimit", actor=actor)


def list_limits() -> list[Limit]:
    """Return the limits that operators set, the oldest first. ``core.jobs.registry.kinds`` has those of the kinds."""
    with platform_session() as session:
        rows = session.execute(_LIST).mappings().all()
    return [
        Limit(
            row["target"],
            None if row["tenant_id"] == PLATFORM_ID else row["tenant_id"],
            row["tenant"],
            row["tenant_id"] == PLATFORM_ID,
            row["kind"],
            row["at_once"],
            row["reason"],
            row["set_by"],
            row["set_at"],
        )
        for row in rows
    ]
