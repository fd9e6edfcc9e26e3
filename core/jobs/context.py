"""What a job's function gets: its tenant, its transactions, and ways to say how far it is."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from core.database import TenantRef, TenantSession, node_session, psycopg_connection, tenant_session
from core.jobs import leases
from core.tenancy import tenant_of_role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event
    from uuid import UUID

    from core.jobs.leases import Lease


class JobInterrupted(BaseException):
    """The try ends here, through no fault of the job. Not an ``Exception``, so that no job takes it for its own."""


class LeaseLost(JobInterrupted):
    """The job was given to another worker, or was ended: nothing more of this try is kept."""


class WorkerStopping(JobInterrupted):
    """The worker is asked to stop: the job goes on elsewhere from its last committed step."""


class TenantSuspended(JobInterrupted):
    """The tenant was suspended: the job waits, and goes on from its last committed step when the tenant is resumed."""


class JobContext:
    """One try of one job.

    Attributes:
        tenant: whose job it is.
        job_id: its id, the same in every try: what makes effects elsewhere recognisable.
        attempt: which try this is, from 1.
    """

    def __init__(self, lease: Lease, tenant: TenantRef, stopping: Event) -> None:
        self.tenant = tenant
        self.job_id: UUID = lease.job_id
        self.attempt = lease.attempts + 1
        self._lease = lease
        self._stopping = stopping
        self._session: TenantSession | None = None
        self._finishing = False
        self._finished = False
        self._lost = False

    @property
    def finished(self) -> bool:
        """Whether a transaction that marked the job done has been committed."""
        return self._finished

    @contextmanager
    def session(self) -> Iterator[TenantSession]:
        """One transaction of the tenant: a step of the job. Beginning it prolongs the lease.

        While it is open nobody else can take the job, so that a step is committed by one worker only.

        Raises:
            LeaseLost: the job is no longer ours.
            WorkerStopping: the worker stops; raised only here, between steps.
            TenantSuspended: the tenant was suspended since the last step; raised only here, too.
            RuntimeError: a step is open already, or the job is finished.
        """
        if self._session is not None or self._finished:
            message = "a job has one transaction at a time" if self._session else "the job is finished"
            raise RuntimeError(message)
        if self._stopping.is_set():
            raise WorkerStopping
        if self._lost:
            raise LeaseLost
        if tenant_of_role(self.tenant.role_name).state != "active":
            raise TenantSuspended
        actor, request = f"job:{self.job_id}", self._lease.request_id
        try:
            with tenant_session(self.tenant, actor=actor, request_id=request) as session:
                with session.cursor() as cursor:
                    if not leases.hold(cursor, self._lease):
                        self._lost = True
                        raise LeaseLost
                self._session = session
                yield session
            self._finished = self._finishing
        finally:
            self._session = None
            self._finishing = False

    def progress(self, done: int, total: int | None = None, note: str = "") -> None:
        """Say how far the job is: within the open step if there is one (seen when it commits), else at once.

        Args:
            done: units done.
            total: units in all, None while that is not known.
            note: what is going on, in words without personal data.
        """
        if self._session is not None:
            with self._session.cursor() as cursor:
                leases.progress(cursor, self._lease, done, total, note)
            return
        with node_session(self.tenant.database) as session, psycopg_connection(session).cursor() as cursor:
            leases.progress(cursor, self._lease, done, total, note)

    def finish(self, session: TenantSession) -> None:
        """Mark the job done in this step, so that effect and mark stand or fall together. Last thing of the job.

        Raises:
            ValueError: ``session`` is not the open step of this job.
            LeaseLost: the job is no longer ours.
        """
        if session is not self._session:
            message = "finish takes the session of the job's open step"
            raise ValueError(message)
        with session.cursor() as cursor:
            if not leases.finish(cursor, self._lease):
                raise LeaseLost
        self._finishing = True

    def lose(self) -> None:
        """Let no further step begin (the lease is known to be lost, or the time is over)."""
        self._lost = True
