"""Score all patients as of a date, in steps: each step is a transaction that writes rows and moves a cursor.

A step reads its people, calls the model while no transaction is open, and then writes in one transaction. A killed
scoring resumes from its cursor. If its inputs have changed, it restarts, so that all rows come from one state of the
records. Scoring the same date twice gives the same rows (except ids and times of writing). Only people within their
facility's capacity get reasons, because explaining costs more than scoring.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from uuid import UUID

from core import audit, metering
from core.clock import now
from core.errors import Conflict
from core.events.outbox import publish_after_commit
from core.tenancy import settings as tenant_settings
from tenants.cohort.service import cohort_settings
from tenants.cohort.timelines import day_number
from tenants.cohort.units import known_on, pending_units, to_trace
from tenants.records.ids import new_uuid
from tenants.risk import prediction_rows, repository, serving
from tenants.risk.facility_rates import FacilityRates
from tenants.risk.failures import ModelFailed
from tenants.risk.fallback import fallback_model, scoring_model
from tenants.risk.models import ScoreRun
from tenants.risk.pending import matrix, one_each
from tenants.risk.prefetch import People, people_after, prefetch
from tenants.risk.reference_rates import rates_of_inputs
from tenants.risk.registry import beside, canary
from tenants.risk.settings import RiskSettings
from tenants.risk.staleness import is_stale, stale_days

if TYPE_CHECKING:
    from core.database import SessionOpener, TenantRef, TenantSession
    from core.telemetry.progress import ProgressCallback
    from tenants.cohort.settings import CohortSettings
    from tenants.risk.serving import ServingModel

CHUNK_PATIENTS: Final = 5000
BEGUN_ANEW: Final = 2
"""The most restarts of one scoring after changes of the records."""


class RecordsChanged(Conflict):
    """The inputs of the scoring have changed since it began."""


@dataclass(frozen=True, slots=True)
class ScoringSummary:
    """The result of a scoring.

    Attributes:
        as_of: the date.
        model_version: version of the model that scored.
        patients: number of patients read.
        at_risk, to_trace: rows written to each list.
        within_capacity: number of people at risk who are ``high`` and have reasons.
        capacity_share: share of each facility's pending people.
        data_date: the date to which the newest records run.
        stale: DATIM ids of facilities whose records end too early for this date; they get no list.
        note: a note on the probabilities.
    """

    as_of: date
    model_version: str
    patients: int
    at_risk: int
    to_trace: int
    within_capacity: int
    capacity_share: float
    data_date: date | None
    stale: list[str]
    note: str


def score(
    tenant: TenantRef,
    open_session: SessionOpener,
    as_of: date,
    *,
    progress: ProgressCallback | None = None,
    chunk_patients: int = CHUNK_PATIENTS,
) -> ScoringSummary:
    """Score everybody as of a date, from the beginning or from the cursor of a killed scoring.

    Raises:
        RecordsChanged: records kept changing during the scoring.
    """
    model = scoring_model(tenant, open_session)
    restarts, failed_versions = 0, set[str]()
    while True:
        try:
            _score_all(tenant, open_session, as_of, model, progress, chunk_patients)
            break
        except RecordsChanged:
            restarts += 1
            if restarts > BEGUN_ANEW:
                raise
        except ModelFailed as error:
            with open_session() as session:
                row = serving.preferred(session)
            if row is None or model.version in failed_versions:
                raise
            failed_versions.add(model.version)
            model = fallback_model(tenant, open_session, row, error, failed_versions)
    with open_session() as session:
        return summary(session, as_of, model.note)


def _score_all(
    tenant: TenantRef,
    open_session: SessionOpener,
    as_of: date,
    model: ServingModel,
    progress: ProgressCallback | None,
    chunk_patients: int,
) -> None:
    basis, step = begin(open_session, as_of, model), None
    after = basis.after
    while step is None or not step.done:
        for people in prefetch(people_after(tenant, after, chunk_patients)):
            rows = rows_of(basis, people)
            with open_session() as session:
                step = _step(session, basis, people, rows)
            if progress is not None:
                progress(step.seen, None, "patients scored")
            after = step.after
            if step.done or step.has_moved:
                break


def summary(session: TenantSession, as_of: date, note: str) -> ScoringSummary:
    """Return the result of the scoring of a date."""
    run = _run(session, as_of)
    limits = stale_days(session)
    stale = [
        fact["datim_id"]
        for fact in repository.facility_facts(session)
        if is_stale(fact["complete_through"], as_of, limits)
    ]
    return ScoringSummary(
        as_of=as_of,
        model_version=run.model_version,
        patients=run.patients_seen,
        at_risk=run.at_risk,
        to_trace=run.to_trace,
        within_capacity=repository.count_within(session, as_of),
        capacity_share=float(run.capacity_share),
        data_date=run.data_date,
        stale=stale,
        note=note,
    )


@dataclass(frozen=True, slots=True)
class Basis:
    """The inputs that all steps of a run share, read once. Every step checks that the run still has them.

    Attributes:
        context: model, date, settings and facilities' facts.
        inputs: fingerprint of the inputs.
        after: the facility up to which an earlier run was done.
    """

    context: prediction_rows.ScoringContext
    rules: CohortSettings
    rates: FacilityRates
    inputs: str
    after: UUID | None


def begin(open_session: SessionOpener, as_of: date, model: ServingModel) -> Basis:
    """Begin the scoring of a date, or resume one by the same model from the same inputs."""
    with open_session() as session:
        inputs = _inputs(session)
        run = repository.run_of(session, as_of)
        standing = None if run is None or run.state != "scoring" else (run.model_version, run.inputs)
        if run is not None and standing == (model.version, inputs):
            return basis_of(session, run, model)
        rates = rates_of_inputs(session, as_of, cohort_settings(session), inputs)
    with open_session() as session:
        repository.lock(session, f"score:{as_of}")
        run = repository.run_of(session, as_of, lock_row=True)
        if run is None:
            run = ScoreRun(
                uuid=new_uuid(),
                as_of=as_of,
                state="scoring",
                model_version="",
                inputs="",
                capacity_share=Decimal(0),
                started_at=now(),
                started_by=session.actor,
            )
        facts = repository.facility_facts(session)
        run.state = "scoring"
        run.model_uuid, run.model_version = model.uuid, model.version
        run.rates, run.inputs = rates.to_json(), inputs
        run.note = model.notice or None
        run.cursor_uuid = None
        run.patients_seen = run.at_risk = run.to_trace = 0
        run.usual_risk = None
        run.capacity_share = Decimal(str(tenant_settings.get(session, RiskSettings).capacity_share))
        run.data_date = max((fact["data_date"] for fact in facts if fact["data_date"]), default=None)
        run.started_at, run.finished_at, run.started_by = now(), None, session.actor
        session.add(run)
        return basis_of(session, run, model)


def basis_of(session: TenantSession, run: ScoreRun, model: ServingModel) -> Basis:
    """Return the inputs that all steps of a run share."""
    facts = repository.facility_facts(session)
    limits = stale_days(session)
    context = prediction_rows.ScoringContext(
        model=model,
        as_of=run.as_of,
        stamp=now(),
        share=float(run.capacity_share),
        most=tenant_settings.get(session, RiskSettings).reasons,
        facilities=[fact["uuid"] for fact in facts],
        data_dates=[fact["data_date"] for fact in facts],
        stale=[is_stale(fact["complete_through"], run.as_of, limits) for fact in facts],
    )
    rates = FacilityRates.from_json(run.rates)
    return Basis(context, cohort_settings(session), rates, run.inputs, run.cursor_uuid)


def _inputs(session: TenantSession) -> str:
    """Return a fingerprint of all that a scoring reads besides its model: records, facilities' facts, settings."""
    parts = (
        cohort_settings(session).model_dump_json(),
        tenant_settings.get(session, RiskSettings).model_dump_json(include={"capacity_share", "reasons"}),
        session.tenant.time_zone,
        *(
            str((fact["uuid"], fact["complete_through"], fact["data_date"]))
            for fact in repository.facility_facts(session)
        ),
        *repository.state_of_records(session),
        beside.fingerprint(session),
    )
    return sha256("\n".join(parts).encode()).hexdigest()


def _run(session: TenantSession, as_of: date, *, lock_row: bool = False) -> ScoreRun:
    run = repository.run_of(session, as_of, lock_row=lock_row)
    if run is None:
        message = "the scoring of this date was never begun"
        raise RuntimeError(message)
    return run


@dataclass(frozen=True, slots=True)
class _Step:
    """The result of a step: the facility up to which the run is done, and the number of patients so far.

    Attributes:
        done: whether nothing is left to do.
        has_moved: whether another process, which scores the same day, has moved the cursor since the people were read.
    """

    after: UUID | None
    seen: int
    done: bool = False
    has_moved: bool = False


@dataclass(frozen=True, slots=True)
class StepRows:
    """The rows that a step writes with a binary COPY, their patients, and their numbers per list."""

    patients: list[UUID]
    rows: list[bytes]
    at_risk: int
    to_trace: int
    usual_risk: float | None


def rows_of(basis: Basis, people: People) -> StepRows | None:
    """Score the people of whole facilities; None where there are none. It calls the model, so no transaction is open.

    Ranks are within a facility, so a step scores whole facilities: their rows are written once, with rank, level and
    reasons, and nothing is read or computed twice. Where the model beside the champion fails, in its scores or its
    reasons, the champion serves all people of the step.

    Raises:
        ModelFailed: the champion failed.
    """
    try:
        return _rows_by(basis, people)
    except ModelFailed:
        if basis.context.model.beside is None:
            raise
    alone = replace(basis.context, model=replace(basis.context.model, beside=None))
    return _rows_by(replace(basis, context=alone), people)


def _rows_by(basis: Basis, people: People) -> StepRows | None:
    context = replace(basis.context, stamp=now())
    day = day_number(context.as_of)
    patients: list[UUID] = []
    pending_parts, trace_parts = [], []
    for timelines in people.chunks:
        day_timelines = known_on(timelines, day)
        pending = pending_units(timelines, day, basis.rules, day_timelines)
        columns = matrix(timelines, pending, basis.rules, basis.rates)
        champion, other = context.model.raw_and_risk(columns), beside.scores(context.model, columns)
        both = prediction_rows.Scores.of(context, timelines.facility[pending.patient], champion, other)
        unit_indices = one_each(pending, both.risk)
        pending_parts.append(prediction_rows.at_risk(timelines, pending, unit_indices, columns, both))
        trace_parts.append(prediction_rows.late(timelines, to_trace(timelines, day, basis.rules, day_timelines)))
        patients += timelines.patient_uuid.tolist()
    if not patients:
        return None
    pending_people, late = prediction_rows.concatenate(pending_parts), prediction_rows.concatenate(trace_parts)
    rows = [*prediction_rows.rows_at_risk(pending_people, context), *prediction_rows.rows_late(late, context)]
    return StepRows(
        patients, rows, int(pending_people.risk.size), int(late.iit.size), _usual_risk(context, pending_people)
    )


def _usual_risk(context: prediction_rows.ScoringContext, people: prediction_rows.AtRisk) -> float | None:
    """The usual risk. Every explanation has the same base, so the first row's is enough."""
    return context.model.usual_risk(context.model.themes(people.features[:1])[0]) if people.risk.size else None


def _step(session: TenantSession, basis: Basis, people: People, step_rows: StepRows | None) -> _Step:
    """Write the rows of these people, if the run's cursor is still where they were read.

    They were read outside this transaction; ``finish`` detects changes in between.

    Raises:
        RecordsChanged: another process has restarted the run with other inputs.
    """
    run = _run(session, basis.context.as_of, lock_row=True)
    if run.state == "done" or run.model_version != basis.context.model.version:
        return _Step(run.cursor_uuid, run.patients_seen, done=True)
    if run.inputs != basis.inputs:
        raise _records_changed()
    if run.cursor_uuid != people.after:
        return _Step(run.cursor_uuid, run.patients_seen, has_moved=True)
    if not people.facilities:
        finish(session, run)
        return _Step(run.cursor_uuid, run.patients_seen, done=True)
    if step_rows is not None:
        repository.replace_predictions(session, run.as_of, step_rows.patients, step_rows.rows)
        run.patients_seen += len(step_rows.patients)
        run.at_risk += step_rows.at_risk
        run.to_trace += step_rows.to_trace
        run.usual_risk = step_rows.usual_risk if run.usual_risk is None else run.usual_risk
    run.cursor_uuid = people.facilities[-1]
    session.add(run)
    return _Step(run.cursor_uuid, run.patients_seen)


def same_inputs(session: TenantSession, run: ScoreRun) -> bool:
    """Return whether the inputs of a run are what they were when it began."""
    return run.inputs == _inputs(session)


def finish(session: TenantSession, run: ScoreRun) -> None:
    """Finish the run after its last facility: count and record it.

    Raises:
        RecordsChanged: the inputs have changed since the run began.
    """
    if run.inputs != _inputs(session):
        raise _records_changed()
    repository.delete_others(session, run.as_of, beside.versions(session, run.model_version))
    run.state, run.finished_at = "done", now()
    session.add(run)
    if run.model_uuid is not None:
        repository.note_failure(session, run.model_uuid, None)
    key = f"{run.as_of}:{run.model_version}"
    # A list made again for the same date costs nothing, and may have other patients.
    dimensions = {"model": run.model_version}
    metering.record(session, "patients_scored", run.at_risk, key=key, dimensions=dimensions, first_counts=True)
    detail = {"as_of": run.as_of.isoformat(), "model": run.model_version, "patients": run.patients_seen}
    audit.record(session, "risk:patients:score", "score_run", run.uuid, detail)
    scored_event = {**detail, "run_id": str(run.uuid), "at_risk": run.at_risk, "to_trace": run.to_trace}
    publish_after_commit(session, "risk.scored", subject=run.as_of.isoformat(), payload=scored_event)
    canary.look_at_scores(session, run)


def _records_changed() -> RecordsChanged:
    problem = "records changed while they were scored"
    return RecordsChanged(problem, remedy="score again when imports and edits have ended")
