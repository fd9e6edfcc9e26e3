"""Scoring all patients as of a date, in steps: each is a transaction that writes some rows and moves a cursor.

A killed scoring goes on from its cursor, unless what it reads has changed: then it begins anew, so that all rows are of
one state of the records. The same date scored twice gives the same rows (ids and times of writing aside).
Reasons are given once ranks are known, and only to those within capacity: explaining costs more than scoring.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import numpy as np

from core import audit, metering
from core.clock import now
from core.errors import Conflict
from core.tenancy import settings as tenant_settings
from tenants.cohort.expected import episodes
from tenants.cohort.load import load_after, load_timelines
from tenants.cohort.service import cohort_settings
from tenants.cohort.timelines import Timelines, day_number, to_date
from tenants.cohort.units import Units, pending_units, to_trace
from tenants.records.ids import new_uuid
from tenants.risk import repository, serving
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
EXPLAINED_AT_ONCE: Final = 2000
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
            _begin(open_session, as_of, model)
            more = True
            while more:
                with open_session() as session:
                    more, seen = _step(session, as_of, model, chunk_patients)
                if told is not None:
                    told(seen, None, "patients scored")
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


def is_stale(complete_through: date | None, as_of: date, stale_after_days: int) -> bool:
    """Whether a facility's records end too long before the date for its lists to be believed."""
    return complete_through is None or (as_of - complete_through).days > stale_after_days


def take_rates(session: TenantSession, as_of: date, rules: CohortSettings) -> FacilityRates:
    """Facility rates of the reference day of a date, from one pass over all patients."""
    day = day_number(as_of)
    counts = FacilityCounts(day, day, rules)
    for timelines in load_timelines(session):
        counts.add(timelines)
    return counts.rates()


def stored_rates(session: TenantSession, as_of: date, rules: CohortSettings) -> FacilityRates:
    """The rates that a scoring of the same reference day has taken; taken anew where there was none."""
    first = int(reference_day(day_number(as_of)))
    days = (to_date(first), to_date(first + STEP - 1))
    run = repository.run_of(session, as_of)
    found = run.rates if run is not None else repository.rates_of_reference(session, *days)  # type: ignore[arg-type]
    return FacilityRates.from_json(found) if found else take_rates(session, as_of, rules)


def matrix(timelines: Timelines, found: Units, rules: CohortSettings, rates: FacilityRates) -> Floats:
    """Features of these units, from what was known on their day."""
    seen = found.snapshot(timelines)
    return compute(seen, episodes(seen, rules), pending_of(found), rules, rates)


def _begin(open_session: Open, as_of: date, model: Serving) -> None:
    """Begin the scoring of a date, unless one by the same model from the same inputs stands unfinished."""
    with open_session() as session:
        inputs = _inputs(session)
        run = repository.run_of(session, as_of)
        standing = None if run is None or run.state == "done" else (run.model_version, run.inputs)
        if standing == (model.version, inputs):
            return
        rates = take_rates(session, as_of, cohort_settings(session))
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


def _step(session: TenantSession, as_of: date, model: Serving, chunk_patients: int) -> tuple[bool, int]:
    """The next step; whether more are left, and how many patients were seen so far."""
    run = _run(session, as_of, lock_row=True)
    if run.state == "done" or run.model_version != model.version:
        return False, run.patients_seen
    if run.state == "scoring":
        _score_chunk(session, run, model, chunk_patients)
        return True, run.patients_seen
    return _explain_chunk(session, run, model), run.patients_seen


def _score_chunk(session: TenantSession, run: ScoreRun, model: Serving, chunk_patients: int) -> None:
    chunk = load_after(session, run.cursor_uuid, chunk_patients)
    if len(chunk):
        rules = cohort_settings(session)
        rows = list(_rows(session, chunk, run, model, rules))  # read before COPY takes the connection
        repository.replace_predictions(session, run.as_of, chunk.patient_uuid.tolist(), rows)
        run.cursor_uuid = chunk.patient_uuid[-1]
        run.patients_seen += len(chunk)
    if len(chunk) < chunk_patients:
        repository.forget_others(session, run.as_of, run.model_version)
        repository.rank(session, run.as_of, float(run.capacity_share))
        counts = repository.count_predictions(session, run.as_of)
        run.at_risk, run.to_trace = counts["at_risk"], counts["to_trace"]
        run.state, run.cursor_uuid = "explaining", None
    session.add(run)


def _rows(
    session: TenantSession, chunk: Timelines, run: ScoreRun, model: Serving, rules: CohortSettings
) -> Iterator[tuple[Any, ...]]:
    """Rows of both lists for these patients, as ``PREDICTION_COLUMNS``."""
    day = day_number(run.as_of)
    stamp, note = now(), model.note
    facts = {fact["uuid"]: fact for fact in repository.facility_facts(session)}
    limits = rules.completeness.stale_after_days
    stale = {uuid: is_stale(fact["complete_through"], run.as_of, limits) for uuid, fact in facts.items()}

    def row(patient: int, kind: str, expected: int, late: int, figures: tuple[Any, ...], level: str) -> tuple[Any, ...]:
        facility = chunk.facilities[int(chunk.facility[patient])]
        return (
            new_uuid(), chunk.patient_uuid[patient], facility, run.as_of, kind, to_date(expected), late, stamp,
            model.uuid, model.version, *figures, level, facts[facility]["data_date"], stale[facility],
            note if kind == "at_risk" else None,
        )  # fmt: skip

    pending = pending_units(chunk, day, rules)
    raw, risk = model.raw_and_risk(matrix(chunk, pending, rules, FacilityRates.from_json(run.rates)))
    low, high = model.reliability.interval(risk)
    for index in one_each(pending, risk):
        figures = (float(risk[index]), _number(low[index]), _number(high[index]), float(raw[index]))
        yield row(int(pending.patient[index]), "at_risk", int(pending.expected[index]), 0, figures, "low")
    trace = to_trace(chunk, day, rules)
    for index in range(len(trace.patient)):
        level = "iit" if trace.iit[index] else "late"
        late = int(trace.days_late[index])
        yield row(int(trace.patient[index]), "to_trace", int(trace.expected[index]), late, (None,) * 4, level)


def one_each(pending: Units, risk: Floats) -> list[int]:
    """One expected contact per patient: the nearest; of several on that day the likeliest to be missed."""
    order = np.lexsort((pending.origin, -risk, pending.expected, pending.patient))
    first = np.unique(pending.patient[order], return_index=True)[1]
    return [int(index) for index in order[first]]


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _explain_chunk(session: TenantSession, run: ScoreRun, model: Serving) -> bool:
    """Reasons for the next of those within capacity; at the end the run is done, counted and recorded.

    Raises:
        RecordsChanged: at the end, the inputs are no longer those that the run began with.
    """
    patients = repository.unexplained(session, run.as_of, run.cursor_uuid, EXPLAINED_AT_ONCE)
    if patients:
        repository.store_reasons(session, run.as_of, reasons_of(session, patients, run.as_of, model, run.rates))
        run.cursor_uuid = patients[-1]
        session.add(run)
        return True
    if run.inputs != _inputs(session):
        problem = "records changed while they were scored"
        raise RecordsChanged(problem, remedy="score again when imports and edits have ended")
    run.state, run.finished_at = "done", now()
    session.add(run)
    metering.record(session, "patients_scored", run.at_risk, key=f"{run.as_of}:{run.model_version}")
    detail = {"as_of": run.as_of.isoformat(), "model": run.model_version, "patients": run.patients_seen}
    audit.record(session, "risk:patients:score", "score_run", run.uuid, detail)
    return False


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
