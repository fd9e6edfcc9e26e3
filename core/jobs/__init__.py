"""Work done later, for one tenant, at least once and with an effect that is there once.

A room registers a function with ``@job("room.kind")``; ``enqueue(session, "room.kind", payload)`` asks for it in the
caller's transaction. ``README.md`` tells the journey of a job and what the function must keep to.
"""

from core.jobs.context import JobContext, JobInterrupted, LeaseLost, WorkerStopping
from core.jobs.heartbeat import LiveWorker, QueueAge, live_workers, queue_age
from core.jobs.queue import enqueue
from core.jobs.registry import JobKind, job

__all__ = [
    "JobContext",
    "JobInterrupted",
    "JobKind",
    "LeaseLost",
    "LiveWorker",
    "QueueAge",
    "WorkerStopping",
    "enqueue",
    "job",
    "live_workers",
    "queue_age",
]
