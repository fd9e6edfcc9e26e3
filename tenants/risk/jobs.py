"""Long work of the room ``risk``."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from core.jobs import job

if TYPE_CHECKING:
    from core.jobs import JobContext

TRAIN = "risk.train"
SCORE = "risk.score"


@job(TRAIN, max_attempts=2)
def train(ctx: JobContext, payload: dict[str, Any]) -> None:  # noqa: ARG001 - all is in the tenant's settings
    """Fit, measure and store models."""
    from tenants.risk import service

    service.train(ctx.tenant, ctx.session, ctx.progress)


@job(SCORE, max_attempts=5)
def score(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Score everybody as of a date, in steps."""
    from tenants.risk import scoring

    scoring.score(ctx.tenant, ctx.session, date.fromisoformat(payload["as_of"]), told=ctx.progress)
