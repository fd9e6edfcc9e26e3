"""Texts of the operators' pages: states of jobs, partners and checks, and ages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from core.clock import now
from core.web.problem_texts import sentence
from core.web.texts import marked, ngettext

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

INSTALLATION: Final = "IIT platform"

JOB_STATES: Final = {
    "queued": marked("Waiting"),
    "sent": marked("Sent to a worker"),
    "running": marked("Running"),
    "done": marked("Done"),
    "dead": marked("Dead"),
    "discarded": marked("Discarded"),
}
TENANT_STATES: Final = {
    "active": marked("Active"),
    "suspended": marked("Suspended"),
    "restoring": marked("Being restored"),
    "deleting": marked("Being deleted"),
    "purging": marked("Being purged"),
}
CHECK_STATES: Final = {
    "ok": marked("In order"),
    "warning": marked("Warning"),
    "failed": marked("Failed"),
    "skipped": marked("Not checked"),
}
LEVELS: Final = {
    "ok": "low",
    "warning": "medium",
    "failed": "high",
    "dead": "high",
    "running": "low",
    "done": "low",
    "active": "low",
    "suspended": "high",
    "deleting": "high",
    "purging": "high",
    "restoring": "medium",
}
"""State -> level of its badge; without one it has no shape."""

RESOLUTIONS: Final = {"retried": marked("retried"), "discarded": marked("discarded")}
REASONS: Final = {
    "attempts": marked("every attempt failed"),
    "interruptions": marked("its worker died with it again and again"),
    "refused": marked("the job gave up by itself"),
}
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as a page shows it; the tenant is None for a job of the platform."""

    id: UUID
    kind: str
    state: str
    tenant: str | None
    attempts: int
    error: str
    age: str


def job_row(row: Mapping[str, Any], slugs: Mapping[UUID, str]) -> JobRow:
    """Return a job of ``core.jobs.operations`` for a page."""
    tenant = None if row["tenant_id"] is None else slugs.get(row["tenant_id"], "?")
    age = age_of(row["finished_at"] or row["created_at"])
    return JobRow(row["id"], row["kind"], row["state"], tenant, row["attempts"], row["error"] or "", age)


def age_of(moment: datetime) -> str:
    """Return how long ago a moment was, in its largest unit."""
    return lasting((now() - moment).total_seconds())


def lasting(seconds: float) -> str:
    """Return a time in its largest unit, such as ``5 minutes``."""
    if seconds < _MINUTE:
        return ngettext("{count} second", "{count} seconds", int(seconds))
    if seconds < _HOUR:
        return ngettext("{count} minute", "{count} minutes", int(seconds // _MINUTE))
    if seconds < _DAY:
        return ngettext("{count} hour", "{count} hours", int(seconds // _HOUR))
    return ngettext("{count} day", "{count} days", int(seconds // _DAY))


def sentences(*texts: str) -> str:
    """Return texts as sentences, without marks of code."""
    return " ".join(filter(None, (sentence(text.replace("`", "")) for text in texts)))
