"""Operators' work with jobs: list, show, retry, discard. Rows contain ids and settings, never a person's data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row, dict_row

from core import audit
from core.audit.platform import record_act
from core.database import TenantSession, databases, node_session, psycopg_connection
from core.errors import Conflict, NotFound, phrase
from core.jobs import endings
from core.jobs.bounds import PLATFORM_ROLE

if TYPE_CHECKING:
    from uuid import UUID

    from sqlmodel import Session

    from core.database import TenantRef
    from core.jobs.job_end import Decision

STATES = ("queued", "sent", "running", "done", "dead", "discarded")
_VERBS: dict[Decision, str] = {"retried": "retry", "discarded": "discard"}
_LISTED = (
    f"id, kind, state, CASE WHEN tenant_role <> '{PLATFORM_ROLE}' THEN tenant_id END AS tenant_id, attempts,"
    " deliveries, interruptions, progress_done, progress_total, error, run_after, created_at, finished_at"
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
    """Return all facts about one job, with its dead letters.

    Raises:
        NotFound: there is no such job.
    """
    for database in databases():
        with node_session(database) as session, psycopg_connection(session).cursor(row_factory=dict_row) as cursor:
            row = cursor.execute("SELECT * FROM node.jobs WHERE id = %s", (job_id,)).fetchone()
            if row is not None:
                cursor.execute(
                    "SELECT reason, error, attempts, deliveries, died_at, resolution, resolved_at, resolved_by"
                    " FROM node.dead_letters WHERE job_id = %s ORDER BY id",
                    (job_id,),
                )
                shown = {name: value for name, value in row.items() if name not in {"lease_token", "tenant_role"}}
                shown["tenant_id"] = None if row["tenant_role"] == PLATFORM_ROLE else row["tenant_id"]
                return {**shown, "dead_letters": cursor.fetchall()}
    raise _unknown(job_id)


def retry(job_id: UUID, *, actor: str, source: str = "cli") -> None:
    """Queue a dead job again, its counters at zero.

    Raises:
        NotFound: there is no such job.
        Conflict: it is not dead, or the same work has been asked for again meanwhile.
    """
    _resolve(
        job_id,
        "state = 'queued', run_after = now(), attempts = 0, interruptions = 0, suspicion = 0, finished_at = NULL,"
        " updated_at = now()",
        "retried",
        actor,
        source,
    )


def discard(job_id: UUID, *, actor: str, source: str = "cli") -> None:
    """Give a dead job up for good.

    Raises:
        NotFound: there is no such job.
        Conflict: it is not dead.
    """
    _resolve(job_id, "state = 'discarded', updated_at = now()", "discarded", actor, source)


def dead_jobs(tenant: TenantRef | None = None) -> list[UUID]:
    """Ids of all dead jobs."""
    return [row["id"] for row in find(state="dead", tenant=tenant, limit=100_000)]


def _resolve(job_id: UUID, change: str, resolution: Decision, actor: str, source: str) -> None:
    """Change a dead job, record the decision on its dead letter, and announce it, in one transaction."""
    for database in databases():
        with node_session(database) as session:
            tenant = endings.tenant_of_job(session, job_id)
        with node_session(database) as session:
            connection = psycopg_connection(session)
            row = connection.execute(
                "SELECT state, EXISTS (SELECT FROM node.jobs other WHERE other.dedupe_key = jobs.dedupe_key"
                " AND other.tenant_role = jobs.tenant_role AND other.kind = jobs.kind"
                " AND other.state IN ('queued', 'sent', 'running'))"
                " FROM node.jobs WHERE id = %s FOR UPDATE",
                (job_id,),
            ).fetchone()
            if row is None:
                continue
            if row[0] != "dead":
                detail = phrase("the job {job_id} is {state}, not dead", job_id=job_id, state=row[0])
                raise Conflict(
                    detail,
                    remedy="Only dead jobs are retried or discarded.",
                    command="only dead jobs are retried or discarded: see `iit jobs list --state dead`",
                )
            if row[1] and resolution == "retried":
                detail = phrase("the work of job {job_id} was requested again in the meantime", job_id=job_id)
                raise Conflict(detail, remedy="Discard this one.", command="discard this one: `iit jobs discard`")
            cursor = connection.cursor(row_factory=class_row(endings.EndedJob))
            ended = cursor.execute(
                f"UPDATE node.jobs SET {change} WHERE id = %s RETURNING {endings.ENDED}",  # noqa: S608 - constants
                (job_id,),
            ).fetchone()
            connection.execute(
                "UPDATE node.dead_letters SET resolution = %s, resolved_at = now(), resolved_by = %s"
                " WHERE job_id = %s AND resolution IS NULL",
                (resolution, actor, job_id),
            )
            if ended is not None:
                with endings.as_owner(session, ended, tenant, actor=actor, request_id=None) as within:
                    if within is not None:
                        _record(within, f"{source}:job:{_VERBS[resolution]}", ended, actor)
                        endings.announce(within, resolution, ended)
            return
    raise _unknown(job_id)


def _record(session: Session, action: str, ended: endings.EndedJob, actor: str) -> None:
    """Add the act to the audit of the job's tenant; to the platform's where the job has no tenant."""
    if isinstance(session, TenantSession):
        audit.record(session, action, "job", ended.job_id, {"kind": ended.kind})
    else:
        detail = {"kind": ended.kind, "job_id": str(ended.job_id)}
        record_act(session, action, actor=actor, tenant_id=None, detail=detail)


def _unknown(job_id: UUID) -> NotFound:
    detail = phrase("there is no job {job_id}", job_id=job_id)
    return NotFound(detail, remedy="See GET /v1/jobs.", command="see `iit jobs list`")
