"""Statements of a worker on a job's row: take, prolong, finish, give back. ``endings`` has the failures.

All but ``hold`` and ``finish`` run as the application, because they are not part of the tenant's work. The database's
clock counts, because the clocks of workers may differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from core.database import DEFAULT_DATABASE, node_session, psycopg_connection

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import psycopg

    from core.database import TenantRef
    from core.jobs.bounds import JobBounds

SHARE_DELAY = timedelta(seconds=1)
"""Delay of a job whose tenant has its full share of this worker: another worker may be free."""

LeaseState = Literal["held", "lost", "late", "cancelled"]

BESIDE_OTHERS, OWN_PROCESS, ALONE = 0, 1, 2
"""Levels of suspicion, which decide how a job runs; see ``core.jobs.isolation``."""


@dataclass(frozen=True, slots=True)
class Hold:
    """The lease of a job by its token: only a process that knows the token may change the row."""

    job_id: UUID
    token: UUID
    database: str


@dataclass(frozen=True, slots=True)
class Lease(Hold):
    """A job that this process runs."""

    tenant_role: str
    kind: JobBounds
    payload: dict[str, Any]
    attempts: int
    request_id: str | None
    traceparent: str | None = None
    seconds: float | None = None
    """Seconds until the job's deadline, when it was taken; None without a deadline."""
    tenant: TenantRef | None = None
    """The owner, when the job was taken; None if it is the platform, or was not read with the job."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """A job that waits, and must run in its own process.

    Attributes:
        level: ``OWN_PROCESS`` or ``ALONE``.
    """

    job_id: UUID
    database: str
    level: int


class UnknownKindError(LookupError):
    """No feature registers the job's kind: the process that enqueued the job may have a newer version."""


def take(
    job_id: UUID,
    bounds_of: Callable[[str], JobBounds],
    database: str = DEFAULT_DATABASE,
    *,
    token: UUID | None = None,
    up_to: int = ALONE,
    admits: Callable[[str], bool] | None = None,
) -> Lease | Suspect | None:
    """Take the job's lease if a message for it was sent; a second message for the same job does nothing.

    Args:
        job_id: the job.
        bounds_of: returns the bounds of a kind by its name; raises LookupError if no feature registers it.
        database: the database of its row.
        token: token of the lease; a new one when None.
        up_to: highest level of suspicion to take; a job above it is returned as a ``Suspect``.
        admits: called with ``tenant_role``; if it returns False, the job is queued again for a moment.

    Raises:
        UnknownKindError: no feature registers its kind; the job is not taken.
    """
    token = token or uuid4()
    with node_session(database) as session:
        connection = psycopg_connection(session)
        # A lease that a crash of the server undoes is taken again, so nobody has to wait for the disk.
        connection.execute("SET LOCAL synchronous_commit = off")
        row = connection.execute(
            "SELECT kind, tenant_role, payload, attempts, request_id, suspicion, traceparent,"
            " extract(epoch FROM deadline - now())::float8"
            " FROM node.jobs WHERE id = %s AND state = 'sent' FOR UPDATE SKIP LOCKED",
            (job_id,),
        ).fetchone()
        if row is None:
            return None
        name, role, payload, attempts, request_id, suspicion, traceparent, seconds = row
        if admits is not None and not admits(role):
            connection.execute(
                "UPDATE node.jobs SET state = 'queued', run_after = now() + %s, updated_at = now() WHERE id = %s",
                (SHARE_DELAY, job_id),
            )
            return None
        if suspicion > up_to:
            return Suspect(job_id, database, suspicion)
        try:
            kind = bounds_of(name)
        except LookupError as error:
            raise UnknownKindError(str(error)) from error
        connection.execute(
            "UPDATE node.jobs SET state = 'running', lease_token = %s, lease_until = now() + %s,"
            " deliveries = deliveries + 1, started_at = coalesce(started_at, now()), updated_at = now() WHERE id = %s",
            (token, kind.lease, job_id),
        )
    return Lease(job_id, token, database, role, kind, payload, attempts, request_id, traceparent, seconds)


def hold(cursor: psycopg.Cursor[Any], lease: Lease) -> LeaseState:
    """Lock the job's row in the tenant's transaction, and prolong the lease.

    While the transaction lasts, the lock keeps other workers from taking the job, even after the lease ran out.

    Returns:
        ``held``; ``lost`` if another worker has the job or it ended; ``late`` after its deadline; ``cancelled`` if
        somebody cancelled it.
    """
    row = cursor.execute(
        "UPDATE node.jobs SET lease_until = now() + %s, updated_at = now()"
        " WHERE id = %s AND lease_token = %s AND state = 'running' RETURNING CASE"
        " WHEN EXISTS (SELECT FROM node.job_cancellations c WHERE c.job_id = jobs.id) THEN 'cancelled'"
        " WHEN deadline <= now() THEN 'late' ELSE 'held' END",
        (lease.kind.lease, lease.job_id, lease.token),
    ).fetchone()
    state: LeaseState = "lost" if row is None else row[0]
    return state


def finish(cursor: psycopg.Cursor[Any], lease: Lease, result: dict[str, Any] | None = None) -> bool:
    """Mark the job done in the transaction of its effect; False if the lease is lost.

    Args:
        cursor: in the transaction.
        lease: the job.
        result: what to store as its result, sealed; None if it has none.
    """
    stored, keep = (None, None) if result is None else (Jsonb(result), lease.kind.keep_result)
    cursor.execute(
        "UPDATE node.jobs SET state = 'done', lease_token = NULL, lease_until = NULL, finished_at = now(),"
        " updated_at = now(), result = %s, result_until = now() + %s"
        " WHERE id = %s AND lease_token = %s AND state = 'running'",
        (stored, keep, lease.job_id, lease.token),
    )
    return cursor.rowcount == 1


def progress(cursor: psycopg.Cursor[Any], lease: Lease, done: int, total: int | None, note: str) -> None:
    """Store the progress of the job."""
    cursor.execute(
        "UPDATE node.jobs SET progress_done = %s, progress_total = %s, progress_note = %s, updated_at = now()"
        " WHERE id = %s AND lease_token = %s AND state = 'running'",
        (done, total, note or None, lease.job_id, lease.token),
    )


def prolong(leases: Sequence[Lease], database: str) -> set[UUID]:
    """Prolong the leases of running jobs in one statement.

    Returns:
        The tokens of lost leases. A row that the job's own transaction has locked does not count as lost.
    """
    with node_session(database) as session:
        rows = (
            psycopg_connection(session)
            .execute(
                """
            WITH mine AS (
                SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::interval[]) AS mine (id, token, lease)
            ), free AS (
                SELECT jobs.id FROM node.jobs JOIN mine ON mine.id = jobs.id AND mine.token = jobs.lease_token
                WHERE jobs.state = 'running' FOR UPDATE OF jobs SKIP LOCKED
            ), prolonged AS (
                UPDATE node.jobs SET lease_until = now() + mine.lease, updated_at = now() FROM mine
                WHERE jobs.id = mine.id AND jobs.id IN (SELECT id FROM free)
            )
            SELECT mine.token FROM mine
            WHERE NOT EXISTS (
                SELECT FROM node.jobs
                WHERE jobs.id = mine.id AND jobs.lease_token = mine.token AND jobs.state = 'running'
            )
            """,
                ([one.job_id for one in leases], [one.token for one in leases], [one.kind.lease for one in leases]),
            )
            .fetchall()
        )
    return {row[0] for row in rows}


def give_back(hold: Hold, *, delay: timedelta = timedelta(0), why: str | None = None) -> bool:
    """Put the job back without counting a try (its worker stops, its tenant is suspended).

    Args:
        hold: the lease of the job.
        delay: time that the job waits.
        why: text for the row's ``error``; None leaves the column unchanged.
    """
    with node_session(hold.database) as session:
        cursor = psycopg_connection(session).execute(
            "UPDATE node.jobs SET state = 'queued', lease_token = NULL, lease_until = NULL,"
            " deliveries = deliveries - 1, run_after = now() + %s, updated_at = now(), error = coalesce(%s, error)"
            " WHERE id = %s AND lease_token = %s AND state = 'running'",
            (delay, why, hold.job_id, hold.token),
        )
        return cursor.rowcount == 1


def let_go(hold: Hold) -> bool:
    """Put the job back after losing the database, without counting a try; the delays grow up to ten minutes."""
    with node_session(hold.database) as session:
        cursor = psycopg_connection(session).execute(
            "UPDATE node.jobs SET state = 'queued', lease_token = NULL, lease_until = NULL, updated_at = now(),"
            " error = 'the connection to its database broke off', run_after = now() + CASE WHEN deliveries > 1"
            " THEN interval '10 s' * least(power(2, deliveries - 2), 60) ELSE interval '0' END"
            " WHERE id = %s AND lease_token = %s AND state = 'running'",
            (hold.job_id, hold.token),
        )
        return cursor.rowcount == 1
