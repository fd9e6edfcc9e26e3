"""One try of one job: lease, owner's scope, the registered function, and what its end means for the row."""

from __future__ import annotations

import math
import time
import traceback
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING
from uuid import UUID

from core import scratch, telemetry
from core.database import DEFAULT_DATABASE, DatabaseUnavailable, TenantMoving, TenantUpgrading
from core.errors import AppError, NotFound
from core.installation import BlobStoreForeign
from core.jobs import endings, leases
from core.jobs.bounds import PLATFORM_ROLE
from core.jobs.context import EarlierFirst, JobContext, LeaseLost, PlatformJobContext, TenantSuspended, WorkerStopping
from core.jobs.isolation import Gate, Isolation
from core.jobs.leases import ALONE, BESIDE_OTHERS, OWN_PROCESS, Lease, Suspect, UnknownKindError
from core.jobs.registry import kind_of
from core.tenancy import tenant_of_role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.jobs.leases import Hold

HELD = timedelta(minutes=10)
"""How long the jobs of a suspended tenant wait before they are looked at again."""

MOVING = timedelta(seconds=2)
"""How long the jobs of a tenant that is being moved wait; where they are then, a move has taken them along."""

UPGRADING = timedelta(minutes=1)
"""How long a job waits whose tenant's schema lacks what the job needs."""

STORE_AWAY = timedelta(minutes=1)
"""How long a job waits that this worker's store of files, another one or not mounted, does not serve."""

EARLIER = timedelta(seconds=2)
"""How long a job waits that must follow an earlier one."""

_WAITS: dict[type[BaseException], timedelta] = {
    EarlierFirst: EARLIER,
    WorkerStopping: timedelta(0),
    TenantSuspended: HELD,
    TenantMoving: MOVING,
    TenantUpgrading: UPGRADING,
    BlobStoreForeign: STORE_AWAY,
}
"""What a job is given back for, no try of its own spent, and for how long it then waits."""

REFUSALS = frozenset({400, 401, 403, 404, 413, 415, 422})
"""Errors of our own family that would be the same in the next try."""

TICK = 0.25
"""Seconds between two looks at which leases are due."""

PAUSE = 1.0
"""Seconds between two tries of what the row of a job, or its database, does not allow at the moment."""

_CHECKOUT = Path(__file__).resolve().parents[2]
log = telemetry.get_logger(__name__)


@dataclass(slots=True)
class _Try:
    """A job that runs now: since when, and when its lease is next to be prolonged (seconds of the monotonic clock)."""

    lease: Lease
    context: JobContext | PlatformJobContext
    since: float
    due: float


class Runner:
    """Runs jobs in the threads of one process, and keeps their leases while they run.

    Args:
        isolating: jobs under suspicion get a process of their own. Without it they run here: whoever runs one job at a
            time has nothing beside it.
        threads: that call :meth:`run` at once; one tenant's jobs never hold them all, where there are two or more.
    """

    def __init__(self, *, isolating: bool = False, threads: int = 1) -> None:
        self.stopping = Event()
        self._share = max(1, threads - 1)
        self._tenants: Counter[str] = Counter()
        self._isolation = Isolation(self.stopping, self._let_go) if isolating else None
        self._gate = Gate()
        self._running: dict[UUID, _Try] = {}
        self._interrupted: list[Hold] = []
        self._put_back_at = 0.0
        self._lock = Lock()
        self._closed = Event()
        self._beats = Thread(target=self._keep_leases, name="iit-leases", daemon=True)
        self._beats.start()

    @property
    def settled(self) -> bool:
        """Whether the row of each job that ran here says how its try ended."""
        return not self._interrupted

    def run(self, job_id: UUID, database: str = DEFAULT_DATABASE, *, token: UUID | None = None) -> str | None:
        """Run the job once, if it waits to be run.

        Args:
            job_id: which.
            database: where its row is.
            token: that of its lease; a new one when None.

        Returns:
            How it ended: ``done``, ``queued`` (another try later), ``dead``, ``lost``; ``ended``: in a process of its
            own, whose log says how; None: there was nothing to do.

        Raises:
            Unavailable: the database is not there; the job is tried again.
        """
        with ExitStack() as seats:
            return self._run_here(job_id, database, token, seats)

    def _run_here(self, job_id: UUID, database: str, token: UUID | None, seats: ExitStack) -> str | None:
        with self._gate.beside_others(self.stopping) as entered:
            if not entered:
                return None
            up_to = ALONE if self._isolation is None else BESIDE_OTHERS
            try:
                taken = leases.take(
                    job_id, kind_of, database, token=token, up_to=up_to, admits=lambda role: self._seat(role, seats)
                )
            except UnknownKindError as error:
                return endings.fail_unknown(job_id, database, str(error))
            if isinstance(taken, Lease):
                return self._try(taken)
            if taken is None or self._isolation is None:
                return None
            if taken.level == OWN_PROCESS:
                return self._isolation.run(taken)
        return self._run_alone(taken)

    def _seat(self, role: str, seats: ExitStack) -> bool:
        """Give a tenant one more thread until ``seats`` close, unless it has its share of them."""
        with self._lock:
            if self._tenants[role] >= self._share:
                return False
            self._tenants[role] += 1
        seats.callback(self._leave, role)
        return True

    def _leave(self, role: str) -> None:
        with self._lock:
            self._tenants[role] -= 1
            if not self._tenants[role]:
                del self._tenants[role]

    def _run_alone(self, suspect: Suspect) -> str | None:
        with self._gate.alone(self.stopping) as entered:
            return self._isolation.run(suspect) if entered and self._isolation is not None else None

    def _try(self, lease: Lease) -> str:
        with telemetry.bound(job_id=str(lease.job_id), job=lease.kind.name):
            if lease.request_id:
                telemetry.bind(request_id=lease.request_id)
            with scratch.run_folder(str(lease.job_id)):
                outcome = self._run(lease)
            log.info("job ended", outcome=outcome or "lost", attempt=lease.attempts + 1)
        return outcome or "lost"

    def _run(self, lease: Lease) -> str | None:
        of_platform = lease.tenant_role == PLATFORM_ROLE
        if of_platform != lease.kind.platform:
            # A row that a tenant's role wrote itself must never run with the rights of the platform.
            owner = "the platform" if of_platform else "a tenant"
            return self._fail(lease, f"the kind {lease.kind.name} is not for jobs of {owner}", final=True)
        if of_platform:
            return self._call(lease, PlatformJobContext(lease, self.stopping))
        try:
            tenant = tenant_of_role(lease.tenant_role)
        except TenantMoving:
            return "queued" if leases.give_back(lease, delay=MOVING) else None
        except NotFound as error:
            return self._fail(lease, describe(error), final=True)
        telemetry.bind(tenant=tenant.slug)
        if tenant.state != "active":
            return "queued" if leases.give_back(lease, delay=HELD) else None
        return self._call(lease, JobContext(lease, tenant, self.stopping))

    def _call(self, lease: Lease, context: JobContext | PlatformJobContext) -> str | None:
        try:
            with self._kept(lease, context):
                kind_of(lease.kind.name).run(context, dict(lease.payload))
            if not context.finished:
                context.finish_alone()
        except LeaseLost:
            return None
        except tuple(_WAITS) as interruption:
            delay = next(wait for kind, wait in _WAITS.items() if isinstance(interruption, kind))
            why = describe(interruption) if isinstance(interruption, BlobStoreForeign) else None
            if why:
                log.warning("job waits", error=why)
            return "queued" if leases.give_back(lease, delay=delay, why=why) else None
        except DatabaseUnavailable as error:
            log.warning("job interrupted", error=describe(error))
            self._let_go(lease)
            return None
        except Exception as error:  # noqa: BLE001 - whatever a job raises is written on its row
            if context.finished:
                log.warning("job raised after it was done", error=describe(error))
                return "done"
            final = isinstance(error, AppError) and error.status in REFUSALS
            state = self._fail(lease, describe(error), final=final)
            log.warning("job failed", error=describe(error), state=state or "lost")
            return state
        return "done"

    def _fail(self, lease: Lease, error: str, *, final: bool) -> str | None:
        """Count a failed try; where that cannot be written, the try is made again and nobody is blamed."""
        try:
            return endings.fail(lease, error, final=final)
        except TenantMoving:
            return "queued" if leases.give_back(lease, delay=MOVING) else None
        except DatabaseUnavailable:
            self._let_go(lease)
            return None

    def _let_go(self, hold: Hold) -> None:
        """Put the job back; where the database is away, as soon as it is there, so that no lease runs out for it."""
        try:
            leases.let_go(hold)
        except DatabaseUnavailable:
            with self._lock:
                self._interrupted.append(hold)

    @contextmanager
    def _kept(self, lease: Lease, context: JobContext | PlatformJobContext) -> Iterator[None]:
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
        given_back = sum(leases.give_back(one.lease) for one in running)
        return given_back + (0 if self._isolation is None else self._isolation.release())

    def close(self) -> None:
        """Take no more jobs, and stop prolonging leases."""
        self.stopping.set()
        self._closed.set()
        self._beats.join(timeout=5)

    def _keep_leases(self) -> None:
        while not self._closed.wait(TICK):
            try:
                self._beat()
                self._put_back()
            except AppError as error:
                log.warning("leases not prolonged", error=describe(error))

    def _put_back(self) -> None:
        """Put back the jobs that the database broke off, now that it is there again."""
        present = time.monotonic()
        with self._lock:
            waiting = list(self._interrupted) if present >= self._put_back_at else []
        self._put_back_at = present + PAUSE if waiting else self._put_back_at
        for hold in waiting:
            leases.let_go(hold)
            with self._lock:
                self._interrupted.remove(hold)

    def _beat(self) -> None:
        """Prolong the leases that are due; let go of jobs whose time is over or whose lease is lost."""
        present = time.monotonic()
        with self._lock:
            due = [one for one in self._running.values() if one.due <= present]
        kept: dict[str, list[_Try]] = {}
        for one in due:
            if present - one.since > one.lease.kind.time_limit.total_seconds():
                one.context.lose()
                counted = endings.overrun(one.lease) is not None
                one.due = math.inf if counted else present + PAUSE
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
