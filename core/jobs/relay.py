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
from core.jobs import admission, deliveries, endings, heartbeat, inbox
from core.jobs.limits import LARGEST
from core.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import psycopg

    from core.jobs.broker import Messages

SWEEP_EVERY = 600.0
"""Seconds between two removals of jobs that ended long ago."""

BEATEN = 0.05
"""Seconds to the next round after another relay's, also for a relay that is woken."""

SHORTEST_PAUSE = 0.01
"""Seconds between two rounds, at least."""

LONGEST_PAUSE = 5.0
"""Seconds between two tries while the database or Redis is away."""

_SWEPT_AT_ONCE = 10_000
_LOCK = 0x11_7E_30_B5
_BATCH = 500

_RESEND = """
UPDATE node.jobs SET sent_at = now(), sends = sends + 1, updated_at = now()
WHERE id IN (
    SELECT id FROM node.jobs
    WHERE state = 'sent' AND (%(role)s::text IS NULL OR tenant_role = %(role)s)
        AND (%(all)s OR sent_at < now() - %(after)s::interval * least(power(2, sends - 1), 32))
    ORDER BY sent_at LIMIT CASE WHEN %(all)s THEN NULL ELSE %(batch)s::int END FOR UPDATE SKIP LOCKED
)
RETURNING id
"""

# Those that would be dead are left to ``endings``, where each gets a transaction that informs its feature.
_REAP = f"""
UPDATE node.jobs SET {endings.VANISH}
WHERE id IN (
    SELECT id FROM node.jobs
    WHERE state = 'running' AND lease_until < now() AND (%(role)s::text IS NULL OR tenant_role = %(role)s)
        AND NOT (suspicion >= 2 AND interruptions + 1 >= %(most)s)
    LIMIT %(batch)s FOR UPDATE SKIP LOCKED
)
RETURNING id
"""  # noqa: S608 - constants

_LAST = """
SELECT id FROM node.jobs
WHERE state = 'running' AND lease_until < now() AND (%(role)s::text IS NULL OR tenant_role = %(role)s)
    AND suspicion >= 2 AND interruptions + 1 >= %(most)s
LIMIT %(batch)s FOR UPDATE SKIP LOCKED
"""

_LATE = """
SELECT id FROM node.jobs
WHERE deadline <= now() AND state IN ('queued', 'sent') AND (%(role)s::text IS NULL OR tenant_role = %(role)s)
LIMIT %(batch)s FOR UPDATE SKIP LOCKED
"""

_CANCELLED = """
SELECT jobs.id FROM node.job_cancellations JOIN node.jobs ON jobs.id = job_cancellations.job_id
WHERE jobs.state IN ('queued', 'sent') AND (%(role)s::text IS NULL OR jobs.tenant_role = %(role)s)
LIMIT %(batch)s FOR UPDATE OF jobs SKIP LOCKED
"""

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

    def run(self, stopping: Event) -> None:
        """Run rounds until ``stopping``. If the database or Redis is unavailable, try again later.

        ``wake`` begins the next round after ``SHORTEST_PAUSE``, unless another relay had its round, or the database or
        Redis is away.
        """
        poll = get_settings().jobs_poll_seconds
        pause, heeds_wakes = poll, True
        swept = ended = time.monotonic()
        while not stopping.is_set():
            if heeds_wakes:
                self._woken.wait(pause)
                pause = ended + SHORTEST_PAUSE - time.monotonic()
            if pause > 0:
                stopping.wait(pause)
            if stopping.is_set():
                return
            self._woken.clear()
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
        relay of all tenants runs its round.

        Raises:
            Unavailable: the database is not there.
            redis.RedisError: Redis is not there; jobs whose message was not sent are queued again.
        """
        wiped = self._messages.forgot(self._epoch)
        chosen: dict[str, object] = {
            "role": self._role,
            "all": wiped,
            "after": self._after,
            "batch": _BATCH,
            "most": endings.MAX_INTERRUPTIONS,
        }
        rules = admission.rules()
        with node_session(self._database) as session:
            connection = psycopg_connection(session)
            # A round that a crash of the server undoes is done again; nobody has to wait for the disk.
            connection.execute("SET LOCAL synchronous_commit = off")
            if self._role is None:
                if connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (_LOCK,)).fetchone() != (True,):
                    return Tick(beaten=True)
            else:
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            publishers = deliveries.forward(connection, self._role, _BATCH)
            resent = _ids(connection, _RESEND, chosen)
            reaped = _ids(connection, _REAP, chosen)
            last = _ids(connection, _LAST, chosen)
            most = self._most(connection)
            admitted = admission.admit(
                connection,
                rules,
                role=self._role,
                per_tenant=min(self._per_tenant, most),
                most=most,
                window=self._window,
            )
            late, cancelled = _ids(connection, _LATE, chosen), _ids(connection, _CANCELLED, chosen)
        self._messages.signal(publishers)
        if resent or reaped or admitted:
            changed(JOBS)
        self._send([*resent, *admitted])  # first: many endings of one tenant must not delay everybody's jobs
        buried = sum(self._end(endings.vanish_expired, job_id) for job_id in last)
        buried += sum(self._end(endings.miss_deadline, job_id) for job_id in late)
        for job_id in cancelled:
            self._end(endings.cancel, job_id)
        return Tick(len(admitted), len(resent), len(reaped), buried)

    def _most(self, connection: psycopg.Connection[Any]) -> int:
        """Return how many jobs of one tenant may run at the same time, so that one thread remains for other tenants."""
        threads = max(self._threads, heartbeat.threads_alive(connection)) if self._role is None else 0
        return max(1, threads - 1) if threads else LARGEST

    def _end(self, end: Callable[[UUID, str], str | None], job_id: UUID) -> bool:
        """End a job by a function of ``endings``; return whether it is dead."""
        try:
            return end(job_id, self._database) == "dead"
        except TenantMoving:
            pass  # it is looked at again in the next round, here or where it is then
        except Exception as error:  # such as Unavailable of an ``on_end``; the other jobs' ends do not wait for it
            log.exception("a job could not be ended", job_id=str(job_id), error=type(error).__name__)
        return False

    def _send(self, job_ids: Sequence[UUID]) -> None:
        for place, job_id in enumerate(job_ids):
            try:
                self._messages.send(job_id, self._database)
            except redis.RedisError:
                with node_session(self._database) as session:
                    psycopg_connection(session).execute(_UNSEND, (list(job_ids[place:]),))
                raise


def _ids(connection: psycopg.Connection[Any], statement: str, values: dict[str, object]) -> list[UUID]:
    """Run one of the statements above, a constant, and return its ids."""
    return [row[0] for row in connection.execute(statement, values).fetchall()]
