"""The jobs of the feature ``risk``."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from core.jobs import job
from tenants.risk import repository

if TYPE_CHECKING:
    from core.database import TenantSession
    from core.jobs import JobContext, JobEnd

TRAIN = "risk.train"
SCORE = "risk.score"


@job(TRAIN, max_attempts=2)
def train(ctx: JobContext, payload: dict[str, Any]) -> None:  # noqa: ARG001 - the tenant's settings have everything
    """Fit, measure and store models."""
    from tenants.risk import service

    service.train(ctx.tenant, ctx.session, ctx.progress)


def score_ended(session: TenantSession, end: JobEnd) -> None:
    """Mark an unfinished scoring as failed when its job is given up, and as unfinished when the job is retried."""
    before, after = ("scoring", "failed") if end.stalled else ("failed", "scoring")
    run = repository.run_of(session, date.fromisoformat(end.payload["as_of"]), lock_row=True)
    if run is not None and run.state == before:
        run.state = after
        session.add(run)


@job(SCORE, max_attempts=5, on_end=score_ended)
def score(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Score everybody as of a date, in steps."""
    from tenants.risk import scoring

    scoring.score(ctx.tenant, ctx.session, date.fromisoformat(payload["as_of"]), progress=ctx.progress)
