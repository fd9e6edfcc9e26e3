"""Operators' view of jobs and dead letters; ``decisions`` retries and discards them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.rows import dict_row

from core.database import databases, node_session, psycopg_connection
from core.errors import AppError, NotFound, phrase
from core.jobs import payloads
from core.jobs.bounds import PLATFORM_ROLE
from core.jobs.masking import masked

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantRef

STATES = ("queued", "sent", "running", "done", "dead", "discarded", "cancelled")
_LISTED = (
    f"id, kind, state, CASE WHEN tenant_role <> '{PLATFORM_ROLE}' THEN tenant_id END AS tenant_id, attempts,"
    " deliveries, interruptions, progress_done, progress_total, error, run_after, created_at, finished_at,"
    " (failures #>> '{first,at}')::timestamptz AS first_failed_at,"
    " (failures #>> '{last,at}')::timestamptz AS last_failed_at"
)


def find(
    *,
    state: str | None = None,
    tenant: TenantRef | None = None,
    platform: bool = False,
    kind: str | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Return the newest jobs that match all conditions, newest first.

    Args:
        state: only jobs in this state.
        tenant: only jobs of this tenant.
        platform: only jobs of the platform itself.
        kind: only jobs of this kind.
        limit: most jobs to return.

    Returns:
        Rows; those of the platform's jobs have None as ``tenant_id``.

    Raises:
        Unavailable: a database cannot be reached, or this process does not know the tenant's.
    """
    role = PLATFORM_ROLE if platform else tenant.role_name if tenant else None
    chosen = {"state": state, "role": role, "kind": kind, "limit": limit}
    rows: list[dict[str, Any]] = []
    for database in (tenant.database,) if tenant else databases():
        with node_session(database) as session, psycopg_connection(session).cursor(row_factory=dict_row) as cursor:
            cursor.execute(
                f"SELECT {_LISTED} FROM node.jobs"  # noqa: S608 - constant columns
                " WHERE (%(state)s::text IS NULL OR state = %(state)s)"
                " AND (%(role)s::text IS NULL OR tenant_role = %(role)s)"
                " AND (%(kind)s::text IS NULL OR kind = %(kind)s)"
                " ORDER BY id DESC LIMIT %(limit)s",
                chosen,
            )
            rows.extend(cursor.fetchall())
    return sorted(rows, key=lambda row: row["id"], reverse=True)[:limit]


def show(job_id: UUID) -> dict[str, Any]:
    """Return all facts about one job, with its dead letters. Personal fields of its payload are hidden.

    Raises:
        NotFound: there is no such job.
    """
    for database in databases():
        with node_session(database) as session, psycopg_connection(session).cursor(row_factory=dict_row) as cursor:
            row = cursor.execute("SELECT * FROM node.jobs WHERE id = %s", (job_id,)).fetchone()
            if row is not None:
                cursor.execute(
                    "SELECT reason, error, failures, attempts, deliveries, died_at, resolution, resolved_at,"
                    " resolved_by, resolution_reason FROM node.dead_letters WHERE job_id = %s ORDER BY id",
                    (job_id,),
                )
                shown = {name: value for name, value in row.items() if name not in {"lease_token", "tenant_role"}}
                shown["tenant_id"] = None if row["tenant_role"] == PLATFORM_ROLE else row["tenant_id"]
                shown.pop("result")
                letters = cursor.fetchall()
                break
    else:
        raise unknown(job_id)
    try:
        shown["payload"] = masked(payloads.open_payload(row))
    except AppError as error:
        shown["payload"] = {"problem": error.detail}
    return {**shown, "dead_letters": letters}


def unknown(job_id: UUID) -> NotFound:
    """The error for a job that no database has."""
    detail = phrase("there is no job {job_id}", job_id=job_id)
    return NotFound(detail, remedy="See GET /v1/jobs.", command="see `iit jobs list`")
