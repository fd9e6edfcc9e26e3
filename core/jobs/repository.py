"""Reads the jobs of one tenant; row policies hide those of other tenants."""

from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from core.database import TenantSession, psycopg_connection
from core.errors import NotFound, phrase
from core.jobs.bounds import RANKS
from core.jobs.payloads import open_within
from core.jobs.schemas import JobOut, JobState, ProgressOut
from core.web.keyset import Slice, cut, keyset_sql
from core.web.paging import PageRequest

_SHOWN: dict[str, JobState] = {
    "queued": "queued",
    "sent": "queued",
    "running": "running",
    "done": "done",
    "dead": "failed",
    "discarded": "discarded",
    "cancelled": "cancelled",
}
_PRIORITIES = {rank: name for name, rank in RANKS.items()}
_COLUMNS = (
    "id, kind, state, progress_done, progress_total, progress_note, attempts, error, priority, run_after,"
    " deadline, created_at, started_at, finished_at, state = 'running' AND EXISTS (SELECT FROM node.job_cancellations c"
    " WHERE c.job_id = jobs.id) AS cancelling,"
    " CASE WHEN result_until > now() THEN result END AS result,"
    " CASE WHEN result_until > now() THEN result_until END AS result_until"
)


def get_job(session: TenantSession, job_id: UUID) -> JobOut:
    """Return one job.

    Raises:
        NotFound: the tenant has no such job.
    """
    with psycopg_connection(session).cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(f"SELECT {_COLUMNS} FROM node.jobs WHERE id = %s", (job_id,)).fetchone()  # noqa: S608 - constant
    if row is None:
        detail = phrase("there is no job {job_id}", job_id=job_id)
        raise NotFound(detail)
    return _shown(session, row)


def latest_job(session: TenantSession, kind: str, dedupe_key: str) -> JobOut | None:
    """Return the newest job of a kind and key; None if there is none, or if retention removed its row."""
    query = f"SELECT {_COLUMNS} FROM node.jobs WHERE kind = %s AND dedupe_key = %s ORDER BY id DESC LIMIT 1"  # noqa: S608 - constant
    with psycopg_connection(session).cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query, (kind, dedupe_key)).fetchone()
    return None if row is None else _shown(session, row)


def list_jobs(
    session: TenantSession, paging: PageRequest, *, kind: str | None = None, state: JobState | None = None
) -> Slice[JobOut]:
    """Return one page of the tenant's jobs, and their total."""
    stored = None if state is None else [name for name, shown in _SHOWN.items() if shown == state]
    part = keyset_sql(paging, {"id": "id"}, "id")
    chosen = {"kind": kind, "states": stored, **part.values}
    where = "(%(kind)s::text IS NULL OR kind = %(kind)s) AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s))"
    with psycopg_connection(session).cursor(row_factory=dict_row) as cursor:
        counted = cursor.execute(f"SELECT count(*) AS total FROM node.jobs WHERE {where}", chosen).fetchone()  # noqa: S608
        rows = cursor.execute(
            f"SELECT {_COLUMNS} FROM node.jobs WHERE {where} AND {part.where} ORDER BY {part.order}",  # noqa: S608
            chosen,
        ).fetchall()
    jobs = [_shown(session, row) for row in rows]
    return cut(jobs, paging, int(counted["total"]) if counted else 0, lambda job: (job.id, job.id))


def _shown(session: TenantSession, row: dict[str, Any]) -> JobOut:
    result = None if row["result"] is None else open_within(session, row["id"], row["result"], part="result")
    progress = ProgressOut(done=row["progress_done"], total=row["progress_total"], note=row["progress_note"])
    values = {name: row[name] for name in JobOut.model_fields if name in row}
    words = {"state": _SHOWN[row["state"]], "priority": _PRIORITIES[row["priority"]]}
    return JobOut(**{**values, **words, "progress": progress, "result": result})
