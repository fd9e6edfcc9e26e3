"""Compare a model with the champion: begin and end a trial, and look at the outcomes that have resolved."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import numpy as np
from sqlmodel import col, select

from core.clock import now
from core.errors import Conflict, FieldError, Invalid, phrase
from tenants.cohort.repository import complete_days
from tenants.cohort.service import cohort_settings
from tenants.cohort.timelines import NO_DAY, day_number, to_date
from tenants.risk import naive, repository
from tenants.risk.metrics import compare, evaluate
from tenants.risk.models import RiskModel
from tenants.risk.registry import canary, lifecycle, sequential, terms

if TYPE_CHECKING:
    import numpy.typing as npt

    from core.database import SessionOpener, TenantSession

    Floats = npt.NDArray[np.float64]

FIGURES: Final = ("base_rate", "roc_auc", "average_precision", "brier", "calibration_intercept", "calibration_slope")
COMPARED: Final = ("roc_auc", "average_precision", "brier")
MOST_PATIENTS: Final = 50_000
FEWEST: Final = 100
"""Decisions, and ``FEWEST_INTERRUPTED`` of them interrupted, that figures side by side need."""
FEWEST_INTERRUPTED: Final = 20
HARM: Final = 0.2
"""The error that is accepted when a trial stops because the challenger's facilities do worse: stopping costs little."""
MOST_LOOKS: Final = 400

_DECISIONS: Final = """
WITH people AS MATERIALIZED (
    SELECT uuid FROM patients WHERE known_to IS NULL AND NOT voided
    ORDER BY hashtextextended(uuid::text, 20), uuid LIMIT %(most)s
)
SELECT DISTINCT ON (p.patient_uuid, p.expected_date) p.patient_uuid, p.facility_uuid, p.as_of, p.expected_date,
    CASE WHEN p.model_uuid = %(model)s THEN p.risk ELSE p.beside_risk END,
    CASE WHEN p.model_uuid = %(model)s THEN p.beside_risk ELSE p.risk END
FROM people JOIN predictions AS p ON p.patient_uuid = people.uuid
WHERE p.kind = 'at_risk' AND p.beside_risk IS NOT NULL AND p.expected_date <= %(until)s
    AND p.prediction_timestamp >= %(since)s AND (p.model_uuid, p.beside_model_uuid)
        IN ((%(model)s, %(other)s), (%(other)s, %(model)s))
    AND ((p.prediction_timestamp AT TIME ZONE %(zone)s)::date <= p.expected_date OR p.as_of > %(trained)s)
ORDER BY p.patient_uuid, p.expected_date, p.as_of
"""


@dataclass(frozen=True, slots=True, eq=False)
class TrialOutcomes:
    """Decisions that both models scored and whose outcome is known, one row each.

    Attributes:
        patient: number of the patient.
        facility: UUID of the facility.
        model, other: probabilities of the model in the trial, and of the one beside it.
        interrupted: 1 or 0.
    """

    patient: npt.NDArray[np.int64]
    facility: list[UUID]
    model: Floats
    other: Floats
    interrupted: npt.NDArray[np.int8]


def start_shadow(session: TenantSession, uuid: UUID) -> RiskModel:
    """Let a model score beside the champion, at no effect.

    Raises:
        NotFound: there is no such model.
        Conflict: it cannot be compared now.
    """
    row, champion = _free(session, uuid)
    row.state, row.state_changed_at = "shadow", now()
    row.trial = terms.shadow(champion.uuid, champion.version, session.actor)
    session.add(row)
    lifecycle.note_event(session, row, "trial_started", facts={"kind": "shadow"})
    return row


@dataclass(frozen=True, slots=True)
class Plan:
    """What a trial of serving a share is to find, stated before it begins.

    Attributes:
        share: share of the facilities that the model serves.
        smallest_effect: difference of the share that interrupts that matters.
        alpha: chance of finding a difference where there is none.
        power: chance of finding the smallest effect.
        correlation: how alike the decisions of one facility are.
    """

    share: float = 0.5
    smallest_effect: float = 0.05
    alpha: float = 0.05
    power: float = 0.8
    correlation: float = 0.002


def start_serving(session: TenantSession, uuid: UUID, plan: Plan, seed: int | None = None) -> RiskModel:
    """Let a model serve a share of the facilities, drawn at random; the champion serves the others.

    Raises:
        NotFound: there is no such model.
        Conflict: it did not pass its gates, or cannot be compared now.
        Invalid: the tenant's facilities are too few for what the trial is to find.
    """
    row, champion = _free(session, uuid)
    if not row.gates.get("passed"):
        raise Conflict(
            phrase("model {version} did not pass its gates, so it serves nobody", version=row.version),
            remedy="compare it as a shadow, at no effect",
        )
    people = [each for each in repository.people_of_facilities(session) if each[1] > 0]
    drawn_seed = secrets.randbits(53) if seed is None else seed
    chosen = terms.drawn(people, plan.share, drawn_seed)
    groups = (len(people) - len(chosen), len(chosen))
    if min(groups) < sequential.FEWEST_FACILITIES:
        raise _too_few(
            phrase(
                "each group needs {count} facilities with patients, and the smaller one would have {few}",
                count=sequential.FEWEST_FACILITIES,
                few=min(groups),
            )
        )
    base_rate = _base_rate(row)
    size = sequential.size(
        base_rate=base_rate,
        smallest_effect=plan.smallest_effect,
        facilities=groups,
        correlation=plan.correlation,
        alpha=plan.alpha,
        power=plan.power,
    )
    if not size.decisions:
        least = f"{size.least_effect:.1%}"
        raise _too_few(
            phrase("{count} facilities can show a difference of {least} at the least", count=sum(groups), least=least)
        )
    stated = {
        "share": plan.share,
        "seed": drawn_seed,
        "smallest_effect": plan.smallest_effect,
        "alpha": plan.alpha,
        "power": plan.power,
        "correlation": plan.correlation,
        "base_rate": base_rate,
        "planned_decisions": size.decisions,
        "facilities_of_champion": groups[0],
    }
    row.state, row.state_changed_at = "challenger", now()
    row.trial = terms.serving_share(champion.uuid, champion.version, session.actor, chosen, stated)
    session.add(row)
    lifecycle.note_event(session, row, "trial_started", facts={"kind": "ab", **stated})
    return row


def stop(session: TenantSession, uuid: UUID, note: str, result: str = "stopped") -> RiskModel:
    """End a model's trial: it is a candidate again, and the champion serves everybody.

    Raises:
        NotFound: there is no such model.
        Conflict: it is in no trial.
    """
    repository.lock(session, lifecycle.LOCK)
    row = repository.get_model(session, uuid)
    session.refresh(row, with_for_update=True)
    if row.state not in lifecycle.BESIDE:
        raise Conflict(phrase("model {version} is in no trial", version=row.version))
    row.trial = terms.ended(row.trial, result)
    row.state, row.state_changed_at = "candidate", now()
    session.add(row)
    lifecycle.note_event(session, row, "trial_ended", note, facts={"result": result})
    return row


def watch(open_session: SessionOpener) -> None:
    """Look at the running trial with the outcomes that are known today, and end it by its rules. Safe to repeat."""
    with open_session() as session:
        row = running(session)
        if row is None:
            return
        resolved = _resolved(session, row)
    figures = None if resolved is None else compare_scores(resolved)
    with open_session() as session:
        repository.lock(session, lifecycle.LOCK)
        current = session.get(RiskModel, row.uuid, with_for_update=True)
        if current is None or not terms.is_running(current.trial) or (current.trial or {})["kind"] != _kind(row):
            return
        if figures is not None:
            current.trial = {**(current.trial or {}), "figures": figures}
            session.add(current)
        _look(session, current, resolved, figures)


def running(session: TenantSession) -> RiskModel | None:
    """The model that is in a trial, detached from the session: shadow, challenger, or a watched champion."""
    states = (*lifecycle.BESIDE, lifecycle.CHAMPION)
    rows = session.exec(select(RiskModel).where(col(RiskModel.state).in_(states))).all()
    row = next((each for each in rows if terms.is_running(each.trial)), None)
    if row is not None:
        session.expunge(row)
    return row


def compare_scores(resolved: TrialOutcomes) -> dict[str, Any] | None:
    """Figures of both models on the same decisions, with intervals; None while there are too few of them."""
    interrupted = int(resolved.interrupted.sum())
    if len(resolved.interrupted) < FEWEST or min(interrupted, len(resolved.interrupted) - interrupted) < (
        FEWEST_INTERRUPTED
    ):
        return None
    outcome, patient = resolved.interrupted, resolved.patient
    model, other = (evaluate(scores, outcome, patient) for scores in (resolved.model, resolved.other))
    difference = compare(resolved.model, resolved.other, outcome, patient)
    return {
        "decisions": model.decisions,
        "patients": model.patients,
        "interrupted": interrupted,
        "measured_at": now().isoformat(timespec="seconds"),
        "model": {name: model.metrics[name].to_json() for name in FIGURES},
        "other": {name: other.metrics[name].to_json() for name in FIGURES},
        "difference": {name: difference.differences[name].to_json() for name in COMPARED},
    }


def look_at_facilities(resolved: TrialOutcomes, trial: dict[str, Any]) -> dict[str, Any] | None:
    """Compare the facilities that the challenger serves with the others; None while there is too little.

    The outcome of a decision is what happened minus the champion's probability, which both groups have: so facilities
    whose people are at a higher risk anyway do not count against the model that serves them.
    """
    places = {uuid: index for index, uuid in enumerate(sorted(set(resolved.facility)))}
    index = np.array([places[uuid] for uuid in resolved.facility], dtype=np.int64)
    counts = np.bincount(index, minlength=len(places)).astype(np.float64)
    excess = resolved.interrupted - resolved.other
    sums = np.bincount(index, weights=excess, minlength=len(places)).astype(np.float64)
    facilities = set(trial["facilities"])
    served = np.array([str(uuid) in facilities for uuid in places], dtype=np.bool_)
    test = sequential.look(sums, counts, served, float(trial["smallest_effect"]))
    if test is None:
        return None
    return {
        "on": now().date().isoformat(),
        "decisions": int(counts.sum()),
        "difference": test.difference,
        "standard_error": float(np.sqrt(test.variance)),
        "ratio": test.ratio,
    }


def result_of(look: dict[str, Any], trial: dict[str, Any]) -> str | None:
    """The result of a trial by its stop rules; None: it goes on."""
    if look["difference"] < 0 and look["ratio"] >= 1 / float(trial["alpha"]):
        return "better"
    if look["difference"] > 0 and look["ratio"] >= 1 / HARM:
        return "worse"
    return "no difference" if look["decisions"] >= int(trial["planned_decisions"]) else None


def _look(
    session: TenantSession, row: RiskModel, resolved: TrialOutcomes | None, figures: dict[str, Any] | None
) -> None:
    trial = row.trial or {}
    if trial["kind"] == "canary":
        if figures is None or not canary.judge(session, row, figures):
            canary.end_if_over(session, row)
        return
    if trial["kind"] != "ab" or resolved is None:
        return
    look = look_at_facilities(resolved, trial)
    if look is None:
        return
    looks = [each for each in trial["looks"] if each["on"] != look["on"]]
    row.trial = {**trial, "looks": [*looks, look][-MOST_LOOKS:]}
    session.add(row)
    session.flush()
    result = result_of(look, trial)
    if result is not None:
        stop(session, row.uuid, f"the stop rule of the trial: {result}", result)


def _free(session: TenantSession, uuid: UUID) -> tuple[RiskModel, RiskModel]:
    """The model and the champion, locked, if a trial may begin.

    Raises:
        NotFound, Conflict: it may not.
    """
    repository.lock(session, lifecycle.LOCK)
    row = repository.get_model(session, uuid)
    session.refresh(row, with_for_update=True)
    champion = repository.preferred_model(session)
    if champion is None:
        raise Conflict("no model serves yet, so there is nothing to compare with", remedy="train models first")
    if row.plugin == naive.NAME or row.state not in lifecycle.WAITING:
        detail = phrase(
            "model {version} cannot be compared as it is {state}",
            version=row.version,
            state=lifecycle.shown_state(row.state),
        )
        raise Conflict(detail, remedy="choose a candidate or a retired model of a plugin")
    other = running(session)
    if other is not None:
        detail = phrase("model {version} is in a trial already", version=other.version)
        raise Conflict(detail, remedy="end that trial, or wait until its days are over")
    return row, champion


def _resolved(session: TenantSession, row: RiskModel) -> TrialOutcomes | None:
    from tenants.risk.accuracy import judged

    trial = row.trial or {}
    rules, complete = cohort_settings(session), complete_days(session)
    known = complete[complete != NO_DAY]
    other = session.get(RiskModel, UUID(trial["other"]))
    if not known.size or other is None:
        return None
    trained = [each.trained_through for each in (row, other) if each.trained_through is not None]
    values = {
        "most": MOST_PATIENTS,
        "model": row.uuid,
        "other": other.uuid,
        "since": datetime.fromisoformat(trial["started_at"]),
        "until": to_date(int(known.max()) - rules.grace_days - rules.reporting_lag_days),
        "trained": max(trained, default=None),
        "zone": session.tenant.time_zone,
    }
    with session.cursor() as cursor:
        rows = cursor.execute(_DECISIONS, values).fetchall()
    if not rows:
        return None
    days, expected = (np.array([day_number(each[column]) for each in rows], dtype=np.int32) for column in (2, 3))
    outcomes = judged(session, rules, complete, [each[0] for each in rows], days, expected)
    known = outcomes.row[outcomes.label >= 0]
    numbers = {uuid: number for number, uuid in enumerate({each[0] for each in rows})}
    return TrialOutcomes(
        patient=np.array([numbers[rows[place][0]] for place in known], dtype=np.int64),
        facility=[rows[place][1] for place in known],
        model=np.array([rows[place][4] for place in known], dtype=np.float64),
        other=np.array([rows[place][5] for place in known], dtype=np.float64),
        interrupted=outcomes.label[outcomes.label >= 0],
    )


def _kind(row: RiskModel) -> str:
    return str((row.trial or {})["kind"])


def _base_rate(row: RiskModel) -> float:
    """The share that interrupts, from the figures of the model's training."""
    value = row.metrics.get("held_out", {}).get("metrics", {}).get("base_rate", {}).get("value")
    return float(value) if value else 0.2


def _too_few(problem: str) -> Invalid:
    return Invalid(
        "the trial cannot find what it is to find",
        errors=[FieldError("body.smallest_effect", problem, "give a larger effect, or compare as a shadow")],
    )
