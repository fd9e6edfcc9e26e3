"""The relay: admits due jobs, tenants in turn, sends a message for each, and sends lost messages again.

It may run in any number of workers: a lock lets one of them work at a time. The job's row has the state; a message only
says "look at this row". So an extra message does nothing, and a lost one is sent again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from threading import Event
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import redis

from core import telemetry
from core.database import DEFAULT_DATABASE, TenantMoving, TenantRef, node_session, psycopg_connection
from core.errors import AppError
from core.events.operator_events import JOBS, changed
from core.jobs import admission, deliveries, endings, heartbeat, inbox, recovery
from core.jobs.limits import LARGEST
from core.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import psycopg

    from core.jobs.admission import Turn
    from core.jobs.broker import Messages
    from core.jobs.recovery import Repairs

SWEEP_EVERY = 600.0
"""Seconds between two removals of jobs that ended long ago."""

BEATEN = 0.05
"""Seconds to the next round after another relay's, also for a relay that is woken."""

SHORTEST_PAUSE = 0.01
"""Seconds between two rounds, at least."""

LONGEST_PAUSE = 5.0
"""Seconds between two tries while the database or Redis is away."""

RECOVERY_SECONDS = 0.5
"""Seconds between two searches for lost, late and cancelled jobs by a relay that is woken all the time."""

_SWEPT_AT_ONCE = 10_000
_LOCK = 0x11_7E_30_B5
_BATCH = 500
_TRY, _WAIT = "SELECT pg_try_advisory_xact_lock(%s)", "SELECT pg_advisory_xact_lock(%s)"

_SWEEP = """
DELETE FROM node.jobs WHERE id IN (
    SELECT id FROM node.jobs WHERE state IN ('done', 'discarded', 'cancelled')
        AND finished_at < now() - %(keep)s::interval
    LIMIT %(batch)s FOR UPDATE SKIP LOCKED
)
RETURNING id
"""

_EXPIRE = """
UPDATE node.jobs SET result = NULL, result_until = NULL WHERE id IN (
    SELECT id FROM node.jobs WHERE result_until < now() LIMIT %(batch)s FOR UPDATE SKIP LOCKED
)
"""

_HEEDED = """
DELETE FROM node.job_cancellations WHERE NOT EXISTS (
    SELECT FROM node.jobs WHERE jobs.id = job_cancellations.job_id AND jobs.state IN ('queued', 'sent', 'running')
)
"""

_UNSEND = "UPDATE node.jobs SET state = 'queued', updated_at = now() WHERE id = ANY(%s) AND state = 'sent'"

log = telemetry.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Tick:
    """Counts of jobs in one round of the relay; ``beaten`` if another relay had its round at that moment."""

    admitted: int = 0
    resent: int = 0
    reaped: int = 0
    buried: int = 0
    beaten: bool = False


class Relay:
    """Moves the jobs of one data database.

    Args:
        messages: sends the messages.
        database: the database of the jobs.
        tenant: only this tenant's jobs; all tenants' when None.
        threads: jobs that this process runs at a time; 0 if it runs one tenant's jobs one after another.
    """

    def __init__(
        self,
        messages: Messages,
        *,
        database: str = DEFAULT_DATABASE,
        tenant: TenantRef | None = None,
        threads: int = 0,
    ) -> None:
        settings = get_settings()
        self._threads = threads
        self._role = tenant.role_name if tenant else None
        self._messages = messages
        self._database = database
        self._after, self._keep = settings.jobs_resend_after, timedelta(days=settings.jobs_keep_days)
        self._keep_messages = timedelta(days=settings.inbox_keep_days)
        self._window, self._per_tenant = settings.jobs_window, settings.jobs_per_tenant
        self._epoch = str(uuid4())
        self._woken = Event()
        self._hurried = False

    def run(self, stopping: Event) -> None:
        """Run rounds until ``stopping``. If the database or Redis is unavailable, try again later.

        ``wake`` begins the next round after ``SHORTEST_PAUSE``, unless another relay had its round, or the database or
        Redis is away.
        """
        poll = get_settings().jobs_poll_seconds
        pause, heeds_wakes = poll, True
        swept = ended = time.monotonic()
        recovered = 0.0
        while not stopping.is_set():
            if heeds_wakes:
                self._woken.wait(pause)
                pause = ended + SHORTEST_PAUSE - time.monotonic()
            if pause > 0:
                stopping.wait(pause)
            if stopping.is_set():
                return
            self._woken.clear()
            self._hurried = time.monotonic() - recovered < min(poll, RECOVERY_SECONDS)
            recovered = recovered if self._hurried else time.monotonic()
            try:
                done = self.tick()
                if time.monotonic() - swept > SWEEP_EVERY:
                    swept = time.monotonic()
                    self.sweep()
            except (AppError, redis.RedisError) as error:
                log.warning("relay waits", error=type(error).__name__)
                pause, heeds_wakes = min(max(pause, poll) * 2, LONGEST_PAUSE), False
            except Exception:
                log.exception("relay failed")  # and goes on: without it nothing runs
                pause, heeds_wakes = LONGEST_PAUSE, False
            else:
                # The other's round may have begun before the commit that woke us.
                pause = 0.0 if done.admitted else min(poll, BEATEN) if done.beaten else poll
                heeds_wakes = not done.beaten
            ended = time.monotonic()

    def wake(self) -> None:
        """Begin the next round soon: a job has ended here, so that another one may start, or the process stops."""
        self._woken.set()

    def sweep(self) -> int:
        """Remove jobs that ended long ago, with their dead letters, expired results, old events and messages.

        Returns:
            The number of jobs.

        Raises:
            Unavailable: the database is not there.
        """
        with node_session(self._database) as session:
            connection = psycopg_connection(session)
            swept = _ids(connection, _SWEEP, {"keep": self._keep, "batch": _SWEPT_AT_ONCE})
            connection.execute("DELETE FROM node.dead_letters WHERE job_id = ANY(%s)", (swept,))
            connection.execute(_EXPIRE, {"batch": _SWEPT_AT_ONCE})
            connection.execute(_HEEDED)
            inbox.sweep(connection, self._keep_messages, _SWEPT_AT_ONCE)
            deliveries.sweep(connection, self._keep, _SWEPT_AT_ONCE)
        return len(swept)

    def tick(self) -> Tick:
        """Run one round: forward events, recover jobs of vanished workers, admit due jobs, and send their messages.

        Lost messages are sent again. A job whose worker vanished is queued again, or becomes a dead letter after too
        many interruptions. Waiting jobs that were cancelled, or whose deadline passed, end. Does nothing while another
        relay of all tenants runs its round. If ``run`` is woken again soon, the next round only forwards and admits.

        Raises:
            Unavailable: the database is not there.
            redis.RedisError: Redis is not there; jobs whose message was not sent are queued again.
        """
        wiped = self._messages.forgot(self._epoch)
        with node_session(self._database) as session:
            connection = psycopg_connection(session)
            # A round that a crash of the server undoes is done again; nobody has to wait for the disk.
            connection.execute("SET LOCAL synchronous_commit = off")
            lock = connection.execute(_TRY if self._role is None else _WAIT, (_LOCK,))
            if lock.fetchone() == (False,):
                return Tick(beaten=True)
            rules = admission.rules(connection if self._database == DEFAULT_DATABASE else None)
            publishers = deliveries.forward(connection, self._role, _BATCH)
            repairs = recovery.NOTHING
            if wiped or not self._hurried:
                repairs = recovery.recover(connection, role=self._role, resend_after=self._after, resend_all=wiped)
            threads = self._threads_alive(connection)
            most = max(1, threads - 1) if threads else LARGEST
            admitted = admission.admit(
                connection,
                rules,
                role=self._role,
                per_tenant=min(self._per_tenant, most),
                most=most,
                window=self._window,
            )
        self._messages.signal(publishers)
        if repairs.resent or repairs.reaped or admitted:
            changed(JOBS)
        self._send(repairs, admitted, threads)  # first: many endings of one tenant must not delay everybody's jobs
        buried = sum(self._end(endings.vanish_expired, job_id) for job_id in repairs.vanished)
        buried += sum(self._end(endings.miss_deadline, job_id) for job_id in repairs.late)
        for job_id in repairs.cancelled:
            self._end(endings.cancel, job_id)
        return Tick(len(admitted), len(repairs.resent), len(repairs.reaped), buried)

    def _threads_alive(self, connection: psycopg.Connection[Any]) -> int:
        """Return how many jobs all workers run at a time; 0 for a relay of one tenant, which runs them itself.

        One tenant has one thread less, so that one remains for other tenants.
        """
        return max(self._threads, heartbeat.threads_alive(connection)) if self._role is None else 0

    def _end(self, end: Callable[[UUID, str], str | None], job_id: UUID) -> bool:
        """End a job by a function of ``endings``; return whether it is dead."""
        try:
            return end(job_id, self._database) == "dead"
        except TenantMoving:
            pass  # it is looked at again in the next round, here or where it is then
        except Exception as error:  # such as Unavailable of an ``on_end``; the other jobs' ends do not wait for it
            log.exception("a job could not be ended", job_id=str(job_id), error=type(error).__name__)
        return False

    def _send(self, repairs: Repairs, admitted: Sequence[Turn], threads: int) -> None:
        """Send messages, at most as many as there are threads: each thread runs all jobs that are sent.

        Raises:
            redis.RedisError: Redis is not there; the jobs without a message are queued again.
        """
        alone = [*repairs.resent, *(job.id for job in admitted if job.by_message)]
        others = [job.id for job in admitted if not job.by_message]
        unsent = [*alone, *others]
        try:
            if threads and (others or repairs.stray):
                room = max(0, threads - self._messages.waiting(self._database))
                stray = repairs.stray if room == threads and not others else []
                unsent = [*alone, *others[:room], *stray]
            while unsent:
                self._messages.send(unsent[0], self._database)
                unsent.pop(0)
        except redis.RedisError:
            with node_session(self._database) as session:
                psycopg_connection(session).execute(_UNSEND, (unsent,))
            raise


def _ids(connection: psycopg.Connection[Any], statement: str, values: dict[str, object]) -> list[UUID]:
    """Run one of the statements above, a constant, and return its ids."""
    return [row[0] for row in connection.execute(statement, values).fetchall()]
