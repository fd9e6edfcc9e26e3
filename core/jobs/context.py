"""What a job's function gets: its owner, its transactions, and ways to say how far it is."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlmodel import Session

from core.database import TenantRef, TenantSession, node_session, psycopg_connection, tenant_session
from core.database.transactions import noted
from core.jobs import leases
from core.tenancy import tenant_of_role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from threading import Event
    from uuid import UUID

    import psycopg

    from core.jobs.leases import Lease

_S = TypeVar("_S", bound=Session)


class JobInterrupted(BaseException):
    """The try ends here, through no fault of the job. Not an ``Exception``, so that no job takes it for its own."""


class LeaseLost(JobInterrupted):
    """The job was given to another worker, or was ended: nothing more of this try is kept."""


class WorkerStopping(JobInterrupted):
    """The worker is asked to stop: the job goes on elsewhere from its last committed step."""


class TenantSuspended(JobInterrupted):
    """The tenant was suspended: the job waits, and goes on from its last committed step when the tenant is resumed."""


class EarlierFirst(JobInterrupted):
    """The job waits, and no try is counted: an earlier one that it must follow has not ended."""


class StepContext(Generic[_S]):
    """One try of one job, in steps.

    Attributes:
        job_id: its id, the same in every try: what makes effects elsewhere recognisable.
        attempt: which try this is, from 1.
        actor: who acts, for the audit.
    """

    def __init__(self, lease: Lease, stopping: Event) -> None:
        self.job_id: UUID = lease.job_id
        self.attempt = lease.attempts + 1
        self.actor = f"job:{lease.job_id}"
        self._lease = lease
        self._stopping = stopping
        self._session: _S | None = None
        self._finishing = False
        self._finished = False
        self._lost = False

    @property
    def finished(self) -> bool:
        """Whether a transaction that marked the job done has been committed."""
        return self._finished

    @contextmanager
    def session(self) -> Iterator[_S]:
        """One transaction of the job's owner: a step of the job. Beginning it prolongs the lease.

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
        self._check_owner()
        try:
            with self._begin() as session:
                with _cursor(session) as cursor:
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
            with _cursor(self._session) as cursor:
                leases.progress(cursor, self._lease, done, total, note)
            return
        with node_session(self._lease.database) as session, _cursor(session) as cursor:
            leases.progress(cursor, self._lease, done, total, note)

    def finish(self, session: _S) -> None:
        """Mark the job done in this step, so that effect and mark stand or fall together. Last thing of the job.

        Raises:
            ValueError: ``session`` is not the open step of this job.
            LeaseLost: the job is no longer ours.
        """
        if session is not self._session:
            message = "finish takes the session of the job's open step"
            raise ValueError(message)
        with _cursor(session) as cursor:
            if not leases.finish(cursor, self._lease):
                raise LeaseLost
        self._finishing = True

    def finish_alone(self) -> None:
        """Mark the job done in a step of its own, where its function did not."""
        with self.session() as session:
            self.finish(session)

    def lose(self) -> None:
        """Let no further step begin (the lease is known to be lost, or the time is over)."""
        self._lost = True

    def _begin(self) -> AbstractContextManager[_S]:
        """Open a transaction of the job's owner."""
        raise NotImplementedError

    def _check_owner(self) -> None:
        """Raise where the job's owner lets no step begin now."""


class JobContext(StepContext[TenantSession]):
    """One try of one job of a tenant.

    Attributes:
        tenant: whose job it is.
    """

    def __init__(self, lease: Lease, tenant: TenantRef, stopping: Event) -> None:
        super().__init__(lease, stopping)
        self.tenant = tenant

    def _begin(self) -> AbstractContextManager[TenantSession]:
        return tenant_session(self.tenant, actor=self.actor, request_id=self._lease.request_id)

    def _check_owner(self) -> None:
        if tenant_of_role(self.tenant.role_name).state != "active":
            raise TenantSuspended


class PlatformJobContext(StepContext[Session]):
    """One try of one job of the platform. Its steps are transactions of the application in the control database.

    They reach ``node`` and ``platform``, and no tenant's table: what is to be done for a tenant, a job of the tenant
    does.
    """

    @contextmanager
    def _begin(self) -> Iterator[Session]:
        with node_session(self._lease.database) as session, noted(session):
            yield session


def _cursor(session: Session) -> psycopg.Cursor[Any]:
    """A cursor on the session's transaction; what the session holds is flushed first."""
    session.flush()
    return psycopg_connection(session).cursor()
