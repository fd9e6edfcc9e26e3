"""The jobs of follow-up."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from core import audit
from core.clock import today
from core.jobs import job
from tenants.followup import learning

if TYPE_CHECKING:
    from core.jobs import JobContext

_STEP_DAYS: Final = 31


@job(learning.LEARN_JOB, priority="low")
def learn(ctx: JobContext, payload: dict[str, Any]) -> None:  # noqa: ARG001 - the job concerns the whole tenant
    """Compute the results of lists and interventions again, each list and month in its own transaction."""
    with ctx.session() as session:
        lists = learning.lists_to_learn(session)
        end = today(session.tenant.time_zone)
    changed = 0
    for number, worklist in enumerate(lists):
        with ctx.session() as session:
            changed += learning.learn_list(session, worklist)
            ctx.progress(number, len(lists), "looking at what became of people")
    begin = end - timedelta(days=learning.DAYS)
    while begin <= end:
        with ctx.session() as session:
            changed += learning.learn_interventions(session, begin, begin + timedelta(days=_STEP_DAYS - 1))
        begin += timedelta(days=_STEP_DAYS)
    with ctx.session() as session:
        audit.record(session, "job:followup:learn", "followup", None, {"changed": changed})
        ctx.finish(session)
