"""Asking for a job, in the transaction that makes it necessary."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg.types.json import Jsonb
from uuid_utils.compat import uuid7

from core.database import TenantRequired, TenantSession
from core.jobs.registry import kind_of

if TYPE_CHECKING:
    import psycopg

LARGEST_PAYLOAD = 100_000
"""Characters of JSON: a payload names what to work on, it does not carry it."""

_INSERT = """
INSERT INTO node.jobs
    (id, tenant_id, tenant_role, kind, payload, dedupe_key, run_after, max_attempts, requested_by, request_id)
VALUES (%s, %s, current_user, %s, %s, %s, coalesce(%s, now()), %s, %s, %s)
ON CONFLICT (tenant_role, kind, dedupe_key)
    WHERE dedupe_key IS NOT NULL AND state IN ('queued', 'sent', 'running') DO NOTHING
RETURNING id
"""
_SAME = """
SELECT id FROM node.jobs
WHERE tenant_role = current_user AND kind = %s AND dedupe_key = %s AND state IN ('queued', 'sent', 'running')
"""
_SOONER = """
UPDATE node.jobs SET run_after = coalesce(%s, now()), updated_at = now()
WHERE id = %s AND state = 'queued' AND run_after > coalesce(%s, now())
"""


def enqueue(
    session: TenantSession,
    kind: str,
    payload: dict[str, Any],
    *,
    run_after: datetime | None = None,
    dedupe_key: str | None = None,
) -> UUID:
    """Ask for a job of the session's tenant. It is there when the caller's transaction commits, and only then.

    Args:
        session: the caller's transaction; its tenant is the job's.
        kind: what is to be run.
        payload: what to work on, by ids and settings: never a person's data, it is seen by operators.
        run_after: not before this instant; at once when None.
        dedupe_key: while a job of this tenant and kind with the same key waits or runs, none is added; one that was to
            wait for longer is brought forward.

    Returns:
        The job's id; that of the job that is there already, where ``dedupe_key`` says so.

    Raises:
        TenantRequired: ``session`` is no tenant's.
        LookupError: no feature registers the kind.
        ValueError: the payload is too large, or ``run_after`` has no time zone.
    """
    within: object = session
    if not isinstance(within, TenantSession):
        message = f"a job needs a tenant: {kind!r} was asked for outside of a tenant's session"
        raise TenantRequired(message)
    found = kind_of(kind)
    if run_after is not None and run_after.tzinfo is None:
        message = "run_after needs a time zone"
        raise ValueError(message)
    body = Jsonb(payload)
    if len(str(payload)) > LARGEST_PAYLOAD:
        message = f"the payload of {kind!r} is over {LARGEST_PAYLOAD} characters: store the data and name it"
        raise ValueError(message)
    asked_by = (session.actor, session.request_id)
    values = (uuid7(), session.tenant.id, kind, body, dedupe_key, run_after, found.max_attempts, *asked_by)
    with session.cursor() as cursor:
        while True:
            added = _first(cursor.execute(_INSERT, values))
            if added is not None:
                return added
            there = _first(cursor.execute(_SAME, (kind, dedupe_key)))
            if there is not None:
                cursor.execute(_SOONER, (run_after, there, run_after))
                return there
            # It ended between the two statements: ask again.


def _first(cursor: psycopg.Cursor[Any]) -> UUID | None:
    row = cursor.fetchone()
    return None if row is None else UUID(str(row[0]))
