"""One try of one job: lease, tenant's scope, the registered function, and what its end means for the row."""

from __future__ import annotations

import time
import traceback
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING
from uuid import UUID

from core import telemetry
from core.database import DEFAULT_DATABASE, TenantRef
from core.errors import AppError, NotFound
from core.jobs import leases
from core.jobs.context import JobContext, LeaseLost, WorkerStopping
from core.tenancy import tenant_of_role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.jobs.leases import Lease

HELD = timedelta(minutes=10)
"""How long the jobs of a suspended tenant wait before they are looked at again."""

REFUSALS = frozenset({400, 401, 403, 404, 413, 415, 422})
"""Errors of our own family that would be the same in the next try."""

_CHECKOUT = Path(__file__).resolve().parents[2]
log = telemetry.get_logger(__name__)


class Runner:
    """Runs jobs in the threads of one process, and keeps their leases while they run."""

    def __init__(self) -> None:
        self.stopping = Event()
        self._running: dict[UUID, tuple[Lease, JobContext, float]] = {}
        self._lock = Lock()
        self._closed = Event()
        self._beats = Thread(target=self._keep_leases, name="iit-leases", daemon=True)
        self._beats.start()

    def run(self, job_id: UUID, database: str = DEFAULT_DATABASE) -> str | None:
        """Run the job once, if it waits to be run.

        Returns:
            How it ended: ``done``, ``queued`` (another try later), ``dead``, ``lost``; None when there was nothing to do.

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
        except WorkerStopping:
            return "queued" if leases.give_back(lease) else None
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
        with self._lock:
            self._running[lease.token] = (lease, context, time.monotonic())
        try:
            yield
        finally:
            with self._lock:
                self._running.pop(lease.token, None)

    def release(self) -> int:
        """Give back what still runs, since this process ends now; returns how many. What those tries do next is not kept."""
        with self._lock:
            running = list(self._running.values())
        for _, context, _ in running:
            context.lose()
        return sum(leases.give_back(lease) for lease, _, _ in running)

    def close(self) -> None:
        """Stop prolonging leases."""
        self.stopping.set()
        self._closed.set()
        self._beats.join(timeout=5)

    def _keep_leases(self) -> None:
        while not self._closed.wait(self._beat_after()):
            try:
                self._beat()
            except AppError as error:
                log.warning("leases not prolonged", error=describe(error))

    def _beat_after(self) -> float:
        """Seconds to the next sign of life: a third of the shortest lease that runs."""
        with self._lock:
            shortest = min((lease.kind.lease.total_seconds() for lease, _, _ in self._running.values()), default=1.0)
        return min(shortest / 3, 1.0)

    def _beat(self) -> None:
        with self._lock:
            running = list(self._running.values())
        alive: dict[str, list[Lease]] = {}
        for lease, context, since in running:
            if time.monotonic() - since > lease.kind.time_limit.total_seconds():
                context.lose()
            else:
                alive.setdefault(lease.database, []).append(lease)
        for database, held in alive.items():
            lost = leases.prolong(held, database)
            for lease, context, _ in running:
                if lease.token in lost:
                    context.lose()


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
