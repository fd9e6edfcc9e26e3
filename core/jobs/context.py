"""The argument of a job's function: its owner, its transactions, and its progress."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlmodel import Session

from core.database import TenantRef, TenantSession, node_session, psycopg_connection, tenant_session
from core.database.transactions import noted
from core.jobs import leases, payloads
from core.tenancy import tenant_of_role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from threading import Event
    from uuid import UUID

    import psycopg

    from core.jobs.leases import Lease

    Finish = Callable[[Lease, TenantRef | None], tuple[bool, Lease | None]]
    """Marks a job done whose owner is given; returns whether it did, and the lease of the next job if it took one."""

_S = TypeVar("_S", bound=Session)


class JobInterrupted(BaseException):
    """Ends a try without counting it. It is not an ``Exception``, so that no job catches it by mistake."""


class LeaseLost(JobInterrupted):
    """Another worker has the job, or the job was ended: this try can store nothing more."""


class WorkerStopping(JobInterrupted):
    """The worker must stop: another worker resumes the job after its last committed step."""


class TenantSuspended(JobInterrupted):
    """The tenant is suspended: the job waits, and resumes after its last committed step when the tenant does."""


class JobCancelled(JobInterrupted):
    """Somebody cancelled the job: what its committed steps did stays, and no further step begins."""


class DeadlinePassed(JobInterrupted):
    """The job's deadline has passed: no further step begins, and the job is given up."""


class EarlierFirst(JobInterrupted):
    """The job must follow an earlier one that has not ended: it waits, and this try does not count."""


_WHY: dict[str, type[JobInterrupted]] = {"lost": LeaseLost, "cancelled": JobCancelled, "late": DeadlinePassed}


class StepContext(ABC, Generic[_S]):
    """One try of one job, in steps.

    Attributes:
        job_id: the job's id, the same in every try; use it to recognise effects in other systems.
        attempt: number of the try, from 1.
        actor: the actor for the audit.
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
        """Return whether a transaction that marked the job done is committed."""
        return self._finished

    @contextmanager
    def session(self) -> Iterator[_S]:
        """Open a step of the job: one transaction of its owner. Beginning it prolongs the lease.

        While the step is open no other worker can take the job, so that only one worker commits it.

        Raises:
            LeaseLost: this process has lost the job.
            JobCancelled: somebody cancelled the job.
            DeadlinePassed: the job's deadline has passed.
            WorkerStopping: the worker stops; raised only between steps.
            TenantSuspended: the tenant was suspended since the last step; raised only between steps.
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
                    state = leases.hold(cursor, self._lease)
                if state != "held":
                    self._lost = True
                    raise _WHY[state]
                self._session = session
                yield session
            self._finished = self._finishing
        finally:
            self._session = None
            self._finishing = False

    def progress(self, done: int, total: int | None = None, note: str = "") -> None:
        """Store the job's progress. With an open step it becomes visible when the step commits, otherwise at once.

        Args:
            done: units done.
            total: units in all; None if unknown.
            note: the present activity, without personal data.
        """
        if self._session is not None:
            with _cursor(self._session) as cursor:
                leases.progress(cursor, self._lease, done, total, note)
            return
        with node_session(self._lease.database) as session, _cursor(session) as cursor:
            leases.progress(cursor, self._lease, done, total, note)

    def finish(self, session: _S, *, result: dict[str, Any] | None = None) -> None:
        """Mark the job done in this step, so that effect and mark commit together. Call this last.

        Args:
            session: the job's open step.
            result: what ``GET /v1/jobs/{job_id}`` shows as the result, until the kind's ``keep_result`` is over; as
                JSON. The database stores it encrypted. Whoever may read the tenant's jobs may read it.

        Raises:
            ValueError: ``session`` is not the open step of this job, or the result is too large.
            LeaseLost: this process has lost the job.
        """
        if session is not self._session:
            message = "finish takes the session of the job's open step"
            raise ValueError(message)
        if len(str(result)) > payloads.LARGEST:
            message = f"the result is over {payloads.LARGEST} characters: store the data and name it"
            raise ValueError(message)
        sealed = None if result is None else payloads.seal_within(session, self.job_id, result, part="result")
        with _cursor(session) as cursor:
            if not leases.finish(cursor, self._lease, sealed):
                raise LeaseLost
        self._finishing = True

    def finish_alone(self, finish: Finish) -> Lease | None:
        """Mark the job done if its function has not done so, and take the lease of the next job with it.

        Args:
            finish: does both in one transaction if it can.

        Returns:
            The next lease; None if there is none, or it was not taken.
        """
        if not self._lost:
            self._finished, following = finish(self._lease, self._tenant())
            if self._finished:
                return following
            if following is not None:
                leases.give_back(following)
        with self.session() as session:
            self.finish(session)
        return None

    def lose(self) -> None:
        """Prevent further steps, because the lease is lost or the time limit is over."""
        self._lost = True

    def _tenant(self) -> TenantRef | None:
        """Return the job's owner; None is the platform."""
        return None

    @abstractmethod
    def _begin(self) -> AbstractContextManager[_S]:
        """Open a transaction of the job's owner."""

    def _check_owner(self) -> None:
        """Raise if the job's owner allows no step at the moment."""


class JobContext(StepContext[TenantSession]):
    """One try of one job of a tenant.

    Attributes:
        tenant: the owner of the job.
    """

    def __init__(self, lease: Lease, tenant: TenantRef, stopping: Event) -> None:
        super().__init__(lease, stopping)
        self.tenant = tenant

    def _tenant(self) -> TenantRef:
        return self.tenant

    def _begin(self) -> AbstractContextManager[TenantSession]:
        return tenant_session(self.tenant, actor=self.actor, request_id=self._lease.request_id)

    def _check_owner(self) -> None:
        if tenant_of_role(self.tenant.role_name).state != "active":
            raise TenantSuspended


class PlatformJobContext(StepContext[Session]):
    """One try of one job of the platform. Its steps are transactions of the application in the control database.

    They reach ``node`` and ``platform``, but no tenant's table. Work for a tenant needs a job of that tenant.
    """

    @contextmanager
    def _begin(self) -> Iterator[Session]:
        with node_session(self._lease.database) as session, noted(session):
            yield session


def _cursor(session: Session) -> psycopg.Cursor[Any]:
    """Flush the session, and return a cursor on its transaction."""
    session.flush()
    return psycopg_connection(session).cursor()
