"""Metrics of jobs: how they ended, how long they ran, and how many wait."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Final

from core.events.lags import OutboxLag, outbox_lag
from core.jobs.growth import open_letters
from core.jobs.heartbeat import QueueAge, queue_age
from core.metrics import Counter, Histogram, Reading, Sample, register

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDED: Final = Counter("iit_jobs_total", "Tries of jobs that ended in this process.", ("kind", "outcome"))
SECONDS: Final = Histogram("iit_job_seconds", "Seconds that tries of jobs took.", ("kind",))

_ages: dict[str, list[QueueAge]] = {}
_letters: dict[str, int] = {}
_lags: dict[str, OutboxLag] = {}
_lock = Lock()


def count(kind: str, outcome: str, seconds: float) -> None:
    """Count a try of a job that has ended.

    Args:
        kind: of the job.
        outcome: ``done``, ``queued`` (another try follows), ``dead`` or ``lost``.
        seconds: how long it took.
    """
    ENDED.add(kind, outcome)
    SECONDS.observe(seconds, kind)


def refresh(database: str) -> None:
    """Read how many jobs of a data database wait and run, for the next time that Prometheus asks.

    Raises:
        Unavailable: the database is not there.
    """
    ages = queue_age(database)
    letters = open_letters(database)
    lag = outbox_lag(database)
    with _lock:
        _lags[database] = lag
        _ages[database] = ages
        _letters[database] = letters


def _read() -> Iterator[Reading]:
    with _lock:
        ages = [(database, age) for database, kinds in sorted(_ages.items()) for age in kinds]
        letters = sorted(_letters.items())
        lags = [lag for _, lag in sorted(_lags.items())]
    yield Reading(
        "iit_dead_letters",
        "Dead letters that wait for an operator, as this worker last read; 10000 stands for more.",
        "gauge",
        ("database",),
        [Sample((database,), count) for database, count in letters],
    )
    yield Reading(
        "iit_outbox_oldest_seconds",
        "How long the oldest event has waited for the relay, as this worker last read; 0 if none waits.",
        "gauge",
        ("database",),
        [Sample((lag.database,), lag.oldest_seconds or 0.0) for lag in lags],
    )
    yield Reading(
        "iit_outbox_waiting",
        "Events that wait for the relay, as this worker last read.",
        "gauge",
        ("database",),
        [Sample((lag.database,), lag.waiting) for lag in lags],
    )
    yield Reading(
        "iit_jobs_present",
        "Jobs that are due or running, as this worker last read.",
        "gauge",
        ("database", "kind", "state"),
        [
            Sample((database, age.kind, state), getattr(age, state))
            for database, age in ages
            for state in ("waiting", "running")
        ],
    )
    yield Reading(
        "iit_job_oldest_seconds",
        "How long the oldest waiting job has been due, as this worker last read.",
        "gauge",
        ("database", "kind"),
        [Sample((database, age.kind), age.oldest_seconds) for database, age in ages],
    )


register(_read)
