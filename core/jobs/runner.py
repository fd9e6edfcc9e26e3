"""Runs jobs: takes the lease, opens the owner's scope, calls the registered function, and writes the outcome."""

from __future__ import annotations

import math
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from functools import partial
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING
from uuid import UUID

from core import scratch, telemetry, tracing
from core.database import DEFAULT_DATABASE, DatabaseUnavailable, TenantMoving
from core.errors import AppError, NotFound
from core.installation import BlobStoreForeign
from core.jobs import endings, job_metrics, leases, payloads
from core.jobs.bounds import PLATFORM_ROLE
from core.jobs.context import JobContext, PlatformJobContext
from core.jobs.failures import describe, trace_of
from core.jobs.interruptions import ENDS, MOVING, SUSPENDED, WAITS
from core.jobs.isolation import Gate, Isolation
from core.jobs.leases import ALONE, BESIDE_OTHERS, OWN_PROCESS, Lease, Suspect, UnknownKindError
from core.jobs.next_lease import finish_and_take
from core.jobs.registry import kind_of
from core.jobs.running_try import TICK, Try, due_at, end_late, longest
from core.jobs.streak import Streak
from core.metering.seconds import job_time
from core.resilience import deadline
from core.tenancy import tenant_of_role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from core.database import TenantRef
    from core.jobs.failures import Trace
    from core.jobs.leases import Hold
    from core.jobs.next_lease import Wish

REJECTIONS = frozenset({400, 401, 403, 404, 413, 415, 422})
"""Statuses of our own errors that every further try would get too, so the job is given up at once."""

PAUSE = 1.0
"""Seconds before a write is repeated that failed because the job's row is locked, or the database does not answer."""

log = telemetry.get_logger(__name__)


class Runner:
    """Runs jobs in the threads of one process, and prolongs their leases while they run.

    Args:
        isolating: whether suspect jobs get a process of their own. A process that runs one job at a time does not need
            it, because a crash harms no other job.
        threads: threads that call :meth:`run` at once. If there are several, one tenant's jobs never occupy them all.
    """

    def __init__(self, *, isolating: bool = False, threads: int = 1) -> None:
        self.stopping = Event()
        self._share = max(1, threads - 1)
        self._tenants: Counter[str] = Counter()
        self._isolation = Isolation(self.stopping, self._let_go) if isolating else None
        self._gate = Gate()
        self._running: dict[UUID, Try] = {}
        self._interrupted: list[Hold] = []
        self._put_back_at = 0.0
        self._lock = Lock()
        self._closed = Event()
        self._beats = Thread(target=self._keep_leases, name="iit-leases", daemon=True)
        self._beats.start()

    @property
    def settled(self) -> bool:
        """Return whether the outcome of each job that ran here is in its row."""
        return not self._interrupted

    def run(self, job_id: UUID, database: str = DEFAULT_DATABASE, *, token: UUID | None = None) -> str | None:
        """Run a job once, if it is due.

        Args:
            job_id: the job.
            database: the database of its row.
            token: token of its lease; a new one when None.

        Returns:
            ``done``, ``queued`` (another try follows), ``dead`` or ``lost``. ``ended`` if the job ran in a process of
            its own, whose log has the outcome. None if there was nothing to do.

        Raises:
            Unavailable: the database does not answer; the job is tried again.
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

    def serve(
        self,
        job_id: UUID,
        database: str = DEFAULT_DATABASE,
        *,
        ended: Callable[[], object],
        hand_over: Callable[[], bool],
    ) -> int:
        """Run the job of a message, then the next jobs that the relay has sent, until there is none; return how many.

        After ``STREAK_SECONDS`` the thread hands the rest over, so that other messages get their turn.

        Args:
            job_id: the job.
            database: the database of its row.
            ended: called after each job: another one may be admitted.
            hand_over: hands the rest over, and returns whether that worked. If not, the thread continues.

        Raises:
            Unavailable: the database does not answer.
        """
        streak = Streak(database, job_id)
        try:
            while self._run_next(streak, ended):
                if streak.long:
                    # First the job of the message: while others keep coming, it would never have its turn.
                    self._run_named(streak, ended)
                    if hand_over():
                        return streak.number
        finally:
            if streak.following is not None:
                self._let_go(streak.following)
        self._run_named(streak, ended)
        return streak.number

    def _run_named(self, streak: Streak, ended: Callable[[], object]) -> None:
        """Run the job of the message, if it is one that no thread takes along, such as a suspect."""
        if not streak.met:
            streak.met = True
            streak.number += self.run(streak.job_id, streak.database) is not None
            ended()

    def _run_next(self, streak: Streak, ended: Callable[[], object]) -> bool:
        """Run the next job, and those whose leases are taken with its end. Return False if there is none."""
        before = streak.number
        with self._gate.beside_others(self.stopping) as entered:
            lease = streak.take(self._full()) if entered else None
            while lease is not None:
                with ExitStack() as seats:
                    if self._seat(lease.tenant_role, seats):
                        self._try(lease, streak)
                    else:
                        leases.give_back(lease, delay=leases.SHARE_DELAY)
                ended()
                lease = streak.pop()
        return streak.number > before

    def _wish(self, streak: Streak | None, lease: Lease) -> Wish | None:
        """Return which job may be taken with the end of another; None if the thread must do something else first."""
        if streak is None or streak.long or self.stopping.is_set() or self._gate.awaited:
            return None
        return streak.wish(self._full(ending=lease.tenant_role))

    def _full(self, *, ending: str | None = None) -> list[str]:
        """Return the tenants that have their full share; one job of ``ending`` no longer counts."""
        with self._lock:
            return [role for role, count in self._tenants.items() if count - (role == ending) >= self._share]

    def _seat(self, role: str, seats: ExitStack) -> bool:
        """Give a tenant one more thread until ``seats`` closes. Return False if it has its full share already."""
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

    def _try(self, lease: Lease, streak: Streak | None = None) -> str:
        with (
            telemetry.bound(job_id=str(lease.job_id), job=lease.kind.name),
            tracing.job(lease.kind.name, lease.traceparent) as span,
        ):
            if lease.request_id:
                telemetry.bind(request_id=lease.request_id)
            began = time.monotonic()
            with scratch.run_folder(str(lease.job_id)), deadline(longest(lease)):
                outcome = self._run(lease, streak)
            job_metrics.count(lease.kind.name, outcome or "lost", time.monotonic() - began)
            _describe(span, lease, outcome or "lost")
            log.info("job ended", outcome=outcome or "lost", attempt=lease.attempts + 1)
        return outcome or "lost"

    def _run(self, lease: Lease, streak: Streak | None = None) -> str | None:
        of_platform = lease.tenant_role == PLATFORM_ROLE
        if of_platform != lease.kind.platform:
            # A row that a tenant's role wrote itself must never run with the rights of the platform.
            owner = "the platform" if of_platform else "a tenant"
            return self._fail(lease, f"the kind {lease.kind.name} is not for jobs of {owner}", final=True)
        if of_platform:
            return self._call(lease, None, PlatformJobContext(lease, self.stopping), streak)
        try:
            tenant = lease.tenant or tenant_of_role(lease.tenant_role)
        except TenantMoving:
            return "queued" if leases.give_back(lease, delay=MOVING) else None
        except NotFound as error:
            return self._fail(lease, describe(error), final=True)
        telemetry.bind(tenant=tenant.slug)
        if tenant.state != "active":
            return "queued" if leases.give_back(lease, delay=SUSPENDED) else None
        with job_time(tenant.id, lease.kind.name):
            return self._call(lease, tenant, JobContext(lease, tenant, self.stopping), streak)

    def _call(
        self,
        lease: Lease,
        tenant: TenantRef | None,
        context: JobContext | PlatformJobContext,
        streak: Streak | None,
    ) -> str | None:
        try:
            with self._lease_prolonged(lease, context):
                payload = payloads.open_as(tenant, lease.job_id, dict(lease.payload))
                kind_of(lease.kind.name).run(context, payload)
            if not context.finished:
                wish = self._wish(streak, lease)
                following = context.finish_alone(partial(finish_and_take, wish=wish))
                if streak is not None:
                    streak.following = following
        except tuple(ENDS) as end:
            return ENDS[type(end)](lease.job_id, lease.database, lease.token)
        except tuple(WAITS) as interruption:
            delay = next(wait for kind, wait in WAITS.items() if isinstance(interruption, kind))
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
            tracing.current_span().fail(error)
            if not isinstance(error, AppError) or error.status == AppError.status:
                telemetry.report_error(error, __name__)
            final = isinstance(error, AppError) and error.status in REJECTIONS
            state = self._fail(lease, describe(error), final=final, trace=trace_of(error))
            log.warning("job failed", error=describe(error), state=state or "lost")
            return state
        return "done"

    def _fail(self, lease: Lease, error: str, *, final: bool, trace: Trace | None = None) -> str | None:
        """Count a failed try. If the database cannot store that, the job is tried again and the try does not count."""
        try:
            return endings.fail(lease, error, final=final, trace=trace)
        except TenantMoving:
            return "queued" if leases.give_back(lease, delay=MOVING) else None
        except DatabaseUnavailable:
            self._let_go(lease)
            return None

    def _let_go(self, hold: Hold) -> None:
        """Put the job back. If the database is unavailable, do it as soon as it answers, before the lease runs out."""
        try:
            leases.let_go(hold)
        except DatabaseUnavailable:
            with self._lock:
                self._interrupted.append(hold)

    @contextmanager
    def _lease_prolonged(self, lease: Lease, context: JobContext | PlatformJobContext) -> Iterator[None]:
        started = time.monotonic()
        with self._lock:
            self._running[lease.token] = Try(lease, context, started, due_at(lease, started, started))
        try:
            yield
        finally:
            with self._lock:
                self._running.pop(lease.token, None)

    def release(self) -> int:
        """Give back the jobs that still run, because the process ends; return how many. Their later writes are lost."""
        with self._lock:
            running = list(self._running.values())
        for one in running:
            one.context.lose()
        given_back = sum(leases.give_back(one.lease) for one in running)
        return given_back + (0 if self._isolation is None else self._isolation.release())

    def close(self) -> None:
        """Stop taking jobs and prolonging leases."""
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
        """Put back the jobs that an unavailable database interrupted, after it answers again."""
        present = time.monotonic()
        with self._lock:
            waiting = list(self._interrupted) if present >= self._put_back_at else []
        self._put_back_at = present + PAUSE if waiting else self._put_back_at
        for hold in waiting:
            leases.let_go(hold)
            with self._lock:
                self._interrupted.remove(hold)

    def _beat(self) -> None:
        """Prolong the leases that are due; stop jobs that exceed their time limit or lost their lease."""
        present = time.monotonic()
        with self._lock:
            due = [one for one in self._running.values() if one.due <= present]
        in_time: dict[str, list[Try]] = {}
        for one in due:
            if present - one.since > longest(one.lease):
                one.context.lose()
                counted = end_late(one.lease) is not None
                one.due = math.inf if counted else present + PAUSE
            else:
                in_time.setdefault(one.lease.database, []).append(one)
        for database, tries in in_time.items():
            lost = leases.prolong([one.lease for one in tries], database)
            for one in tries:
                one.due = due_at(one.lease, one.since, present)
                if one.lease.token in lost:
                    one.context.lose()


def _describe(span: tracing.Span | tracing.NoSpan, lease: Lease, outcome: str) -> None:
    span.note("iit.job.id", str(lease.job_id))
    span.note("iit.job.kind", lease.kind.name)
    span.note("iit.job.attempt", lease.attempts + 1)
    span.note("iit.job.outcome", outcome)
    known = telemetry.context()
    for name in ("tenant", "request_id"):
        if name in known:
            span.note(f"iit.{name}", known[name])
