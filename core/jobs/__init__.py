"""Jobs: work for later, for one tenant or for the platform. A job may run twice, but takes effect one time.

A room registers a function with ``@job("room.kind")``; ``enqueue(session, "room.kind", payload)`` asks for it in the
caller's transaction. ``README.md`` describes the journey of a job and the rules for its function.
"""

from core.jobs.bounds import Priority, Retry
from core.jobs.cancelling import cancel
from core.jobs.context import (
    DeadlinePassed,
    JobCancelled,
    JobContext,
    JobInterrupted,
    LeaseLost,
    PlatformJobContext,
    WorkerStopping,
)
from core.jobs.heartbeat import LiveWorker, QueueAge, live_workers, queue_age
from core.jobs.inbox import first_time
from core.jobs.job_end import JobEnd
from core.jobs.queue import enqueue, enqueue_platform
from core.jobs.registry import JobKind, job, platform_job
from core.jobs.repository import latest_job

__all__ = [
    "DeadlinePassed",
    "JobCancelled",
    "JobContext",
    "JobEnd",
    "JobInterrupted",
    "JobKind",
    "LeaseLost",
    "LiveWorker",
    "PlatformJobContext",
    "Priority",
    "QueueAge",
    "Retry",
    "WorkerStopping",
    "cancel",
    "enqueue",
    "enqueue_platform",
    "first_time",
    "job",
    "latest_job",
    "live_workers",
    "platform_job",
    "queue_age",
]
