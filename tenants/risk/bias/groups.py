"""Figures by group: calibration, ranking and who is listed, each with its interval, small groups pooled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tenants.risk.metrics import Estimate, evaluate, logistic_fit
from tenants.risk.pooling import Z95, holm, pool

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Mask = npt.NDArray[np.bool_]

LEVEL: Final = 0.05
"""The chance that fair predictions fail the gate, over all groups."""
GATE: Final = 0.35
"""The gate fails if the whole interval of a group's pooled intercept, in log-odds, lies farther than this from 0.

That is about 1.4 times as many interruptions as predicted, or as few.
"""
FEWEST_PATIENTS: Final = 20
"""Groups with fewer patients are not shown: a figure about few people can point to one of them."""
FEWEST_OUTCOMES: Final = 10
"""Decisions of either outcome that a group needs before anything is concluded about it."""
WIDEST: Final = 0.7
"""A group whose interval is wider to either side, in log-odds, is one of which too little is known."""
REPLICATES: Final = 100
EDGE: Final = 1e-6
PRIOR: Final = 0.1
"""Precision of the prior of an intercept: a group whose people all came has a finite one."""


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """The figures of one group.

    Attributes:
        label: the group.
        decisions, patients, interrupted: how many.
        mean_risk, observed: what was predicted, and what happened.
        intercept: log-odds to add to its predictions, by its own outcomes alone; 0 is right.
        pooled: the same, drawn towards the other groups' as far as chance explains the distance.
        roc_auc: how well people within the group are ranked.
        listed: share of its decisions that a list had, or would have had.
        sensitivity: share of its interruptions that a list had: equal opportunity.
        p: adjusted p-value: predictions that fit would be off at least this much.
        verdict: ``fits``, ``higher`` or ``lower`` (certainly more or fewer interruptions than predicted), or
            ``unknown``.
        passed: whether it is within the gate.
    """

    label: str
    decisions: int
    patients: int
    interrupted: int
    mean_risk: float
    observed: float
    intercept: Estimate
    pooled: Estimate
    roc_auc: Estimate
    listed: Estimate
    sensitivity: Estimate
    p: float
    verdict: str
    passed: bool

    def to_json(self) -> dict[str, Any]:
        """The figures as a JSON object."""
        names = ("label", "decisions", "patients", "interrupted", "mean_risk", "observed", "p", "verdict", "passed")
        estimates = ("intercept", "pooled", "roc_auc", "listed", "sensitivity")
        return {name: getattr(self, name) for name in names} | {
            name: getattr(self, name).to_json() for name in estimates
        }


@dataclass(frozen=True, slots=True)
class DivisionFigures:
    """The groups of one division, such as sex.

    Attributes:
        name: the division.
        groups: the largest first.
        hidden: patients of groups too small to show.
        listed_gap, sensitivity_gap: largest less smallest of the groups that are not ``unknown``; None for fewer than
            two.
    """

    name: str
    groups: tuple[GroupFigures, ...]
    hidden: int
    listed_gap: float | None
    sensitivity_gap: float | None

    @property
    def passed(self) -> bool:
        """Whether all groups are within the gate."""
        return all(group.passed for group in self.groups)

    def to_json(self) -> dict[str, Any]:
        """The division as a JSON object."""
        return {
            "name": self.name,
            "groups": [group.to_json() for group in self.groups],
            "hidden": self.hidden,
            "listed_gap": self.listed_gap,
            "sensitivity_gap": self.sensitivity_gap,
            "passed": self.passed,
        }


@dataclass(frozen=True, slots=True, eq=False)
class _Own:
    """A group's own figures, before pooling: values with standard errors."""

    label: str
    rows: Mask
    decisions: int
    patients: int
    interrupted: int
    intercept: tuple[float, float]
    listed: tuple[float, float]
    sensitivity: tuple[float, float]

    @property
    def enough(self) -> bool:
        """Whether it has enough outcomes of either kind."""
        return min(self.interrupted, self.decisions - self.interrupted) >= FEWEST_OUTCOMES


def compare_groups(
    risk: npt.ArrayLike,
    outcome: npt.ArrayLike,
    patient: npt.ArrayLike,
    listed: npt.ArrayLike,
    labels: Mapping[str, npt.ArrayLike],
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> list[DivisionFigures]:
    """Compute the figures of each group of each division.

    Intervals take the decisions of one patient together. P-values are adjusted over all groups of all divisions.

    Args:
        risk: (n,) calibrated probabilities.
        outcome: (n,) 0 or 1.
        patient: (n,) the patient of each row.
        listed: (n,) whether a list had the decision.
        labels: division -> the label of each row.
        replicates: bootstrap replicates of ROC-AUC.
        seed: seed of these.

    Raises:
        ValueError: as :func:`tenants.risk.metrics.evaluate`.
    """
    p = np.clip(np.asarray(risk, dtype=np.float64), EDGE, 1 - EDGE)
    y = np.asarray(outcome, dtype=np.float64)
    clusters = np.unique(np.asarray(patient), return_inverse=True)[1]
    chosen = np.asarray(listed, dtype=np.float64)
    shown: dict[str, list[_Own]] = {}
    hidden: dict[str, int] = {}
    for name, values in labels.items():
        all_groups = _own_figures(p, y, clusters, chosen, np.asarray(values).astype(str))
        shown[name] = [own for own in all_groups if own.patients >= FEWEST_PATIENTS]
        hidden[name] = sum(own.patients for own in all_groups if own.patients < FEWEST_PATIENTS)
    tests = [_p_value(*own.intercept) if own.enough else np.nan for groups in shown.values() for own in groups]
    adjusted = iter(holm(tests))
    result = []
    for name, groups in shown.items():
        own_p = [float(next(adjusted)) for _ in groups]
        figures = _pooled_figures(groups, own_p, p, y, clusters, replicates, seed)
        result.append(_division(name, figures, hidden[name]))
    return result


def top_share(risk: npt.ArrayLike, facility: npt.ArrayLike, share: float) -> Mask:
    """Whom a list of a facility's capacity would have: its rows of the highest risk.

    Args:
        risk: (n,) probabilities.
        facility: (n,) the facility of each row.
        share: share of each facility's rows, 0 to 1.
    """
    values, places = np.asarray(risk, dtype=np.float64), np.asarray(facility)
    chosen = np.zeros(values.size, dtype=np.bool_)
    for place in np.unique(places):
        rows = np.flatnonzero(places == place)
        order = rows[np.argsort(-values[rows], kind="stable")]
        chosen[order[: max(1, round(share * rows.size))]] = True
    return chosen


def gate(divisions: Sequence[DivisionFigures]) -> dict[str, Any]:
    """Whether a model may be promoted by its groups, and which ones stand against it."""
    failed = [
        f"{division.name.replace('_', ' ')} {group.label}: {_words(group)}"
        for division in divisions
        for group in division.groups
        if not group.passed
    ]
    return {"passed": not failed, "why": "; ".join(failed) or "no group is certainly served worse"}


def _words(group: GroupFigures) -> str:
    direction = "more" if (group.pooled.value or 0) > 0 else "fewer"
    return f"{direction} interruptions ({group.observed:.1%}) than predicted ({group.mean_risk:.1%})"


def _own_figures(p: Floats, y: Floats, clusters: npt.NDArray[np.int64], chosen: Floats, names: Any) -> list[_Own]:  # noqa: ANN401 - an array of texts
    groups = []
    for label in np.unique(names):
        rows = names == label
        own_p, own_y, own_cluster, own_chosen = p[rows], y[rows], clusters[rows], chosen[rows]
        groups.append(
            _Own(
                label=str(label),
                rows=rows,
                decisions=int(rows.sum()),
                patients=int(np.unique(own_cluster).size),
                interrupted=int(own_y.sum()),
                intercept=_intercept(own_p, own_y, own_cluster),
                listed=_share(own_chosen, np.ones_like(own_y), own_cluster),
                sensitivity=_share(own_chosen * own_y, own_y, own_cluster),
            )
        )
    return sorted(groups, key=lambda own: (-own.decisions, own.label))


def _intercept(p: Floats, y: Floats, cluster: npt.NDArray[np.int64]) -> tuple[float, float]:
    """The calibration intercept, kept finite by a weak prior at 0, and its standard error by patients."""
    x = np.log(p) - np.log1p(-p)
    value = float(logistic_fit(np.ones((y.size, 1)), y, offset=x, ridge=PRIOR)[0])
    mean = 1 / (1 + np.exp(-(value + x)))
    curve = float(np.sum(mean * (1 - mean))) + PRIOR
    residual = np.bincount(np.unique(cluster, return_inverse=True)[1], weights=y - mean)
    return value, float(np.sqrt(max(float(np.sum(residual**2)) / curve**2, 1 / curve)))


def _share(hits: Floats, total: Floats, cluster: npt.NDArray[np.int64]) -> tuple[float, float]:
    """A share with its standard error by patients; one of either kind is added to the error alone."""
    count = float(total.sum())
    if count == 0:
        return float("nan"), float("inf")
    value = float(hits.sum()) / count
    residual = np.bincount(np.unique(cluster, return_inverse=True)[1], weights=hits - value * total)
    drawn = (float(hits.sum()) + 1) / (count + 2)
    return value, float(np.sqrt(max(float(np.sum(residual**2)) / count**2, drawn * (1 - drawn) / (count + 2))))


def _pooled_figures(
    groups: Sequence[_Own],
    adjusted: Sequence[float],
    p: Floats,
    y: Floats,
    clusters: npt.NDArray[np.int64],
    replicates: int,
    seed: int,
) -> list[GroupFigures]:
    pooled = pool([own.intercept[0] for own in groups], [own.intercept[1] ** 2 for own in groups])
    figures = []
    for place, own in enumerate(groups):
        value, low, high = (float(each[place]) for each in (pooled.value, pooled.low, pooled.high))
        verdict = _verdict(own, adjusted[place], low, high)
        auc = Estimate(None)
        if own.enough:
            rows = own.rows
            auc = evaluate(p[rows], y[rows], clusters[rows], replicates=replicates, seed=seed).metrics["roc_auc"]
        beyond = adjusted[place] < LEVEL and (low > GATE or high < -GATE)
        figures.append(
            GroupFigures(
                label=own.label,
                decisions=own.decisions,
                patients=own.patients,
                interrupted=own.interrupted,
                mean_risk=float(p[own.rows].mean()),
                observed=float(y[own.rows].mean()),
                intercept=_estimate(*own.intercept),
                pooled=Estimate(value, low, high),
                roc_auc=auc,
                listed=_share_estimate(*own.listed),
                sensitivity=_share_estimate(*own.sensitivity),
                p=adjusted[place] if own.enough else 1.0,
                verdict=verdict,
                passed=not beyond,
            )
        )
    return figures


def _verdict(own: _Own, p: float, low: float, high: float) -> str:
    if own.enough and p < LEVEL and (low > 0 or high < 0):
        return "higher" if low > 0 else "lower"
    return "fits" if own.enough and (high - low) / 2 <= WIDEST else "unknown"


def _division(name: str, figures: Sequence[GroupFigures], hidden: int) -> DivisionFigures:
    known = [group for group in figures if group.verdict != "unknown"]

    def gap(estimates: Sequence[Estimate]) -> float | None:
        values = [each.value for each in estimates if each.value is not None]
        return max(values) - min(values) if len(values) > 1 else None

    return DivisionFigures(
        name,
        tuple(figures),
        hidden,
        listed_gap=gap([group.listed for group in known]),
        sensitivity_gap=gap([group.sensitivity for group in known]),
    )


def _estimate(value: float, error: float) -> Estimate:
    return Estimate(value, value - Z95 * error, value + Z95 * error)


def _share_estimate(value: float, error: float) -> Estimate:
    if not np.isfinite(value):
        return Estimate(None)
    return Estimate(value, max(0.0, value - Z95 * error), min(1.0, value + Z95 * error))


def _p_value(value: float, error: float) -> float:
    from scipy.special import ndtr

    return float(2 * ndtr(-abs(value / error)))
