"""Ends of jobs (errors, vanished workers, limits of time, cancellation), and the announcement to their rooms.

A job that is given up becomes a dead letter. In the same transaction the room that registers its kind updates its own
rows (``on_end`` of the kind), so that none waits for ever for a dead job. After that, rooms may listen to the events
``jobs.given_up``, ``jobs.retried``, ``jobs.discarded`` and ``jobs.cancelled`` of tenants' jobs; see ``core.events``.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb
from uuid_utils.compat import uuid7

from core import telemetry
from core.database import TenantSession, node_session, psycopg_connection
from core.errors import NotFound, Unavailable
from core.events import publish
from core.events.operator_events import announce_dead_letter
from core.jobs import failures, payloads
from core.jobs.bounds import PLATFORM_ROLE
from core.jobs.job_end import JobEnd
from core.jobs.registry import kind_of
from core.tenancy import tenant_of_role

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from sqlmodel import Session

    from core.database import TenantRef
    from core.jobs.failures import Trace
    from core.jobs.job_end import Decision
    from core.jobs.leases import Hold, Lease

MAX_INTERRUPTIONS = 3
"""How many times a job may die alone or exceed its time limit. After the last time it is a dead letter."""

ANNOUNCE = "jobs.announce"
ANNOUNCE_PLATFORM = "jobs.announce_platform"
ANNOUNCE_ATTEMPTS = 8
"""Tries to announce a dead job again, after its room failed to handle the first announcement; see ``announcing``."""
ANNOUNCE_PAUSE = timedelta(seconds=10)

UNKNOWN_KIND_DELAY = timedelta(minutes=1)
DECISIONS: dict[str, Decision] = {"dead": "given_up", "cancelled": "cancelled"}
"""States in which nobody continues a job, and what its room hears."""

ENDED = "state, id AS job_id, tenant_role, kind, payload, error, request_id"

_FAIL = f"""
UPDATE node.jobs SET
    attempts = attempts + 1, error = %(error)s, lease_token = NULL, lease_until = NULL, updated_at = now(),
    state = CASE WHEN %(final)s OR attempts + 1 >= max_attempts THEN 'dead' ELSE 'queued' END,
    finished_at = CASE WHEN %(final)s OR attempts + 1 >= max_attempts THEN now() END,
    run_after = now() + %(delay)s, failures = {failures.recorded("%(error)s", "%(trace)s::jsonb")}
WHERE id = %(id)s AND lease_token IS NOT DISTINCT FROM %(token)s AND state IN ('sent', 'running')
RETURNING {ENDED}
"""  # noqa: S608 - constants

_VANISHED = (
    "CASE WHEN suspicion >= 2 THEN 'it died while nothing ran beside it (' || (interruptions + 1) || ' times)'"
    " ELSE 'its worker vanished' END"
)
VANISH = f"""
    suspicion = least(suspicion + 1, 2), interruptions = interruptions + CASE WHEN suspicion >= 2 THEN 1 ELSE 0 END,
    lease_token = NULL, lease_until = NULL, run_after = now(), updated_at = now(),
    state = CASE WHEN suspicion >= 2 AND interruptions + 1 >= %(most)s THEN 'dead' ELSE 'queued' END,
    finished_at = CASE WHEN suspicion >= 2 AND interruptions + 1 >= %(most)s THEN now() END,
    error = {_VANISHED}, failures = {failures.recorded(_VANISHED)}
"""
"""Columns of a job whose process vanished: raises the suspicion, and counts an interruption only if it ran alone."""

_BY_TOKEN = f"""
UPDATE node.jobs SET {VANISH} WHERE id = %(id)s AND lease_token = %(token)s AND state = 'running' RETURNING {ENDED}
"""  # noqa: S608 - constants
_BY_TIME = f"""
UPDATE node.jobs SET {VANISH} WHERE id IN (
    SELECT id FROM node.jobs WHERE id = %(id)s AND lease_until < now() AND state = 'running' FOR UPDATE SKIP LOCKED
)
RETURNING {ENDED}
"""  # noqa: S608 - constants

_OVERRAN = "'it took longer than its limit (' || (interruptions + 1) || ' times)'"
# The row is locked while a step is open: whoever waits for it here would keep no lease meanwhile.
_OVERRUN = f"""
UPDATE node.jobs SET
    interruptions = interruptions + 1, lease_token = NULL, lease_until = NULL, run_after = now(), updated_at = now(),
    state = CASE WHEN interruptions + 1 >= %(most)s THEN 'dead' ELSE 'queued' END,
    finished_at = CASE WHEN interruptions + 1 >= %(most)s THEN now() END,
    error = {_OVERRAN}, failures = {failures.recorded(_OVERRAN)}
WHERE id IN (
    SELECT id FROM node.jobs WHERE id = %(id)s AND lease_token = %(token)s AND state = 'running'
    FOR UPDATE SKIP LOCKED
)
RETURNING {ENDED}
"""  # noqa: S608 - constants

_MISS = f"""
UPDATE node.jobs SET
    state = 'dead', lease_token = NULL, lease_until = NULL, finished_at = now(), updated_at = now(),
    error = 'its deadline passed' || coalesce('; before that: ' || error, '')
WHERE id IN (
    SELECT id FROM node.jobs WHERE id = %(id)s AND deadline <= now()
        AND (state IN ('queued', 'sent') OR (state = 'running' AND lease_token = %(token)s))
    FOR UPDATE SKIP LOCKED
)
RETURNING {ENDED}
"""  # noqa: S608 - constants

_CANCEL = f"""
UPDATE node.jobs SET
    state = 'cancelled', lease_token = NULL, lease_until = NULL, finished_at = now(), updated_at = now(),
    error = 'it was cancelled'
WHERE id IN (
    SELECT id FROM node.jobs WHERE id = %(id)s
        AND (state IN ('queued', 'sent') OR (state = 'running' AND lease_token = %(token)s))
    FOR UPDATE SKIP LOCKED
)
RETURNING {ENDED}
"""  # noqa: S608 - constants
_HEEDED = "DELETE FROM node.job_cancellations WHERE job_id = %s"

_BURY = """
INSERT INTO node.dead_letters
    (id, job_id, tenant_id, tenant_role, kind, payload, reason, error, failures, attempts, deliveries)
SELECT %s, id, tenant_id, tenant_role, kind, payload, %s, error, failures, attempts, deliveries
FROM node.jobs WHERE id = %s
"""

_ANNOUNCE_AGAIN = """
INSERT INTO node.jobs (id, tenant_id, tenant_role, kind, payload, run_after, max_attempts, requested_by, request_id)
SELECT %s, tenant_id, tenant_role, %s, %s, now() + %s, %s, 'job:' || id, request_id FROM node.jobs WHERE id = %s
"""

log = telemetry.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EndedJob:
    """The row of a job after a try failed, or after an operator decided about a dead job.

    Attributes:
        state: what it is now: ``queued``, ``dead``, ``discarded`` or ``cancelled``.
        error: kind and place of the error, without values.
    """

    state: str
    job_id: UUID
    tenant_role: str
    kind: str
    payload: dict[str, Any]
    error: str | None
    request_id: str | None


def fail(lease: Lease, error: str, *, final: bool = False, trace: Trace | None = None) -> str | None:
    """Count a try that ended in an error, and queue the job again or give it up.

    Args:
        lease: the job.
        error: kind and place of the error, without values.
        trace: the frames of the error.
        final: whether the next try would end the same way.

    Returns:
        The job's state: ``queued``, ``dead``, or None when the lease is no longer ours.

    Raises:
        Unavailable: the database is not there, or the tenant is being moved. Nothing has been changed.
    """
    delay = lease.kind.retry.delay(lease.attempts + 1)
    values = {"error": error, "final": final, "delay": delay, "id": lease.job_id, "token": lease.token}
    values["trace"] = None if trace is None else Jsonb(trace)
    return _end(lease.database, _FAIL, values, "refused" if final else "attempts")


def fail_unknown(job_id: UUID, database: str, error: str) -> str | None:
    """Count a try of a job whose kind this worker does not know; a newer worker may know it."""
    values = {"error": error, "final": False, "delay": UNKNOWN_KIND_DELAY, "id": job_id, "token": None, "trace": None}
    return _end(database, _FAIL, values, "attempts")


def vanish(hold: Hold) -> str | None:
    """Handle the death of a job's own process; return the job's state, or None if the lease was lost.

    Raises the suspicion against the job. Counts an interruption only if the job ran alone.
    """
    values = {"id": hold.job_id, "token": hold.token, "most": MAX_INTERRUPTIONS}
    return _end(hold.database, _BY_TOKEN, values, "interruptions")


def vanish_expired(job_id: UUID, database: str) -> str | None:
    """Handle a job whose lease ran out, because its worker vanished; see :func:`vanish`."""
    return _end(database, _BY_TIME, {"id": job_id, "most": MAX_INTERRUPTIONS}, "interruptions")


def overrun(lease: Lease) -> str | None:
    """End the try of a job that exceeded its kind's time limit, and count an interruption.

    Returns:
        ``queued`` if the job runs again, ``dead`` after ``MAX_INTERRUPTIONS``; None if the lease was lost, or while a
        step is open.
    """
    values = {"id": lease.job_id, "token": lease.token, "most": MAX_INTERRUPTIONS}
    return _end(lease.database, _OVERRUN, values, "interruptions")


def miss_deadline(job_id: UUID, database: str, token: UUID | None = None) -> str | None:
    """Give up a job whose deadline has passed.

    Args:
        job_id: the job.
        database: the database of its row.
        token: the lease of a running job; None: the job waits.

    Returns:
        ``dead``, or None if it ended before, runs elsewhere, or has a step open.
    """
    return _end(database, _MISS, {"id": job_id, "token": token}, "deadline")


def cancel(job_id: UUID, database: str, token: UUID | None = None) -> str | None:
    """End a job that was cancelled; the arguments and the result are those of :func:`miss_deadline`."""
    return _end(database, _CANCEL, {"id": job_id, "token": token}, "")


def cancel_within(session: Session, job_id: UUID) -> bool:
    """End a job that waits, in a session of its owner. Return False if it does not wait."""
    cursor = psycopg_connection(session).cursor(row_factory=class_row(EndedJob))
    ended = cursor.execute(_CANCEL.encode(), {"id": job_id, "token": None}).fetchone()
    if ended is not None:
        announce(session, "cancelled", ended)
    return ended is not None


def announce(session: Session, decision: Decision, ended: EndedJob, reason: str = "") -> None:
    """Call ``on_end`` of the job's kind, and publish the event of a tenant's job, in this transaction.

    Args:
        session: a session of the job's tenant, or of the application for a job of the platform.
        decision: the decision about the job.
        ended: the job.
        reason: the reason for giving it up.
    """
    try:
        on_end = kind_of(ended.kind).on_end
    except LookupError:
        on_end = None  # a worker of another release knows the kind
    listening = isinstance(session, TenantSession)
    payload = payloads.open_within(session, ended.job_id, ended.payload) if on_end is not None or listening else {}
    if on_end is not None:
        on_end(session, JobEnd(decision, ended.job_id, ended.kind, payload, reason, ended.error))
    if isinstance(session, TenantSession):
        event = {"job_id": ended.job_id, "kind": ended.kind, "payload": payload, "error": ended.error}
        publish(session, f"jobs.{decision}", {**event, "reason": reason} if reason else event)


@contextmanager
def as_owner(
    session: Session, ended: EndedJob, tenant: TenantRef | None, *, actor: str, request_id: str | None
) -> Iterator[Session | None]:
    """Continue a transaction of the application as the job's owner. Write to ``node`` before this, not after.

    Args:
        session: a transaction of the application in ``node``.
        ended: the job.
        tenant: the tenant of the job; None if the tenant is gone, or for a job of the platform.
        actor: who acts.
        request_id: the request that it serves.

    Yields:
        A session of the tenant; the application's for a job of the platform; None where the tenant is gone.
    """
    if ended.tenant_role == PLATFORM_ROLE:
        yield session
        session.flush()
    elif tenant is None:
        yield None
    else:
        with TenantSession(session.connection(), tenant, actor=actor, request_id=request_id) as within:
            yield within
            within.flush()


def tenant_of_job(session: Session, job_id: UUID) -> TenantRef | None:
    """Return the tenant of a job; None if the job or its tenant no longer exists, or the platform owns the job.

    Raises:
        TenantMoving: it is being moved: nothing can be written for a moment.
    """
    row = psycopg_connection(session).execute("SELECT tenant_role FROM node.jobs WHERE id = %s", (job_id,)).fetchone()
    if row is None or row[0] == PLATFORM_ROLE:
        return None
    try:
        return tenant_of_role(str(row[0]))
    except NotFound:
        return None


def _end(database: str, statement: str, values: dict[str, object], reason: str) -> str | None:
    """Change the job's row by a statement, and return the new state; None if the statement changed no row.

    The same transaction adds a dead letter for a dead job, and announces dead and cancelled jobs. If the room fails,
    the transaction runs again without the announcement, and adds a job that repeats it.
    """
    with node_session(database) as session:
        tenant = tenant_of_job(session, UUID(str(values["id"])))
    try:
        return _end_at_once(database, statement, values, reason, tenant, announcing=True)
    except Unavailable:
        raise
    except Exception as error:
        # A feature that fails here must not keep the job from being given up, again and again.
        log.exception("a feature failed at the end of a job", error=type(error).__name__)
    return _end_at_once(database, statement, values, reason, tenant, announcing=False)


def _end_at_once(
    database: str,
    statement: str,
    values: dict[str, object],
    reason: str,
    tenant: TenantRef | None,
    *,
    announcing: bool,
) -> str | None:
    with node_session(database) as session:
        connection = psycopg_connection(session)
        cursor = connection.cursor(row_factory=class_row(EndedJob))
        ended = cursor.execute(statement.encode(), values).fetchone()
        if ended is None:
            return None
        if ended.state == "dead":
            connection.execute(_BURY, (uuid7(), reason, ended.job_id))
        decision = DECISIONS.get(ended.state)
        if decision is not None:
            connection.execute(_HEEDED, (ended.job_id,))
            if announcing:
                actor = f"job:{ended.job_id}"
                with as_owner(session, ended, tenant, actor=actor, request_id=ended.request_id) as within:
                    if within is not None:
                        announce(within, decision, ended, reason)
            elif tenant is not None or ended.tenant_role == PLATFORM_ROLE:
                _announce_later(connection, ended, reason)
    if ended.state == "dead":
        log.error("job given up", job_id=str(ended.job_id), job=ended.kind, reason=reason)
        announce_dead_letter(ended.job_id, ended.kind, reason, None if tenant is None else tenant.slug)
    return ended.state


def _announce_later(connection: psycopg.Connection[Any], ended: EndedJob, reason: str) -> None:
    """Add a job that repeats the announcement, unless the dead job is such a job itself."""
    if ended.kind in (ANNOUNCE, ANNOUNCE_PLATFORM):
        return
    kind = ANNOUNCE_PLATFORM if ended.tenant_role == PLATFORM_ROLE else ANNOUNCE
    payload = Jsonb({"job_id": str(ended.job_id), "reason": reason})
    connection.execute(_ANNOUNCE_AGAIN, (uuid7(), kind, payload, ANNOUNCE_PAUSE, ANNOUNCE_ATTEMPTS, ended.job_id))
