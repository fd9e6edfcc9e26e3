"""How the predictions turned out: by month of decision, of those whose outcome is known now.

A prediction counts if it was made without a look ahead: it was stored by the expected day, or its model was trained on
data from before its day. Of each patient, one prediction for each expected contact and month counts, the first. Of a
large tenant, the same ``MOST_PATIENTS`` patients are followed each night.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sqlmodel import col, delete, select

from core.clock import now
from core.events import publish
from core.metrics import Gauge
from tenants.cohort.decided import decided_units
from tenants.cohort.load import load_timelines
from tenants.cohort.repository import complete_days
from tenants.cohort.service import cohort_settings
from tenants.cohort.timelines import NO_DAY, date_of, day_number, to_date
from tenants.risk.drift.outcomes import ranking_signal
from tenants.risk.metrics import evaluate
from tenants.risk.models import AccuracyMonth
from tenants.risk.repository import preferred_model

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    import numpy.typing as npt

    from core.database import SessionOpener, TenantRef, TenantSession
    from tenants.cohort.settings import CohortSettings

MOST_PATIENTS: Final = 20_000
LONGEST_DAYS: Final = 548
"""Decisions that are older than this are not measured again; their months stay."""
FEWEST: Final = 100
"""Decisions that a month needs before it is a gauge."""
DRIFT: Final = "models.drift"
LARGEST_INTERCEPT: Final = 0.35
"""Predictions have drifted if the whole interval of a month's intercept, in log-odds, lies farther than this from 0.

That is about 1.4 times as many interruptions as predicted, or as few. No model is promoted beyond it either.
"""
FIGURES: Final = ("base_rate", "roc_auc", "average_precision", "brier", "calibration_intercept")

AUC: Final = Gauge("iit_prediction_roc_auc", "ROC-AUC of the newest month of predictions with outcomes.", ("tenant",))
BRIER: Final = Gauge("iit_prediction_brier", "Brier score of the same month.", ("tenant",))
EXPECTED: Final = Gauge("iit_prediction_mean_risk", "Mean risk of the predictions of the same month.", ("tenant",))
OBSERVED: Final = Gauge("iit_prediction_interrupted", "Share of them that interrupted.", ("tenant",))

_NEWEST: Final = "SELECT max(as_of) FROM score_runs WHERE state = 'done'"
_DECISIONS: Final = """
WITH people AS MATERIALIZED (
    SELECT uuid FROM patients WHERE known_to IS NULL AND NOT voided
    ORDER BY hashtextextended(uuid::text, 20), uuid LIMIT %(most)s
), chosen AS (
    SELECT DISTINCT ON (p.patient_uuid, p.expected_date, date_trunc('month', p.as_of))
        p.patient_uuid, p.as_of, p.expected_date, p.risk
    FROM people JOIN predictions AS p ON p.patient_uuid = people.uuid LEFT JOIN models AS m ON m.uuid = p.model_uuid
    WHERE p.kind = 'at_risk' AND p.as_of >= %(since)s AND p.expected_date <= %(until)s AND (
        (p.prediction_timestamp AT TIME ZONE %(zone)s)::date <= p.expected_date OR m.trained_through < p.as_of
    )
    ORDER BY p.patient_uuid, p.expected_date, date_trunc('month', p.as_of), p.as_of
)
SELECT patient_uuid, as_of, expected_date, risk, EXISTS (
    SELECT FROM worklist_entries AS e JOIN worklists AS w ON w.uuid = e.worklist_uuid
    WHERE e.patient_uuid = chosen.patient_uuid AND e.expected_date = chosen.expected_date
        AND NOT e.held_out AND w.kind = 'at_risk' AND w.as_of <= chosen.expected_date
)
FROM chosen ORDER BY patient_uuid
"""


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """Stored predictions, one row each.

    Attributes:
        uuid: the patients.
        day, expected: day numbers.
        risk: probabilities.
        listed: whether an issued list had the patient for this expected contact.
    """

    uuid: Sequence[UUID]
    day: npt.NDArray[np.int32]
    expected: npt.NDArray[np.int32]
    risk: npt.NDArray[np.float64]
    listed: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Decisions with a known outcome: their rows, and 1, 0 or, for a competing outcome, -1."""

    row: npt.NDArray[np.int64]
    label: npt.NDArray[np.int8]


def measure(tenant: TenantRef, open_session: SessionOpener) -> int:
    """Measure the predictions of the last months again, and store the figures; return the number of months.

    It publishes ``models.drift`` about the newest month that has enough decisions.

    Args:
        tenant: whose predictions.
        open_session: opens a transaction of the tenant.
    """
    with open_session() as session:
        rules = cohort_settings(session)
        complete = complete_days(session)
        decisions = read_decisions(session, rules, complete)
        outcomes = judged(session, rules, complete, decisions.uuid, decisions.day, decisions.expected)
    rows = _months(decisions, outcomes)
    with open_session() as session:
        if rows:
            first = min(row.month for row in rows)
            session.exec(delete(AccuracyMonth).where(col(AccuracyMonth.month) >= first))
            session.add_all(rows)
            session.flush()
        newest = next((row for row in reversed(rows) if row.decisions >= FEWEST), None)
        if newest is not None:
            _show(tenant, newest)
            publish(session, DRIFT, _drift(newest))
            ranking = ranking_signal(newest.figures, _held_out(session), newest.month.isoformat())
            if ranking is not None:
                publish(session, DRIFT, ranking)
    return len(rows)


def list_months(session: TenantSession) -> list[AccuracyMonth]:
    """Return the figures by month of decision, the newest first."""
    return list(session.exec(select(AccuracyMonth).order_by(col(AccuracyMonth.month).desc())).all())


def read_decisions(session: TenantSession, rules: CohortSettings, complete: npt.NDArray[np.int32]) -> Decisions:
    """The predictions of the last year and a half that count, of the same patients each time."""
    known = complete[complete != NO_DAY]
    rows = []
    with session.cursor() as cursor:
        ((newest,),) = cursor.execute(_NEWEST).fetchall()
        if newest is not None and known.size:
            last = int(known.max()) - rules.grace_days - rules.reporting_lag_days
            since = (newest - timedelta(days=LONGEST_DAYS)).replace(day=1)
            values = {"most": MOST_PATIENTS, "since": since, "until": to_date(last), "zone": session.tenant.time_zone}
            rows = cursor.execute(_DECISIONS, values).fetchall()
    return Decisions(
        [row[0] for row in rows],
        np.array([day_number(row[1]) for row in rows], dtype=np.int32),
        np.array([day_number(row[2]) for row in rows], dtype=np.int32),
        np.array([row[3] for row in rows], dtype=np.float64),
        np.array([row[4] for row in rows], dtype=np.bool_),
    )


def judged(
    session: TenantSession,
    rules: CohortSettings,
    complete: npt.NDArray[np.int32],
    uuids: Sequence[UUID],
    day: npt.NDArray[np.int32],
    expected: npt.NDArray[np.int32],
) -> Outcomes:
    """The outcomes that are known, of decisions: one row each of patient, day number, and expected day number."""
    rows_of: dict[UUID, list[int]] = {}
    for place, uuid in enumerate(uuids):
        rows_of.setdefault(uuid, []).append(place)
    rows, labels = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int8)]
    for timelines in load_timelines(session, patient_uuids=list(rows_of)) if rows_of else ():
        own = [(index, place) for index, uuid in enumerate(timelines.patient_uuid) for place in rows_of[uuid]]
        patient, row = np.array(own, dtype=np.int64).T
        decided, units = decided_units(timelines, rules, complete, patient, day[row], expected[row])
        rows.append(row[decided])
        labels.append(units.label)
    return Outcomes(np.concatenate(rows), np.concatenate(labels))


def _months(decisions: Decisions, outcomes: Outcomes) -> list[AccuracyMonth]:
    first_days = [date(day.year, day.month, 1) for day in map(date_of, decisions.day[outcomes.row].tolist())]
    months = np.array([day_number(day) for day in first_days], dtype=np.int64)
    numbers = {uuid: number for number, uuid in enumerate(set(decisions.uuid))}
    patients = np.array([numbers[uuid] for uuid in decisions.uuid], dtype=np.int64)
    rows = []
    for month in np.unique(months).tolist():
        own = months == month
        row = _month(date_of(month), decisions, outcomes.row[own], outcomes.label[own], patients)
        if row is not None:
            rows.append(row)
    return rows


def _month(
    month: date,
    decisions: Decisions,
    rows: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int8],
    patients: npt.NDArray[np.int64],
) -> AccuracyMonth | None:
    """Return the figures of a month; None if all its outcomes are competing ones."""
    row, interrupted = rows[labels >= 0], labels[labels >= 0] == 1
    if not row.size:
        return None
    listed, risk = decisions.listed[row], decisions.risk[row]
    evaluation = evaluate(risk, interrupted, patients[row])
    return AccuracyMonth(
        month=month,
        decisions=evaluation.decisions,
        patients=evaluation.patients,
        interrupted=evaluation.interruptions,
        listed=int(listed.sum()),
        listed_interrupted=int((listed & interrupted).sum()),
        competing=int((labels < 0).sum()),
        mean_risk=float(risk.mean()),
        figures={name: evaluation.metrics[name].to_json() for name in FIGURES},
        measured_at=now(),
    )


def _drift(row: AccuracyMonth) -> dict[str, object]:
    """Return the signal about a month: begun if its calibration is certainly off, else ended."""
    intercept = row.figures["calibration_intercept"]
    low, high = intercept["low"], intercept["high"]
    known = low is not None and high is not None
    return {
        "subject": "predictions",
        "value": 1,
        "ended": not known or (low <= LARGEST_INTERCEPT and high >= -LARGEST_INTERCEPT),
        "facts": {
            "month": row.month.isoformat(),
            "predicted": round(100 * row.mean_risk, 1),
            "interrupted": round(100 * row.interrupted / row.decisions, 1),
        },
    }


def _held_out(session: TenantSession) -> dict[str, Any]:
    """The figures of the model that scores, on held-out time; none before any was measured."""
    model = preferred_model(session)
    figures: dict[str, Any] = {} if model is None else model.metrics.get("held_out", {}).get("metrics", {})
    return figures


def _show(tenant: TenantRef, row: AccuracyMonth) -> None:
    """Set the gauges to the figures of a month."""
    for gauge, name in ((AUC, "roc_auc"), (BRIER, "brier"), (OBSERVED, "base_rate")):
        value = row.figures[name]["value"]
        if value is not None:
            gauge.set(value, tenant.slug)
    EXPECTED.set(row.mean_risk, tenant.slug)
