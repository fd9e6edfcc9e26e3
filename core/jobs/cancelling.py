"""Cancellation of jobs: a waiting job ends at once, a running one at its next step.

What the committed steps of a running job did stays. The room of the job hears of it through ``on_end``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from core import audit
from core.audit.platform import record_act
from core.database import TenantSession, databases, node_session, psycopg_connection, tenant_session
from core.errors import Conflict, NotFound, phrase
from core.jobs import endings
from core.jobs.bounds import PLATFORM_ROLE
from core.jobs.registry import kind_of

if TYPE_CHECKING:
    from uuid import UUID

    from sqlmodel import Session

ENDED: Final = ("done", "dead", "discarded")
Outcome = Literal["cancelled", "requested"]

_STATE: Final = "SELECT state, kind, tenant_role FROM node.jobs WHERE id = %s"
_REQUEST: Final = """
INSERT INTO node.job_cancellations (job_id, tenant_id, tenant_role, requested_by)
SELECT id, tenant_id, tenant_role, %s FROM node.jobs WHERE id = %s ON CONFLICT DO NOTHING
"""


def cancel(session: TenantSession, job_id: UUID, *, source: str = "api") -> Outcome:
    """Cancel a job of the session's tenant. A second call changes nothing.

    Args:
        session: the caller's transaction.
        job_id: the job.
        source: ``api``, ``cli`` or ``page``.

    Returns:
        ``cancelled``, or ``requested`` while the job runs: it ends before its next step, or is done if it has none.

    Raises:
        NotFound: the tenant has no such job.
        Conflict: the job has ended, or is of a kind that nobody cancels.
    """
    return _cancel(session, job_id, session.actor, source)


def cancel_any(job_id: UUID, *, actor: str, source: str = "cli") -> Outcome:
    """Cancel a job of any tenant, or of the platform, for an operator; see :func:`cancel`.

    Raises:
        NotFound: there is no such job.
        Conflict: the job has ended, or is of a kind that nobody cancels.
    """
    for database in databases():
        with node_session(database) as session:
            row = psycopg_connection(session).execute(_STATE, (job_id,)).fetchone()
            tenant = endings.tenant_of_job(session, job_id)
        if row is not None and row[2] == PLATFORM_ROLE:
            with node_session(database) as session:
                return _cancel(session, job_id, actor, source)
        if row is not None and tenant is not None:
            with tenant_session(tenant, actor=actor) as session:
                return _cancel(session, job_id, actor, source)
    raise _unknown(job_id)


def _cancel(session: Session, job_id: UUID, actor: str, source: str) -> Outcome:
    session.flush()
    connection = psycopg_connection(session)
    row = connection.execute(_STATE, (job_id,)).fetchone()
    if row is None:
        raise _unknown(job_id)
    state, kind, _ = row
    if state == "cancelled":
        return "cancelled"
    if state in ENDED:
        detail = phrase("the job {job_id} has ended", job_id=job_id)
        raise Conflict(detail, remedy="Only jobs that wait or run can be cancelled.")
    if not _cancellable(kind):
        detail = phrase("the job {job_id} belongs to the platform's own work and cannot be cancelled", job_id=job_id)
        raise Conflict(detail, remedy="Wait until it ends. An operator can pause its kind.")
    outcome: Outcome = "cancelled" if endings.cancel_within(session, job_id) else "requested"
    if outcome == "requested":
        connection.execute(_REQUEST, (actor, job_id))
    action = f"{source}:job:cancel"
    if isinstance(session, TenantSession):
        audit.record(session, action, "job", job_id, {"kind": kind})
    else:
        record_act(session, action, actor=actor, tenant_id=None, detail={"kind": kind, "job_id": str(job_id)})
    return outcome


def _cancellable(kind: str) -> bool:
    try:
        return kind_of(kind).cancellable
    except LookupError:
        return True  # a worker of another release knows the kind


def _unknown(job_id: UUID) -> NotFound:
    return NotFound(
        phrase("there is no job {job_id}", job_id=job_id), remedy="See GET /v1/jobs.", command="see `iit jobs list`"
    )
