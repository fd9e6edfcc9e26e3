"""One try of one job: lease, tenant's scope, the registered function, and what its end means for the row."""

from __future__ import annotations

import time
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING
from uuid import UUID

from core import telemetry
from core.database import DEFAULT_DATABASE, DatabaseUnavailable, TenantMoving, TenantRef, TenantUpgrading
from core.errors import AppError, NotFound
from core.jobs import leases
from core.jobs.context import JobContext, LeaseLost, TenantSuspended, WorkerStopping
from core.tenancy import tenant_of_role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.jobs.leases import Lease

HELD = timedelta(minutes=10)
"""How long the jobs of a suspended tenant wait before they are looked at again."""

MOVING = timedelta(seconds=2)
"""How long the jobs of a tenant that is being moved wait; where they are then, a move has taken them along."""

UPGRADING = timedelta(minutes=1)
"""How long a job waits whose tenant's schema lacks what the job needs."""

_WAITS: dict[type[BaseException], timedelta] = {
    WorkerStopping: timedelta(0),
    TenantSuspended: HELD,
    TenantMoving: MOVING,
    TenantUpgrading: UPGRADING,
}
"""What a job is given back for, no try of its own spent, and for how long it then waits."""

REFUSALS = frozenset({400, 401, 403, 404, 413, 415, 422})
"""Errors of our own family that would be the same in the next try."""

TICK = 0.25
"""Seconds between two looks at which leases are due."""

_CHECKOUT = Path(__file__).resolve().parents[2]
log = telemetry.get_logger(__name__)


@dataclass(slots=True)
class _Try:
    """A job that runs now: since when, and when its lease is next to be prolonged (seconds of the monotonic clock)."""

    lease: Lease
    context: JobContext
    since: float
    due: float


class Runner:
    """Runs jobs in the threads of one process, and keeps their leases while they run."""

    def __init__(self) -> None:
        self.stopping = Event()
        self._running: dict[UUID, _Try] = {}
        self._lock = Lock()
        self._closed = Event()
        self._beats = Thread(target=self._keep_leases, name="iit-leases", daemon=True)
        self._beats.start()

    def run(self, job_id: UUID, database: str = DEFAULT_DATABASE) -> str | None:
        """Run the job once, if it waits to be run.

        Returns:
            How it ended: ``done``, ``queued`` (another try later), ``dead``, ``lost``; None: there was nothing to do.

        Raises:
            Unavailable: the database is not there; the lease runs out and the job is tried again.
        """
        if self.stopping.is_set():
            return None
        lease = leases.take(job_id, database)
        if lease is None:
            return None
        with telemetry.bound(job_id=str(job_id), job=lease.kind.name):
            if lease.request_id:
                telemetry.bind(request_id=lease.request_id)
            outcome = self._run(lease)
            log.info("job ended", outcome=outcome or "lost", attempt=lease.attempts + 1)
        return outcome or "lost"

    def _run(self, lease: Lease) -> str | None:
        try:
            tenant = tenant_of_role(lease.tenant_role)
        except TenantMoving:
            return "queued" if leases.give_back(lease, delay=MOVING) else None
        except NotFound as error:
            return leases.fail(lease, describe(error), final=True)
        telemetry.bind(tenant=tenant.slug)
        if tenant.state != "active":
            return "queued" if leases.give_back(lease, delay=HELD) else None
        return self._call(lease, tenant)

    def _call(self, lease: Lease, tenant: TenantRef) -> str | None:
        context = JobContext(lease, tenant, self.stopping)
        try:
            with self._kept(lease, context):
                lease.kind.run(context, dict(lease.payload))
            if not context.finished:
                with context.session() as session:
                    context.finish(session)
        except LeaseLost:
            return None
        except tuple(_WAITS) as held:
            delay = next(wait for kind, wait in _WAITS.items() if isinstance(held, kind))
            return "queued" if leases.give_back(lease, delay=delay) else None
        except DatabaseUnavailable as error:
            log.warning("job interrupted", error=describe(error))
            leases.let_go(lease)
            return None
        except Exception as error:  # noqa: BLE001 - whatever a job raises is written on its row
            if context.finished:
                log.warning("job raised after it was done", error=describe(error))
                return "done"
            final = isinstance(error, AppError) and error.status in REFUSALS
            state = leases.fail(lease, describe(error), final=final)
            log.warning("job failed", error=describe(error), state=state or "lost")
            return state
        return "done"

    @contextmanager
    def _kept(self, lease: Lease, context: JobContext) -> Iterator[None]:
        started = time.monotonic()
        with self._lock:
            self._running[lease.token] = _Try(lease, context, started, started + _beat_every(lease))
        try:
            yield
        finally:
            with self._lock:
                self._running.pop(lease.token, None)

    def release(self) -> int:
        """Give back what still runs, since this process ends now, and say how many: nothing more of theirs is kept."""
        with self._lock:
            running = list(self._running.values())
        for one in running:
            one.context.lose()
        return sum(leases.give_back(one.lease) for one in running)

    def close(self) -> None:
        """Take no more jobs, and stop prolonging leases."""
        self.stopping.set()
        self._closed.set()
        self._beats.join(timeout=5)

    def _keep_leases(self) -> None:
        while not self._closed.wait(TICK):
            try:
                self._beat()
            except AppError as error:
                log.warning("leases not prolonged", error=describe(error))

    def _beat(self) -> None:
        """Prolong the leases that are due; let go of jobs whose time is over or whose lease is lost."""
        present = time.monotonic()
        with self._lock:
            due = [one for one in self._running.values() if one.due <= present]
        kept: dict[str, list[_Try]] = {}
        for one in due:
            if present - one.since > one.lease.kind.time_limit.total_seconds():
                one.context.lose()
            else:
                kept.setdefault(one.lease.database, []).append(one)
        for database, tries in kept.items():
            lost = leases.prolong([one.lease for one in tries], database)
            for one in tries:
                one.due = present + _beat_every(one.lease)
                if one.lease.token in lost:
                    one.context.lose()


def _beat_every(lease: Lease) -> float:
    """Seconds between two signs of life: a third of the lease, so that one may be missed."""
    return lease.kind.lease.total_seconds() / 3


def describe(error: BaseException) -> str:
    """Kind and place of an error, without its values, which may be personal; our own family says it in its words."""
    name = type(error).__name__
    if isinstance(error, AppError):
        return f"{name}: {error.detail}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(_CHECKOUT) and ".venv" not in path.parts:
            return f"{name} at {path.relative_to(_CHECKOUT)}:{frame.lineno} in {frame.name}"
    return name
