"""A try that runs in this process: when to prolong its lease, and when its time is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.jobs import endings

if TYPE_CHECKING:
    from core.jobs.context import JobContext, PlatformJobContext
    from core.jobs.leases import Lease

TICK = 0.25
"""Seconds between two checks for leases that are due."""


@dataclass(slots=True)
class Try:
    """A job that runs now.

    Attributes:
        since: when it started, in seconds of the monotonic clock.
        due: when its lease must be prolonged next, by the same clock.
    """

    lease: Lease
    context: JobContext | PlatformJobContext
    since: float
    due: float


def longest(lease: Lease) -> float:
    """Return the seconds that the try may take: its kind's limit, or the time until the job's deadline."""
    limit = lease.kind.time_limit.total_seconds()
    return limit if lease.seconds is None else max(0.0, min(limit, lease.seconds))


def due_at(lease: Lease, since: float, present: float) -> float:
    """Return when to look at a try again: to prolong its lease, or soon after the end of its time."""
    end = since + longest(lease) + TICK
    beat = present + beat_every(lease)
    return min(beat, end) if end > present else beat


def end_late(lease: Lease) -> str | None:
    """Give up a job at its deadline, or count that it exceeded its kind's limit; None if neither is possible yet."""
    if lease.seconds is not None and lease.seconds <= lease.kind.time_limit.total_seconds():
        return endings.miss_deadline(lease.job_id, lease.database, lease.token)
    return endings.overrun(lease)


def beat_every(lease: Lease) -> float:
    """Return the seconds between two heartbeats: a third of the lease, so that one may be missed."""
    return lease.kind.lease.total_seconds() / 3
