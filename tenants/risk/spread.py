"""Scores a large tenant by several workers: parts of its facilities, each in a job, and a job that joins them.

The job of the scoring begins the run, adds the parts and gives itself back; it holds no thread while it waits. When all
parts are done it ends the run, in one transaction under its lease, so that the run ends once. A part writes the rows
that the one-worker run would write, because ranks are within a facility. If the model fails or records change, the
parts are removed, and one worker scores everybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from core.errors import Invalid, phrase
from core.jobs.context import EarlierFirst
from tenants.risk import parts, repository, scoring
from tenants.risk.failures import ModelFailed
from tenants.risk.fallback import scoring_model
from tenants.risk.models import ScorePart, ScoreRun
from tenants.risk.prefetch import people_after

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from core.database import TenantSession
    from core.jobs import JobContext
    from tenants.risk.prefetch import People

SPREAD_FROM: Final = 40_000
"""Patients from which a scoring is divided."""
LEAST_OF_PART: Final = 10_000
MOST_PARTS: Final = 16


def score(ctx: JobContext, as_of: date) -> None:
    """Score everybody as of a date: by this job if the tenant is small, else by parts.

    Raises:
        EarlierFirst: the parts are not done yet: the job waits.
        Invalid: a part was given up.
        RecordsChanged: records kept changing during the scoring.
    """
    with ctx.session() as session:
        waited = parts.of_parent(session, ctx.job_id)
        states = {part.state for part in waited} if _fit(session, as_of, waited) else {"unfit"}
        seen, total = sum(part.patients_seen for part in waited), sum(part.patients for part in waited)
        facilities = [] if waited else repository.people_of_facilities(session)
    if waited and "unfit" not in states:
        if _joined(ctx, as_of, waited):
            return
        ctx.progress(seen, total, "patients scored")
        _require_none_failed(waited)
        if states != {"done"}:
            raise EarlierFirst
    elif not waited and sum(patients for _, patients in facilities) >= SPREAD_FROM:
        ranges = parts.divided(facilities, MOST_PARTS, LEAST_OF_PART)
        if len(ranges) > 1:
            _divide(ctx, as_of, ranges)
            raise EarlierFirst
    with ctx.session() as session:
        parts.remove(session, ctx.job_id)
    scoring.score(ctx.tenant, ctx.session, as_of, progress=ctx.progress)


def score_part(ctx: JobContext, part_uuid: UUID) -> None:
    """Score the facilities of one part, from its cursor. Does nothing if the part is done, or no longer wanted."""
    with ctx.session() as session:
        part, run = _part_and_run(session, part_uuid)
    if part is None or run is None:
        return
    try:
        model = scoring_model(ctx.tenant, ctx.session)
        with ctx.session() as session:
            part, run = _part_and_run(session, part_uuid)
            if part is None or run is None:
                return
            basis = scoring.basis_of(session, run, model)
        if model.version != part.model_version:
            _unfit(ctx, part_uuid)
            return
        for people in people_after(ctx.tenant, part.cursor_uuid, scoring.CHUNK_PATIENTS, part.until):
            rows = scoring.rows_of(basis, people)
            with ctx.session() as session:
                if _step(session, part_uuid, people, rows):
                    return
            ctx.progress(people_seen(ctx, part_uuid), part.patients, "patients scored")
    except ModelFailed:
        _unfit(ctx, part_uuid)


def people_seen(ctx: JobContext, part_uuid: UUID) -> int:
    """Return how many patients of a part are scored."""
    with ctx.session() as session:
        part = session.get(ScorePart, part_uuid)
        return 0 if part is None else part.patients_seen


def _divide(ctx: JobContext, as_of: date, ranges: Sequence[tuple[UUID | None, UUID, int]]) -> None:
    model = scoring_model(ctx.tenant, ctx.session)
    scoring.begin(ctx.session, as_of, model)
    with ctx.session() as session:
        run = repository.run_of(session, as_of, lock_row=True)
        # The night and a scoring of the same day are two jobs of one run: the later one waits for the other's parts.
        if run is not None and not parts.wanted_by_another(session, run, ctx.job_id):
            parts.add(session, run, ctx.job_id, ranges)


def _joined(ctx: JobContext, as_of: date, waited: Sequence[ScorePart]) -> bool:
    """End the run if all of its parts are done; return whether it has ended."""
    with ctx.session() as session:
        run = repository.run_of(session, as_of, lock_row=True)
        if run is None or run.state == "done":
            parts.remove(session, ctx.job_id)
            return run is not None
        if any(part.state != "done" for part in waited) or not scoring.same_inputs(session, run):
            return False
        run.patients_seen = sum(part.patients_seen for part in waited)
        run.at_risk = sum(part.at_risk for part in waited)
        run.to_trace = sum(part.to_trace for part in waited)
        run.usual_risk = next((part.usual_risk for part in waited if part.usual_risk is not None), None)
        run.cursor_uuid = waited[-1].until
        scoring.finish(session, run)
        parts.remove(session, ctx.job_id)
    return True


def _fit(session: TenantSession, as_of: date, waited: Sequence[ScorePart]) -> bool:
    """Return whether the run is still the one that was divided: nobody has begun it with other inputs meanwhile."""
    run = repository.run_of(session, as_of)
    return run is not None and all(
        (run.inputs, run.model_version) == (part.inputs, part.model_version) for part in waited
    )


def _require_none_failed(waited: Sequence[ScorePart]) -> None:
    failed = sum(part.state == "failed" for part in waited)
    if failed:
        raise Invalid(
            phrase("{failed} of {count} parts of the scoring failed", failed=failed, count=len(waited)),
            remedy="Correct why the parts failed, then retry this job: only those parts run again.",
        )


def _part_and_run(session: TenantSession, part_uuid: UUID) -> tuple[ScorePart | None, ScoreRun | None]:
    """Return a part that waits, locked, and its run; None where they are done, gone or of other inputs."""
    part = session.get(ScorePart, part_uuid, with_for_update=True, populate_existing=True)
    run = None if part is None else session.get(ScoreRun, part.run_uuid)
    if part is None or run is None or part.state != "waiting":
        return None, None
    same = (run.inputs, run.model_version) == (part.inputs, part.model_version)
    return (part, run) if same and run.state != "done" else (None, None)


def _unfit(ctx: JobContext, part_uuid: UUID) -> None:
    with ctx.session() as session:
        part, _ = _part_and_run(session, part_uuid)
        if part is not None:
            part.state = "unfit"
            session.add(part)


def _step(session: TenantSession, part_uuid: UUID, people: People, rows: scoring.StepRows | None) -> bool:
    """Write the rows of these people, and move the part's cursor; return whether the part needs no further step."""
    part, run = _part_and_run(session, part_uuid)
    if part is None or run is None or part.cursor_uuid != people.after:
        return True
    if not people.facilities:
        part.state = "done"
        session.add(part)
        return True
    if rows is not None:
        repository.replace_predictions(session, run.as_of, rows.patients, rows.rows)
        part.patients_seen += len(rows.patients)
        part.at_risk += rows.at_risk
        part.to_trace += rows.to_trace
        part.usual_risk = rows.usual_risk if part.usual_risk is None else part.usual_risk
    part.cursor_uuid = people.facilities[-1]
    session.add(part)
    return False
