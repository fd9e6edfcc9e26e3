"""The jobs of the feature ``risk``."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

from core.errors import FieldError, Invalid
from core.jobs import Retry, enqueue, job, latest_job
from core.jobs.registry import payload_check
from tenants.risk import parts, repository
from tenants.risk.staleness import day_to_score

if TYPE_CHECKING:
    from datetime import datetime

    from core.database import TenantSession
    from core.jobs import JobContext, JobEnd
    from core.jobs.schemas import JobOut

TRAIN = "risk.train"
SCORE = "risk.score"
MEASURE = "risk.measure"


@job(TRAIN, retry=Retry(2))
def train(ctx: JobContext, payload: dict[str, Any]) -> None:  # noqa: ARG001 - the tenant's settings have everything
    """Fit, measure and store models."""
    from tenants.risk import service

    service.train(ctx.tenant, ctx.session, ctx.progress)


@job(MEASURE, retry=Retry(3))
def measure(ctx: JobContext, payload: dict[str, Any]) -> None:  # noqa: ARG001 - it measures all that is known
    """Compare the predictions with what happened, and a model in a trial with the champion."""
    from tenants.risk import accuracy
    from tenants.risk.registry import trials

    accuracy.measure(ctx.tenant, ctx.session)
    trials.watch(ctx.session)


def enqueue_measure(session: TenantSession, due: datetime) -> None:  # noqa: ARG001 - of every schedule
    """Enqueue the comparison of the predictions with what happened."""
    enqueue(session, MEASURE, {}, dedupe_key=MEASURE)


def score_ended(session: TenantSession, end: JobEnd) -> None:
    """Mark an unfinished scoring as failed when its job is given up, and as unfinished when the job is retried."""
    before, after = ("scoring", "failed") if end.stalled else ("failed", "scoring")
    run = repository.run_of(session, date.fromisoformat(end.payload["as_of"]), lock_row=True)
    if run is not None and run.state == before:
        run.state = after
        session.add(run)
    parts.parent_ended(session, end)


@payload_check(SCORE)
def check_scoring(payload: dict[str, Any]) -> None:
    """Check the edited payload of a scoring: it names a day.

    Raises:
        Invalid: it does not.
    """
    try:
        date.fromisoformat(payload["as_of"])
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid("the payload is not valid", errors=[FieldError("payload.as_of", "is not a day")]) from error


@job(SCORE, retry=Retry(5), on_end=score_ended)
def score(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Score everybody as of a date, in steps."""
    from tenants.risk import spread

    spread.score(ctx, date.fromisoformat(payload["as_of"]))


@job(parts.PART, retry=Retry(5), on_end=parts.part_ended)
def score_part(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Score the facilities of one part of a large scoring."""
    from tenants.risk import spread

    spread.score_part(ctx, UUID(payload["part"]))


def request_scoring(session: TenantSession, as_of: date | None) -> UUID:
    """Enqueue a job that scores everybody as of a day, today if None; return the job.

    Raises:
        Invalid: the day lies ahead, or so far behind all facilities' records that every list would be empty.
    """
    day = day_to_score(session, as_of).isoformat()
    return enqueue(session, SCORE, {"as_of": day}, dedupe_key=_score_key(day))


def scoring_job(session: TenantSession, as_of: date) -> JobOut | None:
    """The newest job that scores a day; None if nobody asked for one."""
    return latest_job(session, SCORE, _score_key(as_of.isoformat()))


def _score_key(day: str) -> str:
    return f"{SCORE}:{day}"
