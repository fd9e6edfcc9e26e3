"""Watch a new champion: the former one returns if the new one fails, scores wildly, or does certainly worse.

A roll-back raises an alert.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

from core import telemetry
from core.clock import today
from core.jobs import enqueue
from tenants.risk import repository
from tenants.risk.models import RiskModel
from tenants.risk.registry import lifecycle, signals, terms

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantSession
    from tenants.risk.models import ScoreRun

SCORE: Final = "risk.score"
FEWEST: Final = 50
"""Scores that a look at them needs."""
LARGEST_SHIFT: Final = 0.7
"""The mean difference to the former champion's scores, in log-odds, beyond which a champion goes back: about twice the
odds for everybody, or half. No change of the records can cause it, because both score the same people."""
SMALLEST_SPREAD: Final = 1e-6
"""A champion whose scores differ by less orders nobody."""

_SCORES: Final = """
SELECT count(*), avg(ln(a / (1 - a)) - ln(b / (1 - b))), coalesce(stddev_pop(a), 0), avg(a), avg(b)
FROM (SELECT least(greatest(risk, 1e-6), 1 - 1e-6) AS a, least(greatest(beside_risk, 1e-6), 1 - 1e-6) AS b
      FROM predictions WHERE as_of = %s AND kind = 'at_risk' AND model_uuid = %s AND beside_model_uuid = %s
      AND beside_risk IS NOT NULL) AS scores
"""

log = telemetry.get_logger(__name__)


def look_at_scores(session: TenantSession, run: ScoreRun) -> bool:
    """Look at the scores of a run that has just ended; return whether its model was rolled back.

    The date is then scored again by a job, so that no list is made from the bad scores.
    """
    row = _watched(session, run.model_uuid)
    if row is None:
        return False
    former = str((row.trial or {})["other"])
    with session.cursor() as cursor:
        scores = cursor.execute(_SCORES, (run.as_of, row.uuid, former)).fetchone()
    number, shift, spread, mean, former_mean = scores or (0, 0.0, 0.0, 0.0, 0.0)
    if number < FEWEST:
        return False
    facts = {"scores": number, "shift": float(shift), "mean_risk": float(mean), "former_mean_risk": float(former_mean)}
    why = ""
    if abs(shift) > LARGEST_SHIFT:
        why = f"its mean risk is {mean:.1%}, that of the former model {former_mean:.1%} for the same people"
    elif spread < SMALLEST_SPREAD:
        why = "it gives everybody the same risk"
    if not why:
        row.trial = {**(row.trial or {}), "scores": facts}
        session.add(row)
        return False
    _roll_back(session, row, why, facts)
    day = run.as_of.isoformat()
    enqueue(session, SCORE, {"as_of": day}, dedupe_key=f"{SCORE}:{day}:rolled back")
    return True


def roll_back_failed(session: TenantSession, uuid: UUID, problem: str) -> bool:
    """Roll back a champion that failed to be read or to score while it is watched; return whether it was."""
    row = _watched(session, uuid)
    if row is None:
        return False
    _roll_back(session, row, problem, {})
    return True


def judge(session: TenantSession, row: RiskModel, figures: dict[str, Any]) -> bool:
    """Judge a watched champion by outcomes; return whether it was rolled back. After its last day it has passed.

    Args:
        session: a transaction.
        row: the champion.
        figures: those of ``trials.compare_scores``, the champion's as the model's.
    """
    from tenants.risk.accuracy import LARGEST_INTERCEPT

    intercept = figures["model"]["calibration_intercept"]
    precision = figures["difference"]["average_precision"]
    former = figures["other"]["calibration_intercept"]
    why = ""
    if _is_off(intercept, LARGEST_INTERCEPT) and not _is_off(former, LARGEST_INTERCEPT):
        why = f"its probabilities are off by {intercept['value']:+.2f} log-odds, and those of the former model are not"
    elif precision["high"] is not None and precision["high"] < 0:
        why = f"its average precision is lower than that of the former model by {-precision['value']:.3f}"
    if why:
        _roll_back(session, row, why, figures)
    return bool(why)


def end_if_over(session: TenantSession, row: RiskModel) -> None:
    """End the watch of a champion after its last day."""
    trial = row.trial or {}
    if date.fromisoformat(trial["until"]) < today(session.tenant.time_zone):
        row.trial = terms.ended(trial, "passed")
        session.add(row)
        lifecycle.note_event(session, row, "trial_ended", "the days of watching are over", facts={"result": "passed"})


def _is_off(intercept: dict[str, Any], most: float) -> bool:
    low, high = intercept["low"], intercept["high"]
    return low is not None and high is not None and (low > most or high < -most)


def _watched(session: TenantSession, uuid: UUID | None) -> RiskModel | None:
    """The champion with this UUID, locked, if its promotion is watched."""
    if uuid is None:
        return None
    row = session.get(RiskModel, uuid)
    if row is None or row.state != lifecycle.CHAMPION or not terms.is_running(row.trial, "canary"):
        return None
    repository.lock(session, lifecycle.LOCK)
    session.refresh(row, with_for_update=True)
    return row if row.state == lifecycle.CHAMPION and terms.is_running(row.trial, "canary") else None


def _roll_back(session: TenantSession, row: RiskModel, why: str, facts: dict[str, Any]) -> None:
    log.warning("a promoted model is rolled back", version=row.version)
    row.trial = {**(row.trial or {}), "figures": facts}
    former = lifecycle.roll_back_within(session, f"{row.version}: {why}")
    session.flush()
    signals.rolled_back(session, row.version, former.version)
    log.info("the former model serves again", version=former.version)
