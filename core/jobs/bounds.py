"""The limits of a kind of job, and the constants that name the platform as an owner of jobs."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal
from uuid import UUID

PLATFORM_ROLE = "(platform)"
"""The ``tenant_role`` of jobs without a tenant. No role can have this name: migrations reject parentheses in names."""

PLATFORM_ID = UUID(int=0)
"""The ``tenant_id`` of jobs without a tenant."""

Priority = Literal["high", "normal", "low"]
"""The order among one tenant's jobs. No priority comes before another tenant's turn."""

RANKS: Final[dict[Priority, int]] = {"high": 0, "normal": 1, "low": 2}
"""Priorities as the rows store them."""

LEADS: Final[dict[Priority, timedelta]] = {
    "high": timedelta(hours=-6),
    "normal": timedelta(0),
    "low": timedelta(hours=2),
}
"""What the order adds to the time at which a job is due. A ``low`` job waits for normal ones that become due up to two
hours after it, and for no later ones, so that it is not starved."""

_MOST_DOUBLINGS = 64
"""Exponents beyond this one overflow, and exceed every ``longest``."""


@dataclass(frozen=True, slots=True)
class Retry:
    """When a job is tried again after an error.

    Attributes:
        attempts: tries that may end in an error; after the last one the job is a dead letter.
        first: delay before the second try.
        factor: what each further delay is multiplied by.
        longest: longest delay, before the jitter.
        jitter: share by which each delay is randomly shorter or longer, so that jobs that failed together do not come
            back together.
    """

    attempts: int = 3
    first: timedelta = timedelta(seconds=10)
    factor: float = 2.0
    longest: timedelta = timedelta(minutes=10)
    jitter: float = 0.2

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ValueError: one of them makes no sense.
        """
        if self.attempts < 1 or self.factor < 1 or not 0 <= self.jitter < 1:
            message = "a retry needs at least one attempt, a factor of at least 1, and a jitter from 0 to below 1"
            raise ValueError(message)
        if self.first < timedelta(0) or self.longest < self.first:
            message = "the delays of a retry start at zero or more, and the longest is not below the first"
            raise ValueError(message)

    def delay(self, failed: int) -> timedelta:
        """Return the delay before the next try.

        Args:
            failed: tries that ended in an error, the last one included; at least 1.
        """
        grown = self.first.total_seconds() * self.factor ** min(failed - 1, _MOST_DOUBLINGS)
        seconds = min(grown, self.longest.total_seconds())
        return timedelta(seconds=seconds * random.uniform(1 - self.jitter, 1 + self.jitter))  # noqa: S311 - spreads load, keeps no secret


@dataclass(frozen=True, slots=True)
class JobBounds:
    """The limits of the jobs of one kind.

    Attributes:
        name: name of the kind.
        retry: when a job is tried again after an error.
        lease: time after its worker's last heartbeat at which the job goes to another worker.
        time_limit: longest time of one try; after it, the try's writes are rejected and it counts as interrupted.
        priority: order among the tenant's jobs, unless ``enqueue`` names another one.
        at_once: jobs of the kind that may be under way or running for one tenant; None if only the bounds of the tenant
            and the workers count. An operator can set another number (``core.jobs.pauses``).
        keep_result: how long the result of a job can be read.
        cancellable: whether somebody may cancel a job. False for the platform's work on a tenant's behalf, such as
            deliveries of events.
        platform: whether the jobs belong to the platform, and have no tenant.
    """

    name: str
    retry: Retry
    lease: timedelta
    time_limit: timedelta
    priority: Priority
    at_once: int | None
    keep_result: timedelta
    cancellable: bool
    platform: bool
