"""The statements on a job's row that its worker makes: take, keep, finish, give back, fail.

All but ``hold`` and ``finish`` are the application's own, since they are not part of the tenant's work. Times are the
database's, so that workers need not agree on the clock.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from uuid_utils.compat import uuid7

from core.database import DEFAULT_DATABASE, node_session, psycopg_connection
from core.jobs.registry import JobKind, kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

LONGEST_BACKOFF = timedelta(minutes=10)
UNKNOWN_KIND_DELAY = timedelta(minutes=1)
_JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Lease:
    """A job in the hands of this worker."""

    job_id: UUID
    token: UUID
    database: str
    tenant_role: str
    kind: JobKind
    payload: dict[str, Any]
    attempts: int
    request_id: str | None


def take(job_id: UUID, database: str = DEFAULT_DATABASE) -> Lease | None:
    """Take the job's lease, if it waits to be taken: a second message for the same job finds nothing to do."""
    token = uuid4()
    with node_session(database) as session:
        connection = psycopg_connection(session)
        row = connection.execute(
            "SELECT kind, tenant_role, payload, attempts, request_id FROM node.jobs"
            " WHERE id = %s AND state = 'sent' FOR UPDATE SKIP LOCKED",
            (job_id,),
        ).fetchone()
        if row is None:
            return None
        name, role, payload, attempts, request_id = row
        try:
            kind = kind_of(name)
        except LookupError as error:
            # A worker of an older version: one that knows the kind may come.
            _fail(connection, job_id, None, str(error), UNKNOWN_KIND_DELAY)
            return None
        connection.execute(
            "UPDATE node.jobs SET state = 'running', lease_token = %s, lease_until = now() + %s,"
            " deliveries = deliveries + 1, started_at = coalesce(started_at, now()), updated_at = now() WHERE id = %s",
            (token, kind.lease, job_id),
        )
    return Lease(job_id, token, database, role, kind, payload, attempts, request_id)


def hold(cursor: psycopg.Cursor[Any], lease: Lease) -> bool:
    """Within the tenant's transaction: lock the job's row and prolong the lease; False when it is no longer ours.

    The lock is the fence: while the transaction lasts nobody takes the job away, however late the lease.
    """
    cursor.execute(
        "UPDATE node.jobs SET lease_until = now() + %s, updated_at = now()"
        " WHERE id = %s AND lease_token = %s AND state = 'running'",
        (lease.kind.lease, lease.job_id, lease.token),
    )
    return cursor.rowcount == 1


def finish(cursor: psycopg.Cursor[Any], lease: Lease) -> bool:
    """Mark the job done, within the transaction of its effect; False when the lease is no longer ours."""
    cursor.execute(
        "UPDATE node.jobs SET state = 'done', lease_token = NULL, lease_until = NULL, finished_at = now(),"
        " updated_at = now() WHERE id = %s AND lease_token = %s AND state = 'running'",
        (lease.job_id, lease.token),
    )
    return cursor.rowcount == 1


def progress(cursor: psycopg.Cursor[Any], lease: Lease, done: int, total: int | None, note: str) -> None:
    """Say how far the job is."""
    cursor.execute(
        "UPDATE node.jobs SET progress_done = %s, progress_total = %s, progress_note = %s, updated_at = now()"
        " WHERE id = %s AND lease_token = %s AND state = 'running'",
        (done, total, note or None, lease.job_id, lease.token),
    )


def prolong(leases: Sequence[Lease], database: str) -> set[UUID]:
    """Prolong the leases of running jobs in one statement.

    Returns:
        The tokens that are no longer ours. A row that a transaction of the job itself has locked counts as ours.
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


def give_back(lease: Lease, *, delay: timedelta = timedelta(0)) -> bool:
    """Put the job back as if it had not been taken (its worker stops, its tenant is suspended)."""
    with node_session(lease.database) as session:
        cursor = psycopg_connection(session).execute(
            "UPDATE node.jobs SET state = 'queued', lease_token = NULL, lease_until = NULL,"
            " deliveries = deliveries - 1, run_after = now() + %s, updated_at = now()"
            " WHERE id = %s AND lease_token = %s AND state = 'running'",
            (delay, lease.job_id, lease.token),
        )
        return cursor.rowcount == 1


def let_go(lease: Lease) -> None:
    """End the lease now: the relay counts an interruption and queues the job again, as if its worker had vanished."""
    with node_session(lease.database) as session:
        psycopg_connection(session).execute(
            "UPDATE node.jobs SET lease_until = now(), updated_at = now()"
            " WHERE id = %s AND lease_token = %s AND state = 'running'",
            (lease.job_id, lease.token),
        )


def fail(lease: Lease, error: str, *, final: bool = False) -> str | None:
    """Count a try that ended in an error: try again later, or bury.

    Args:
        lease: the job.
        error: kind and place of the error, without values.
        final: trying again would end the same way.

    Returns:
        The job's state: ``queued``, ``dead``, or None when the lease is no longer ours.
    """
    doubled = lease.kind.backoff * 2 ** min(lease.attempts, 16)
    delay = min(doubled, LONGEST_BACKOFF) * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads load, keeps no secret
    with node_session(lease.database) as session:
        return _fail(psycopg_connection(session), lease.job_id, lease.token, error, delay, final=final)


def _fail(
    connection: psycopg.Connection[Any],
    job_id: UUID,
    token: UUID | None,
    error: str,
    delay: timedelta,
    *,
    final: bool = False,
) -> str | None:
    row = connection.execute(
        """
        UPDATE node.jobs SET
            attempts = attempts + 1, error = %(error)s, lease_token = NULL, lease_until = NULL, updated_at = now(),
            state = CASE WHEN %(final)s OR attempts + 1 >= max_attempts THEN 'dead' ELSE 'queued' END,
            finished_at = CASE WHEN %(final)s OR attempts + 1 >= max_attempts THEN now() END,
            run_after = now() + %(delay)s
        WHERE id = %(id)s AND lease_token IS NOT DISTINCT FROM %(token)s AND state IN ('sent', 'running')
        RETURNING state
        """,
        {"error": error, "final": final, "delay": delay, "id": job_id, "token": token},
    ).fetchone()
    if row is None:
        return None
    if row[0] == "dead":
        bury(connection, [job_id], "refused" if final else "attempts")
    return str(row[0])


def bury(connection: psycopg.Connection[Any], job_ids: Sequence[UUID], reason: str) -> None:
    """Add the dead letters of jobs that have just been given up."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO node.dead_letters"
            " (id, job_id, tenant_id, tenant_role, kind, payload, reason, error, attempts, deliveries)"
            " SELECT %s, id, tenant_id, tenant_role, kind, payload, %s, error, attempts, deliveries"
            " FROM node.jobs WHERE id = %s",
            [(uuid7(), reason, job_id) for job_id in job_ids],
        )
