"""Texts of the operators' pages: states of jobs, partners and checks, and ages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from core.clock import now
from core.jobs import growth
from core.web.problem_texts import sentence
from core.web.texts import gettext as _
from core.web.texts import marked, ngettext

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

INSTALLATION: Final = "IIT platform"

JOB_STATES: Final = {
    "queued": marked("Waiting"),
    "sent": marked("Sent to a worker"),
    "running": marked("Running"),
    "done": marked("Done"),
    "dead": marked("Dead"),
    "discarded": marked("Discarded"),
    "cancelled": marked("Cancelled"),
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
BREAKER_STATES: Final = {
    "closed": marked("In order"),
    "half_open": marked("Being tried again"),
    "open": marked("Stopped by failures"),
    "forced_open": marked("Stopped by an operator"),
    "forced_closed": marked("Held on by an operator"),
    "unused": marked("Not called yet"),
}
ERROR_STATES: Final = {
    "open": marked("Open"),
    "resolved": marked("Resolved"),
    "ignored": marked("Ignored"),
}
ERROR_LEVELS: Final = {"open": "high", "resolved": "low", "ignored": ""}
CONNECTION_NAMES: Final = {
    "sign_in_providers": marked("Sign-in providers"),
    "mail_server": marked("Mail server"),
    "webhook_receivers": marked("Receiver of webhooks"),
    "name_servers": marked("Name servers"),
    "redis_quotas": marked("Redis, for rate limits"),
    "redis_jobs": marked("Redis, for jobs"),
    "redis_events": marked("Redis, for streams of events"),
    "redis_cache": marked("Redis, for stored answers"),
    "database_replica": marked("Replica of the database"),
    "file_store": marked("File store"),
    "error_tracker": marked("Error tracker"),
}
CONNECTION_PURPOSES: Final = {
    "sign_in_providers": marked("Without one, its people cannot sign in with it; sessions go on."),
    "webhook_receivers": marked("Without one, its deliveries wait."),
    "mail_server": marked("Without it, letters wait in their jobs."),
    "name_servers": marked("Without them, no domain can be proved."),
    "redis_quotas": marked("Without it, reads are not limited, and each process counts writes for itself."),
    "redis_jobs": marked("Without it, jobs wait in PostgreSQL."),
    "redis_events": marked("Without it, streams of events look every few seconds."),
    "redis_cache": marked("Without it, answers are computed each time, and nothing is read on the replica."),
    "database_replica": marked("Without it, reports and indicators read in the database."),
    "file_store": marked("Without it, imports and reports wait."),
    "error_tracker": marked("Without it, errors are only listed here."),
}
CACHE_NAMES: Final = {
    "cohort.day_status": marked("People by status on a day"),
    "cohort.period_counts": marked("Indicators of periods"),
}
LEVELS: Final = {
    "closed": "low",
    "half_open": "medium",
    "open": "high",
    "forced_open": "high",
    "forced_closed": "medium",
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
_ENDS: Final = ("first", "last")
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure of a job, as a page shows it."""

    at: datetime
    error: str


@dataclass(frozen=True, slots=True)
class Failures:
    """The first and last failure of a job, and the last error and its causes with their frames as lines."""

    first: Failure
    last: Failure
    trace: list[tuple[str, list[str]]]


def failures_of(stored: Mapping[str, Any] | None) -> Failures | None:
    """Return the failures of ``core.jobs.failures`` for a page; None for a letter of an older version."""
    if not stored:
        return None
    first, last = (Failure(datetime.fromisoformat(stored[end]["at"]), stored[end]["error"] or "") for end in _ENDS)
    trace = [
        (each["error"], [f"{frame['file']}:{frame['line']} in {frame['function']}" for frame in each["frames"]])
        for each in stored.get("trace") or ()
    ]
    return Failures(first, last, trace)


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


def retried_text(retried: int, skipped: int, more: bool) -> str:  # noqa: FBT001 - called by a template
    """Return what a retry of many jobs did."""
    parts = [ngettext("{count} job waits for a worker again.", "{count} jobs wait for a worker again.", retried)]
    if skipped:
        parts.append(ngettext("{count} job could not be retried.", "{count} jobs could not be retried.", skipped))
    if more:
        parts.append(_("More jobs are dead: retry again."))
    return " ".join(parts)


def growth_text() -> str:
    """Return the warning that dead letters pile up; empty if they do not, or while a database does not answer."""
    count = growth.recent_count.get()
    if count is None or count < growth.THRESHOLDS[0]:
        return ""
    return ngettext(
        "{count} job failed for good and waits for you.", "{count} jobs failed for good and wait for you.", count
    )


def connection_name(target: str) -> str:
    """Return the name of a connection for people, with its instance, such as a provider's host."""
    name, _slash, instance = target.partition("/")
    words = _(CONNECTION_NAMES[name]) if name in CONNECTION_NAMES else name.replace("_", " ")
    return f"{words}: {instance}" if instance else words


def cache_name(name: str) -> str:
    """Return what a cache stores, in words; its name if the platform does not know it."""
    return _(CACHE_NAMES[name]) if name in CACHE_NAMES else name


def connection_purpose(target: str, about: str) -> str:
    """Return what happens without a connection; in the words of its feature if the platform does not know it."""
    name, slash, _instance = target.partition("/")
    if slash:
        return ""
    return _(CONNECTION_PURPOSES[name]) if name in CONNECTION_PURPOSES else about


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
