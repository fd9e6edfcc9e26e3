"""The records' jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.jobs import Retry, job
from tenants.records import name_keys

if TYPE_CHECKING:
    from uuid import UUID

    from core.jobs import JobContext


@job(name_keys.JOB, retry=Retry(5))
def index_names(ctx: JobContext, payload: dict[str, Any]) -> None:  # noqa: ARG001 - the job concerns the whole tenant
    """Add the keys of names where they are missing, in steps. A second try skips the patients that have them."""
    after: UUID | None = None
    steps = 0
    while not ctx.finished:
        with ctx.session() as session:
            after = name_keys.step(session, after)
            if after is None:
                ctx.finish(session)
                continue
            steps += 1
            ctx.progress(steps, None, "adding keys of names, chunk by chunk of patients")
