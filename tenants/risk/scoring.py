"""Scoring all patients as of a date, in steps: each is a transaction that writes rows and moves a cursor.

A killed scoring goes on from its cursor, unless what it reads has changed: then it begins anew, so that all rows are of
one state of the records. The same date scored twice gives the same rows (ids and times of writing aside).
Reasons are given only to those within capacity of their facility: explaining costs more than scoring.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import numpy as np

from core import audit, metering
from core.clock import now, today
from core.errors import Conflict, FieldError, Invalid
from core.tenancy import settings as tenant_settings
from tenants.cohort.expected import episodes
from tenants.cohort.load import load_expectations, load_timelines
from tenants.cohort.presenting import as_of_day
from tenants.cohort.service import cohort_settings
from tenants.cohort.timelines import Timelines, day_number
from tenants.cohort.units import Units, known_on, pending_units, to_trace
from tenants.records.ids import new_uuid
from tenants.risk import repository, scored, serving
from tenants.risk.ahead import People, ahead, people_after
from tenants.risk.facility_rates import STEP, FacilityCounts, FacilityRates, reference_day
from tenants.risk.features import compute, pending_of
from tenants.risk.models import ScoreRun
from tenants.risk.settings import RiskSettings
from tenants.risk.wording import raising

if TYPE_CHECKING:
    import numpy.typing as npt

    from core.database import TenantRef, TenantSession
    from tenants.cohort.settings import CohortSettings
    from tenants.risk.dataset import Told
    from tenants.risk.service import Open
    from tenants.risk.serving import Serving

    Floats = npt.NDArray[np.float64]

CHUNK_PATIENTS: Final = 5000
BEGUN_ANEW: Final = 2
"""How often one scoring begins anew because records changed under it, before it gives up."""


class RecordsChanged(Conflict):
    """What the scoring reads has changed since it began."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What a scoring came to.

    Attributes:
        as_of: the date.
        model_version: what scored.
        patients: patients looked at.
        at_risk, to_trace: rows written to each list.
        within_capacity: of those at risk, how many are ``high`` and have reasons.
        capacity_share: part of each facility's pending people.
        data_date: the date to which the newest records run.
        stale: DATIM ids of facilities whose records end too early for this date; their lists stop there.
        note: what is to be known of the probabilities.
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
    open_session: Open,
    as_of: date,
    *,
    told: Told | None = None,
    chunk_patients: int = CHUNK_PATIENTS,
) -> Scored:
    """Score everybody as of a date, from the beginning or from where a killed scoring stopped.

    Raises:
        RecordsChanged: records kept changing while they were read.
    """
    with open_session() as session:
        row = serving.preferred(session)
    model = serving.untrained() if row is None else serving.load(tenant, row)
    for again in range(BEGUN_ANEW + 1):
        try:
            after, step = _begin(open_session, as_of, model), None
            while step is None or not step.done:
                for people in ahead(people_after(tenant, after, chunk_patients)):
                    with open_session() as session:
                        step = _step(session, as_of, model, people)
                    if told is not None:
                        told(step.seen, None, "patients scored")
                    after = step.after
                    if step.done or step.elsewhere:
                        break
            break
        except RecordsChanged:
            if again == BEGUN_ANEW:
                raise
    with open_session() as session:
        return summary(session, as_of, model.note)


def summary(session: TenantSession, as_of: date, note: str) -> Scored:
    """What the scoring of a date came to."""
    run = _run(session, as_of)
    limits = _stale_days(session)
    stale = [
        fact["datim_id"]
        for fact in repository.facility_facts(session)
        if is_stale(fact["complete_through"], as_of, limits)
    ]
    return Scored(
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


def day_to_score(session: TenantSession, as_of: date | None) -> date:
    """The day to score: today where the tenant is, or an earlier one that the records reach.

    Raises:
        Invalid: it lies ahead, or so far behind all facilities' records that every list would be empty.
    """
    day = as_of_day(session, as_of)
    latest = today(session.tenant.time_zone)
    if day > latest:
        raise _no_day(f"{day} lies ahead: nothing is known of it yet", f"score as of {latest} or an earlier day")
    reached = [fact["complete_through"] for fact in repository.facility_facts(session) if fact["complete_through"]]
    limits = _stale_days(session)
    if reached and all(is_stale(until, day, limits) for until in reached):
        ends = max(reached)
        problem = f"the records of all facilities end more than {limits} days before {day}, the last on {ends}"
        raise _no_day(problem, f"import newer records, or score as of a day up to {ends + timedelta(days=limits)}")
    return day


def _no_day(problem: str, remedy: str) -> Invalid:
    return Invalid(problem, remedy=remedy, errors=[FieldError("as_of", problem, remedy)])


def is_stale(complete_through: date | None, as_of: date, stale_after_days: int) -> bool:
    """Whether a facility's records end too long before the date for its lists to be believed."""
    return complete_through is None or (as_of - complete_through).days > stale_after_days


def take_rates(session: TenantSession, as_of: date, rules: CohortSettings) -> FacilityRates:
    """Facility rates of the reference day of a date, from one pass over all patients."""
    day = day_number(as_of)
    counts = FacilityCounts(day, day, rules)
    for timelines in ahead(load_expectations(session, counts.since)):
        counts.add(timelines)
    return counts.rates()


def stored_rates(session: TenantSession, as_of: date, rules: CohortSettings) -> FacilityRates:
    """The rates that a scoring of the same reference day has taken; taken anew where there was none."""
    run = repository.run_of(session, as_of)
    found = run.rates if run is not None else repository.rates_of_reference(session, *_reference_days(as_of))
    return FacilityRates.from_json(found) if found else take_rates(session, as_of, rules)


def _reference_days(as_of: date) -> tuple[date, date]:
    """The days whose rates are those of a date's reference day."""
    first = int(reference_day(day_number(as_of))) - day_number(as_of)
    return as_of + timedelta(days=first), as_of + timedelta(days=first + STEP - 1)


def matrix(timelines: Timelines, found: Units, rules: CohortSettings, rates: FacilityRates) -> Floats:
    """Features of these units, from what was known on their day."""
    seen = found.snapshot(timelines)
    return compute(seen, episodes(seen, rules), pending_of(found), rules, rates)


def _begin(open_session: Open, as_of: date, model: Serving) -> UUID | None:
    """Begin the scoring of a date, unless one by the same model from the same inputs stands unfinished.

    Returns:
        The facility up to which it is done already.
    """
    with open_session() as session:
        inputs = _inputs(session)
        run = repository.run_of(session, as_of)
        standing = None if run is None or run.state != "scoring" else (run.model_version, run.inputs)
        if run is not None and standing == (model.version, inputs):
            return run.cursor_uuid
        taken = repository.rates_of_inputs(session, *_reference_days(as_of), inputs)
        rates = FacilityRates.from_json(taken) if taken else take_rates(session, as_of, cohort_settings(session))
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
        run.cursor_uuid = None
        run.patients_seen = run.at_risk = run.to_trace = 0
        run.capacity_share = Decimal(str(tenant_settings.get(session, RiskSettings).capacity_share))
        run.data_date = max((fact["data_date"] for fact in facts if fact["data_date"]), default=None)
        run.started_at, run.finished_at, run.started_by = now(), None, session.actor
        session.add(run)
    return None


def _inputs(session: TenantSession) -> str:
    """Fingerprint of all that a scoring reads besides its model: records, facilities' facts, settings."""
    parts = (
        cohort_settings(session).model_dump_json(),
        tenant_settings.get(session, RiskSettings).model_dump_json(include={"capacity_share", "reasons"}),
        session.tenant.time_zone,
        *(
            str((fact["uuid"], fact["complete_through"], fact["data_date"]))
            for fact in repository.facility_facts(session)
        ),
        *repository.state_of_records(session),
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
    """What a step came to: the facility up to which the run is done, and how many patients were seen.

    Attributes:
        done: nothing is left to do.
        elsewhere: the run stands elsewhere than the people who were read: another process scores the same day.
    """

    after: UUID | None
    seen: int
    done: bool = False
    elsewhere: bool = False


def _step(session: TenantSession, as_of: date, model: Serving, people: People) -> _Step:
    """The next step, with the people who were read for it.

    They were read outside of its transaction: that nothing changed meanwhile is seen at the end, as for all steps.
    """
    run = _run(session, as_of, lock_row=True)
    if run.state == "done" or run.model_version != model.version:
        return _Step(run.cursor_uuid, run.patients_seen, done=True)
    if run.cursor_uuid != people.after:
        return _Step(run.cursor_uuid, run.patients_seen, elsewhere=True)
    if people.facilities:
        _score_facilities(session, run, model, people)
    else:
        _finish(session, run)
    return _Step(run.cursor_uuid, run.patients_seen, done=not people.facilities)


def _score_facilities(session: TenantSession, run: ScoreRun, model: Serving, found: People) -> None:
    """Score the people of whole facilities.

    Ranks are within a facility, so whole facilities are scored at once: their rows are written once, with rank, level
    and reasons, and nothing is read or computed twice.
    """
    rules, rates = cohort_settings(session), FacilityRates.from_json(run.rates)
    day = day_number(run.as_of)
    patients: list[UUID] = []
    pending_parts, trace_parts = [], []
    for timelines in found.chunks:
        known = known_on(timelines, day)
        pending = pending_units(timelines, day, rules, known)
        columns = matrix(timelines, pending, rules, rates)
        raw, risk = model.raw_and_risk(columns)
        chosen = one_each(pending, risk)
        pending_parts.append(scored.at_risk(timelines, pending, chosen, columns, (raw, risk)))
        trace_parts.append(scored.late(timelines, to_trace(timelines, day, rules, known)))
        patients += timelines.patient_uuid.tolist()
    if patients:
        people, late = scored.joined(pending_parts), scored.joined(trace_parts)
        said = _said(session, run, model)
        # Made before COPY takes the connection.
        rows = [*scored.rows_at_risk(people, said), *scored.rows_late(late, said)]
        repository.replace_predictions(session, run.as_of, patients, rows)
        run.patients_seen += len(patients)
        run.at_risk += int(people.risk.size)
        run.to_trace += int(late.iit.size)
    run.cursor_uuid = found.facilities[-1]
    session.add(run)


def _said(session: TenantSession, run: ScoreRun, model: Serving) -> scored.Said:
    facts = repository.facility_facts(session)
    limits = _stale_days(session)
    return scored.Said(
        model=model,
        as_of=run.as_of,
        stamp=now(),
        share=float(run.capacity_share),
        most=tenant_settings.get(session, RiskSettings).reasons,
        facilities=[fact["uuid"] for fact in facts],
        data_dates=[fact["data_date"] for fact in facts],
        stale=[is_stale(fact["complete_through"], run.as_of, limits) for fact in facts],
    )


def one_each(pending: Units, risk: Floats) -> list[int]:
    """One expected contact per patient: the nearest; of several on that day the likeliest to be missed."""
    order = np.lexsort((pending.origin, -risk, pending.expected, pending.patient))
    first = np.unique(pending.patient[order], return_index=True)[1]
    return [int(index) for index in order[first]]


def _finish(session: TenantSession, run: ScoreRun) -> None:
    """All facilities are scored: the run is done, counted and recorded.

    Raises:
        RecordsChanged: the inputs are no longer those that the run began with.
    """
    if run.inputs != _inputs(session):
        problem = "records changed while they were scored"
        raise RecordsChanged(problem, remedy="score again when imports and edits have ended")
    repository.forget_others(session, run.as_of, run.model_version)
    run.state, run.finished_at = "done", now()
    session.add(run)
    metering.record(session, "patients_scored", run.at_risk, key=f"{run.as_of}:{run.model_version}")
    detail = {"as_of": run.as_of.isoformat(), "model": run.model_version, "patients": run.patients_seen}
    audit.record(session, "risk:patients:score", "score_run", run.uuid, detail)


def reasons_of(
    session: TenantSession, patients: list[UUID], as_of: date, model: Serving, rates: dict[str, Any]
) -> Iterator[tuple[UUID, list[dict[str, Any]]]]:
    """What raises these patients' risk, in words."""
    rules = cohort_settings(session)
    most = tenant_settings.get(session, RiskSettings).reasons
    taken = FacilityRates.from_json(rates)
    for timelines in load_timelines(session, patient_uuids=patients):
        pending = pending_units(timelines, day_number(as_of), rules)
        if len(pending) == 0:
            continue
        columns = matrix(timelines, pending, rules, taken)
        chosen = one_each(pending, model.raw_and_risk(columns)[1])
        themes = model.themes(columns[chosen])[1]
        for place, index in enumerate(chosen):
            yield timelines.patient_uuid[int(pending.patient[index])], raising(columns[index], themes[place], most)


def _stale_days(session: TenantSession) -> int:
    return cohort_settings(session).completeness.stale_after_days


__all__ = ["Scored", "is_stale", "matrix", "one_each", "reasons_of", "score", "stored_rates", "summary"]
