"""The limits of a kind of job, and the constants that name the platform as an owner of jobs."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

PLATFORM_ROLE = "(platform)"
"""The ``tenant_role`` of jobs without a tenant. No role can have this name: migrations reject parentheses in names."""

PLATFORM_ID = UUID(int=0)
"""The ``tenant_id`` of jobs without a tenant."""


@dataclass(frozen=True, slots=True)
class JobBounds:
    """The limits of the jobs of one kind.

    Attributes:
        name: name of the kind.
        max_attempts: tries that may end in an error; after the last one the job is a dead letter.
        lease: time after its worker's last heartbeat at which the job goes to another worker.
        backoff: delay before the second try; it doubles with each try, up to ten minutes.
        time_limit: longest time of one try; after it, the try's writes are rejected and it counts as interrupted.
        platform: whether the jobs belong to the platform, and have no tenant.
    """

    name: str
    max_attempts: int
    lease: timedelta
    backoff: timedelta
    time_limit: timedelta
    platform: bool
