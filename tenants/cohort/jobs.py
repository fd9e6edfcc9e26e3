"""The cohort's jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core import audit
from core.jobs import Retry, job
from tenants.cohort import service

if TYPE_CHECKING:
    from core.jobs import JobContext


@job(service.REBUILD_JOB, retry=Retry(5), on_end=service.rebuild_ended)
def rebuild(ctx: JobContext, payload: dict[str, Any]) -> None:  # noqa: ARG001 - the cursor is in the tenant's settings
    """Recompute the status table in steps, each in its own transaction."""
    steps = 0
    while not ctx.finished:
        with ctx.session() as session:
            steps += 1
            if service.rebuild_step(session):
                ctx.progress(steps, None, "recomputing statuses, chunk by chunk of patients")
            else:
                audit.record(session, "job:cohort:rebuild", "cohort", None)
                ctx.finish(session)
