"""Long work of the cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core import audit
from core.jobs import job
from tenants.cohort import service

if TYPE_CHECKING:
    from core.jobs import JobContext


@job(service.REBUILD_JOB, max_attempts=5)
def rebuild(ctx: JobContext, payload: dict[str, Any]) -> None:  # noqa: ARG001 - where it stands is in the tenant's settings
    """Recompute the status table in steps, each its own transaction."""
    done, more = 0, True
    while more:
        with ctx.session() as session:
            more = service.rebuild_step(session)
            if not more:
                audit.record(session, "job:cohort:rebuild", "cohort", None)
                ctx.finish(session)
        done += 1
        ctx.progress(done, None, "status transitions recomputed, chunks of patients")
