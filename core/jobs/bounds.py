"""The bounds of a kind of job, and what names the platform as the owner of one."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

PLATFORM_ROLE = "(platform)"
"""Stands in ``tenant_role`` of jobs without a tenant. No role has this name: migrations quote no parentheses."""

PLATFORM_ID = UUID(int=0)
"""Stands in ``tenant_id`` of jobs without a tenant."""


@dataclass(frozen=True, slots=True)
class JobBounds:
    """What a job of one kind may take.

    Attributes:
        name: of the kind.
        max_attempts: tries that may end in an error; after the last the job is a dead letter.
        lease: how long after its worker's last sign of life the job is given to another.
        backoff: delay before the second try; it doubles with each, up to ten minutes.
        time_limit: how long one try may take; afterwards it is no longer listened to, and counts as interrupted.
        platform: its jobs are the platform's, and have no tenant.
    """

    name: str
    max_attempts: int
    lease: timedelta
    backoff: timedelta
    time_limit: timedelta
    platform: bool
