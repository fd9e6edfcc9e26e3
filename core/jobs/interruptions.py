"""What ends a try without an error of the job: how long the job then waits, or what is written on its row."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from core.database import TenantMoving, TenantUpgrading
from core.installation import BlobStoreForeign
from core.jobs import endings
from core.jobs.context import (
    DeadlinePassed,
    EarlierFirst,
    JobCancelled,
    LeaseLost,
    TenantSuspended,
    WorkerStopping,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

SUSPENDED = timedelta(minutes=10)
"""Delay before the next try if the tenant is suspended."""

MOVING = timedelta(seconds=2)
"""Delay if the tenant is being moved; the move takes its jobs along."""

UPGRADING = timedelta(minutes=1)
"""Delay if the tenant's schema lacks what the job needs."""

STORE_AWAY = timedelta(minutes=1)
"""Delay if this worker's store of files is not mounted, or is not the installation's."""

EARLIER = timedelta(seconds=2)
"""Delay if the job must follow an earlier one."""

WAITS: dict[type[BaseException], timedelta] = {
    EarlierFirst: EARLIER,
    WorkerStopping: timedelta(0),
    TenantSuspended: SUSPENDED,
    TenantMoving: MOVING,
    TenantUpgrading: UPGRADING,
    BlobStoreForeign: STORE_AWAY,
}
"""Errors that give a job back without counting a try, and how long the job then waits."""

ENDS: dict[type[BaseException], Callable[[UUID, str, UUID | None], str | None]] = {
    LeaseLost: lambda _job_id, _database, _token: None,
    JobCancelled: endings.cancel,
    DeadlinePassed: endings.miss_deadline,
}
"""Interruptions after which this process does nothing more for the job, and what they write on its row."""
