"""The quality of a score, on decisions that it was not fitted on, each figure with its interval.

Intervals are percentile bootstraps that draw patients, not rows: one patient's decisions resemble each other, and
drawing rows would make every interval too narrow. Additive figures (Brier, log loss, calibration) are summed per
patient once, so a replicate is a product of matrices. Rank figures (ROC-AUC, average precision, capacity) reuse one
sorted order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LEAKAGE_ROC_AUC = 0.90
"""The ROC-AUC above which features are suspect. Published models of interruption reach 0.65 to 0.77 on later time."""
CAPACITIES = (0.10, 0.20, 0.30)
ECE_BINS = 10
REPLICATES = 200
TINY = 1e-12

METRICS: Mapping[str, str] = {
    "base_rate": "share of the decisions that ended in interruption",
    "roc_auc": "chance that a unit that interrupted is ranked above one that did not, ties counted half",
    "average_precision": "precision averaged over recall; its value for a random ranking is the base rate",
    "lift": "average precision divided by the base rate",
    "sensitivity_top_10": "share of all interruptions among the 10 % ranked highest",
    "sensitivity_top_20": "share of all interruptions among the 20 % ranked highest",
    "sensitivity_top_30": "share of all interruptions among the 30 % ranked highest",
    "ppv_top_10": "share of the 10 % ranked highest that interrupted",
    "ppv_top_20": "share of the 20 % ranked highest that interrupted",
    "ppv_top_30": "share of the 30 % ranked highest that interrupted",
    "brier": "mean squared difference between probability and outcome",
    "log_loss": "mean negative log-likelihood, in nats",
    "calibration_slope": "slope of outcome on log-odds by logistic regression; 1 is right, below 1 is too extreme",
    "calibration_intercept": "log-odds to add to every prediction, slope held at 1; 0 is right, below 0 is too high",
    "ece": f"mean distance of predicted and observed share over {ECE_BINS} bins of equal size",
}
"""Metric -> its definition. Calibration follows Van Calster and others, BMC Medicine 2019, 17:230."""
LOWER_IS_BETTER = frozenset({"brier", "log_loss", "ece"})
HIGHER_IS_BETTER = frozenset(
    {
        "roc_auc",
        "average_precision",
        "lift",
        *(f"{kind}_top_{int(c * 100)}" for kind in ("sensitivity", "ppv") for c in CAPACITIES),
    }
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval; ``None`` where it is undefined (only one outcome, only one patient)."""

    value: float | None
    low: float | None = None
    high: float | None = None

    def to_json(self) -> dict[str, float | None]:
        """The estimate as a JSON object."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures of one score on one set of decisions.

    Attributes:
        decisions: number of rows.
        patients: number of patients of these rows.
        interruptions: number of rows with outcome 1.
        level: intended coverage of the intervals.
        metrics: name, as in :data:`METRICS` -> estimate.
    """

    decisions: int
    patients: int
    interruptions: int
    level: float
    metrics: Mapping[str, Estimate]

    def to_json(self) -> dict[str, object]:
        """The evaluation as a JSON object."""
        return {
            "decisions": self.decisions,
            "patients": self.patients,
            "interruptions": self.interruptions,
            "level": self.level,
            "metrics": {name: estimate.to_json() for name, estimate in self.metrics.items()},
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Differences, first score minus second, on the same decisions, drawn in pairs."""

    level: float
    differences: Mapping[str, Estimate]

    def beats(self, *metrics: str) -> bool:
        """Whether the first score is better on every one of these metrics with its whole interval.

        Raises:
            ValueError: no metric is given, or one has no better side (calibration slope and intercept, base rate).
        """
        if not metrics:
            message = "name at least one metric to compare on"
            raise ValueError(message)
        for name in metrics:
            if name not in LOWER_IS_BETTER | HIGHER_IS_BETTER:
                sided = ", ".join(sorted(HIGHER_IS_BETTER | LOWER_IS_BETTER))
                message = f"{name!r} has no better side: compare on one of {sided}"
                raise ValueError(message)
            estimate = self.differences.get(name, Estimate(None))
            bound = estimate.high if name in LOWER_IS_BETTER else estimate.low
            if bound is None or (bound >= 0 if name in LOWER_IS_BETTER else bound <= 0):
                return False
        return True

    def to_json(self) -> dict[str, object]:
        """The comparison as a JSON object."""
        return {"level": self.level, "differences": {name: e.to_json() for name, e in self.differences.items()}}


def evaluate(
    score: ArrayLike,
    outcome: ArrayLike,
    patient: ArrayLike,
    *,
    probability: bool = True,
    replicates: int = REPLICATES,
    level: float = 0.95,
    seed: int = 0,
) -> Evaluation:
    """Compute all figures of a score, with intervals.

    Args:
        score: (n,), higher is more at risk; in [0, 1] when ``probability``.
        outcome: (n,), 0 or 1.
        patient: (n,), any integers or identifiers; rows of one patient are drawn together.
        probability: false for a rule that only ranks: calibration, Brier and log loss are left out.
        replicates: bootstrap replicates; 0 gives figures without intervals.
        level: coverage of the intervals.
        seed: seed of the draws; the same seed gives the same intervals.

    Raises:
        ValueError: shapes differ, there are no rows, or values are not finite or out of range.
    """
    outcomes, clusters = _checked(outcome, patient)
    statistics = _Statistics(
        _checked_score(score, len(outcomes), probability=probability), outcomes, clusters, probability
    )
    replicate_figures = [statistics.compute(weights) for weights in _draws(clusters, replicates, seed)]
    return Evaluation(
        decisions=len(outcomes),
        patients=int(clusters.max()) + 1,
        interruptions=int(outcomes.sum()),
        level=level,
        metrics=_intervals(statistics.compute(None), replicate_figures, level),
    )


def compare(
    score: ArrayLike,
    simpler: ArrayLike,
    outcome: ArrayLike,
    patient: ArrayLike,
    *,
    probability: bool = True,
    replicates: int = REPLICATES,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Compute differences ``score - simpler`` with intervals. Both scores use the same drawn patients.

    Args and raises: as :func:`evaluate`; ``probability`` is false unless both scores are probabilities.
    """
    outcomes, clusters = _checked(outcome, patient)
    statistics_of_both = [
        _Statistics(_checked_score(values, len(outcomes), probability=probability), outcomes, clusters, probability)
        for values in (score, simpler)
    ]

    def difference(weights: Floats | None) -> dict[str, float]:
        first, second = (statistics.compute(weights) for statistics in statistics_of_both)
        return {name: first[name] - second[name] for name in first}

    replicate_figures = [difference(weights) for weights in _draws(clusters, replicates, seed)]
    return Comparison(level=level, differences=_intervals(difference(None), replicate_figures, level))


def leakage_alarm(evaluation: Evaluation, threshold: float = LEAKAGE_ROC_AUC) -> str | None:
    """A warning when a score is too good to be true, otherwise ``None``."""
    value = evaluation.metrics["roc_auc"].value
    if value is None or value <= threshold:
        return None
    return (
        f"ROC-AUC {value:.3f} is above {threshold:.2f}: on later time no honest model of interruption is known to "
        "reach it. Look for features that know the outcome (status, tracing, dates after the decision) before this "
        "model is used."
    )


class _Statistics:
    """Every figure as a function of the patients' weights; everything independent of them is computed once."""

    def __init__(self, score: Floats, outcome: Floats, cluster: Integers, probability: bool) -> None:  # noqa: FBT001
        order = np.argsort(-score, kind="stable")
        self._cluster = cluster[order]
        self._positive = outcome[order]
        sorted_scores = score[order]
        self._starts = np.flatnonzero(np.r_[True, sorted_scores[1:] != sorted_scores[:-1]])
        self._clusters = int(cluster.max()) + 1
        self._columns: list[Floats] = [np.ones_like(outcome), outcome]
        self._probability = probability
        if probability:
            self._add_probability(np.clip(score, TINY, 1 - TINY), outcome)
        self._sums = np.stack(
            [np.bincount(cluster, weights=column, minlength=self._clusters) for column in self._columns], axis=1
        )

    def _add_probability(self, p: Floats, y: Floats) -> None:
        x = np.log(p) - np.log1p(-p)
        self._joint = logistic_fit(np.stack([np.ones_like(x), x], axis=1), y)
        self._offset = float(logistic_fit(np.ones((len(x), 1)), y, offset=x)[0])
        self._columns += [(p - y) ** 2, -(y * np.log(p) + (1 - y) * np.log1p(-p))]
        mean = _sigmoid(self._joint[0] + self._joint[1] * x)
        residual, curve = y - mean, mean * (1 - mean)
        self._columns += [residual, residual * x, curve, curve * x, curve * x * x]
        mean = _sigmoid(self._offset + x)
        self._columns += [y - mean, mean * (1 - mean)]
        bins = np.empty(len(p), dtype=np.int64)
        bins[np.argsort(p, kind="stable")] = np.arange(len(p)) * ECE_BINS // len(p)
        self._columns += [np.where(bins == index, p - y, 0.0) for index in range(ECE_BINS)]

    def compute(self, weights: Floats | None) -> dict[str, float]:
        """The figures when patient ``i`` counts ``weights[i]`` times; NaN where a figure is undefined."""
        totals = self._sums.sum(axis=0) if weights is None else weights @ self._sums
        row = np.ones_like(self._positive) if weights is None else weights[self._cluster]
        with np.errstate(divide="ignore", invalid="ignore"):
            figures = self._rank_figures(row)
            if self._probability:
                figures |= self._sum_figures(totals)
        return figures

    def _rank_figures(self, weight: Floats) -> dict[str, float]:
        positive = np.add.reduceat(weight * self._positive, self._starts)
        everyone = np.add.reduceat(weight, self._starts)
        interruptions_so_far, weight_so_far = np.cumsum(positive), np.cumsum(everyone)
        interruptions, total = interruptions_so_far[-1], weight_so_far[-1]
        non_interruptions = total - interruptions
        below = non_interruptions - (weight_so_far - interruptions_so_far) + (everyone - positive) / 2
        precision = np.where(weight_so_far > 0, interruptions_so_far / np.maximum(weight_so_far, TINY), 0.0)
        figures = {
            "base_rate": interruptions / total,
            "roc_auc": float(positive @ below) / (interruptions * non_interruptions),
            "average_precision": float(positive @ precision) / interruptions,
        }
        figures["lift"] = figures["average_precision"] / figures["base_rate"]
        share, recall = np.r_[0.0, weight_so_far], np.r_[0.0, interruptions_so_far]
        for capacity in CAPACITIES:
            # A tie at the cut-off counts as if broken at random.
            hits = float(np.interp(capacity * total, share, recall))
            figures[f"sensitivity_top_{int(capacity * 100)}"] = hits / interruptions
            figures[f"ppv_top_{int(capacity * 100)}"] = hits / (capacity * total)
        return {name: float(value) for name, value in figures.items()}

    def _sum_figures(self, totals: Floats) -> dict[str, float]:
        n, brier, loss = totals[0], totals[2], totals[3]
        # One Newton step from the fit of the whole sample: exact for the sample, right to first order for a replicate.
        gradient = totals[4:6]
        curve = np.array([[totals[6], totals[7]], [totals[7], totals[8]]])
        slope = intercept = float("nan")
        if 0 < totals[1] < n:
            if np.linalg.det(curve) > TINY * max(1.0, curve[0, 0] * curve[1, 1]):
                slope = float(self._joint[1] + np.linalg.solve(curve, gradient)[1])
            intercept = float(self._offset + totals[9] / totals[10])
        return {
            "brier": float(brier / n),
            "log_loss": float(loss / n),
            "calibration_slope": slope,
            "calibration_intercept": intercept,
            "ece": float(np.abs(totals[11 : 11 + ECE_BINS]).sum() / n),
        }


def logistic_fit(design: Floats, outcome: Floats, offset: Floats | float = 0.0, ridge: float = 1e-9) -> Floats:
    """Coefficients of a small logistic regression, by Newton's method with step halving.

    Args:
        design: (n, k), a few columns.
        outcome: (n,), 0 or 1.
        offset: fixed log-odds added to every row.
        ridge: keeps the solution finite when the outcomes can be separated.
    """
    beta = np.zeros(design.shape[1])

    def loss(candidate: Floats) -> float:
        eta = design @ candidate + offset
        return float(np.sum(np.logaddexp(0.0, eta) - outcome * eta) + ridge * candidate @ candidate / 2)

    current = loss(beta)
    for _ in range(50):
        mean = _sigmoid(design @ beta + offset)
        gradient = design.T @ (outcome - mean) - ridge * beta
        curve = (design * (mean * (1 - mean))[:, None]).T @ design + ridge * np.eye(len(beta))
        step = np.linalg.lstsq(curve, gradient, rcond=None)[0]
        while (after := loss(beta + step)) > current + 1e-12 * abs(current) and np.abs(step).max() > TINY:
            step = step / 2
        beta = beta + step
        converged = current - after <= 1e-12 * max(1.0, abs(current))
        current = after
        if converged:
            break
    return np.asarray(beta, dtype=np.float64)


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(0.5 * (1.0 + np.tanh(x / 2)), dtype=np.float64)


def _draws(cluster: Integers, replicates: int, seed: int) -> Iterator[Floats]:
    """Weights of a bootstrap over patients, one replicate at a time to save memory."""
    patients = int(cluster.max()) + 1
    random = np.random.default_rng(seed)
    for _ in range(replicates if patients > 1 else 0):
        yield np.bincount(random.integers(0, patients, patients), minlength=patients).astype(np.float64)


def _intervals(
    point: Mapping[str, float], replicate_figures: Sequence[Mapping[str, float]], level: float
) -> dict[str, Estimate]:
    estimates = {}
    for name, value in point.items():
        if not np.isfinite(value):
            estimates[name] = Estimate(None)
            continue
        values = np.array([replicate[name] for replicate in replicate_figures])
        values = values[np.isfinite(values)]
        if len(values) < max(2, len(replicate_figures) // 2):
            estimates[name] = Estimate(value)
            continue
        low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
        estimates[name] = Estimate(value, float(low), float(high))
    return estimates


def _checked(outcome: ArrayLike, patient: ArrayLike) -> tuple[Floats, Integers]:
    y = np.asarray(outcome, dtype=np.float64)
    if y.ndim != 1 or not len(y) or not np.isin(y, (0.0, 1.0)).all():
        message = "outcome must be a non-empty row of 0 and 1"
        raise ValueError(message)
    groups = np.asarray(patient)
    if groups.shape != y.shape:
        message = f"patient must have one entry per outcome: {groups.shape} against {y.shape}"
        raise ValueError(message)
    return y, np.unique(groups, return_inverse=True)[1].astype(np.int64)


def _checked_score(score: ArrayLike, rows: int, *, probability: bool) -> Floats:
    values = np.asarray(score, dtype=np.float64)
    if values.shape != (rows,) or not np.isfinite(values).all():
        message = f"score must be {rows} finite numbers"
        raise ValueError(message)
    if probability and not ((values >= 0) & (values <= 1)).all():
        message = "score must lie in [0, 1]: pass probability=False for a rule that only ranks"
        raise ValueError(message)
    return values
