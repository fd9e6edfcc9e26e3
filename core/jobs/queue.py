"""Enqueues jobs in the transaction that makes them necessary."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg.types.json import Jsonb
from uuid_utils.compat import uuid7

from core.database import TenantRequired, TenantSession, psycopg_connection
from core.database.engines import application_engine
from core.events.wakes import wake_after_commit
from core.jobs import payloads
from core.jobs.bounds import PLATFORM_ID, PLATFORM_ROLE, RANKS, Priority
from core.jobs.registry import kind_of
from core.tracing import traceparent

if TYPE_CHECKING:
    import psycopg
    from sqlmodel import Session

    from core.jobs.registry import JobKind

LARGEST_PAYLOAD = payloads.LARGEST

_INSERT = """
INSERT INTO node.jobs
    (id, tenant_id, tenant_role, kind, payload, dedupe_key, run_after, priority, deadline, max_attempts, requested_by,
    request_id, traceparent)
VALUES (%s, %s, coalesce(%s::text, current_user), %s, %s, %s, coalesce(%s, now()), %s, %s, %s, %s, %s, %s)
ON CONFLICT (tenant_role, kind, dedupe_key)
    WHERE dedupe_key IS NOT NULL AND state IN ('queued', 'sent', 'running') DO NOTHING
RETURNING id
"""
_SAME = """
SELECT id FROM node.jobs
WHERE tenant_role = coalesce(%s::text, current_user) AND kind = %s AND dedupe_key = %s
    AND state IN ('queued', 'sent', 'running')
"""
_SOONER = """
UPDATE node.jobs SET run_after = coalesce(%s, now()), updated_at = now()
WHERE id = %s AND state = 'queued' AND run_after > coalesce(%s, now())
"""


@dataclass(frozen=True, slots=True)
class _Wishes:
    """When and in which order a job runs; see ``enqueue``."""

    run_after: datetime | None
    deadline: datetime | None
    priority: Priority | None
    dedupe_key: str | None


def enqueue(
    session: TenantSession,
    kind: str,
    payload: dict[str, Any],
    *,
    run_after: datetime | None = None,
    deadline: datetime | None = None,
    priority: Priority | None = None,
    dedupe_key: str | None = None,
) -> UUID:
    """Enqueue a job for the session's tenant. The job exists once the caller's transaction commits.

    Args:
        session: the caller's transaction; the job belongs to its tenant.
        kind: the kind of job.
        payload: ids and settings for the job. The database stores it encrypted. Operators see it with personal fields
            hidden, so name fields by what they hold.
        run_after: earliest time to run; at once when None.
        deadline: if the job has not ended by then, it is given up, with reason ``deadline``. None: it waits on.
        priority: order among the tenant's own jobs; that of the kind when None.
        dedupe_key: while a job of this tenant and kind with the same key waits or runs, none is added. If it waits for
            a later time than ``run_after``, it is brought forward.

    Returns:
        The job's id; with ``dedupe_key``, perhaps the id of the job that exists already.

    Raises:
        TenantRequired: ``session`` is not a tenant's.
        LookupError: no feature registers the kind.
        ValueError: the kind is the platform's, the payload is too large, or a time has no zone.
    """
    within: object = session
    if not isinstance(within, TenantSession):
        message = f"a job needs a tenant: {kind!r} was enqueued outside of a tenant's session"
        raise TenantRequired(message)
    known = kind_of(kind)
    if known.platform:
        message = f"{kind!r} is a kind of the platform's jobs: a tenant cannot enqueue one"
        raise ValueError(message)
    requested_by = (session.actor, session.request_id)
    owner = (session.tenant.id, None)
    wishes = _Wishes(run_after, deadline, priority, dedupe_key)
    return _enqueue(session, known, payload, owner, requested_by, wishes)


def enqueue_platform(
    session: Session,
    kind: str,
    payload: dict[str, Any],
    *,
    actor: str,
    run_after: datetime | None = None,
    deadline: datetime | None = None,
    priority: Priority | None = None,
    dedupe_key: str | None = None,
) -> UUID:
    """Enqueue a job of the platform, which has no tenant.

    Args:
        session: a transaction of the application in the control database (``platform_session``).
        kind: a kind that ``platform_job`` registers.
        payload: ids and settings for the job.
        actor: the actor that enqueues it.
        run_after: earliest time to run; at once when None.
        deadline: as for ``enqueue``.
        priority: as for ``enqueue``.
        dedupe_key: as for ``enqueue``.

    Raises:
        LookupError: no feature registers the kind.
        ValueError: the kind is not the platform's, ``session`` is a tenant's or of another database, the payload is too
            large, or a time has no zone.
    """
    known = kind_of(kind)
    if not known.platform:
        message = f"{kind!r} is a kind of tenants' jobs: enqueue it in a session of a tenant"
        raise ValueError(message)
    if isinstance(session, TenantSession) or session.get_bind().engine is not application_engine():
        message = f"jobs of the platform are enqueued in the control database: open {kind!r}'s in platform_session()"
        raise ValueError(message)
    wishes = _Wishes(run_after, deadline, priority, dedupe_key)
    return _enqueue(session, known, payload, (PLATFORM_ID, PLATFORM_ROLE), (actor, None), wishes)


def _enqueue(
    session: Session,
    kind: JobKind,
    payload: dict[str, Any],
    owner: tuple[UUID, str | None],
    requested_by: tuple[str, str | None],
    wishes: _Wishes,
) -> UUID:
    """Add the job's row. Return its id, or the id of the job that exists with the same key.

    Args:
        session: of the job's owner; the caller's transaction.
        kind: the kind of job.
        payload: see ``enqueue``.
        owner: ``tenant_id`` and ``tenant_role``; None as role stands for the current one.
        requested_by: the actor, and the id of the request.
        wishes: when and in which order it runs.
    """
    for name, moment in (("run_after", wishes.run_after), ("deadline", wishes.deadline)):
        if moment is not None and moment.tzinfo is None:
            message = f"{name} needs a time zone"
            raise ValueError(message)
    if len(str(payload)) > LARGEST_PAYLOAD:
        message = f"the payload of {kind.name!r} is over {LARGEST_PAYLOAD} characters: store the data and name it"
        raise ValueError(message)
    rank = RANKS[wishes.priority or kind.priority]
    when = (wishes.dedupe_key, wishes.run_after, rank, wishes.deadline)
    job_id = uuid7()
    body = Jsonb(payloads.seal_within(session, job_id, payload))
    values = (job_id, *owner, kind.name, body, *when, kind.retry.attempts, *requested_by, traceparent())
    session.flush()
    wake_after_commit(session)
    cursor = psycopg_connection(session).cursor()
    while True:
        added = _first(cursor.execute(_INSERT, values))
        if added is not None:
            return added
        there = _first(cursor.execute(_SAME, (owner[1], kind.name, wishes.dedupe_key)))
        if there is not None:
            cursor.execute(_SOONER, (wishes.run_after, there, wishes.run_after))
            return there
        # It ended between the two statements: ask again.


def _first(cursor: psycopg.Cursor[Any]) -> UUID | None:
    row = cursor.fetchone()
    return None if row is None else UUID(str(row[0]))
