"""The jobs that one thread runs one after another, because of one message."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from core.database import RoundTripError
from core.jobs.next_lease import Wish, take_next

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from core.jobs.leases import Lease

STREAK_SECONDS: Final = 1.0
"""Seconds after which a thread turns to the next message, which may be another database's."""


class Streak:
    """The progress of a thread through the jobs of one data database.

    Args:
        database: the data database.
        job_id: the job that the message names; it goes first.

    Attributes:
        database: the data database.
        job_id: the job that the message names.
        number: jobs taken.
        met: whether the job of the message was one of them.
        following: a lease that was taken with the end of the job before; whoever sees it runs it or gives it back.
    """

    def __init__(self, database: str, job_id: UUID) -> None:
        self.database, self.job_id = database, job_id
        self._ends = time.monotonic() + STREAK_SECONDS
        self.number, self.met = 0, False
        self.following: Lease | None = None

    @property
    def long(self) -> bool:
        """Return whether the thread has run jobs for its time."""
        return self.number > 0 and time.monotonic() >= self._ends

    def wish(self, full: Collection[str]) -> Wish:
        """Return which job to take next.

        Args:
            full: roles of tenants that have their full share of this process.
        """
        return Wish(self.database, full, None if self.met else self.job_id)

    def take(self, full: Collection[str]) -> Lease | None:
        """Take the lease of the next job; None if there is none.

        Raises:
            DatabaseUnavailable: the database cannot be reached.
        """
        for _ in range(2):  # the server may have restarted since the connection was used
            with suppress(RoundTripError):
                return self._counted(take_next(self.wish(full)))
        return None

    def pop(self) -> Lease | None:
        """Return the lease that was taken with the end of the job before; None if there is none."""
        lease, self.following = self.following, None
        return self._counted(lease)

    def _counted(self, lease: Lease | None) -> Lease | None:
        if lease is not None:
            self.number += 1
            self.met = self.met or lease.job_id == self.job_id
        return lease
