"""A model's figures on held-out later time: with intervals, by group, and beside the naive rule's; and the gates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tenants.risk import naive
from tenants.risk.bias.groups import DivisionFigures, compare_groups, top_share
from tenants.risk.bias.groups import gate as bias_gate
from tenants.risk.dataset import AGE_BANDS
from tenants.risk.input_list import NAMES, SEXES
from tenants.risk.metrics import Comparison, Estimate, Evaluation, compare, evaluate, leakage_alarm
from tenants.risk.strata import GroupEvaluation, evaluate_groups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from tenants.risk.dataset import Dataset

    Floats = npt.NDArray[np.float64]

REPLICATES: Final = 200
LISTED_SHARE: Final = 0.30
"""Share of each facility's decisions that a list is taken to have, where figures by group ask who is listed."""
GROUP_REPLICATES: Final = 100
PRIMARY: Final = ("roc_auc", "average_precision")
SLOPE: Final = (0.9, 1.1)
"""The promised calibration slope on held-out time; its 95 % interval must reach it. 1 is right."""
SLOPE_BOUNDS: Final = (0.7, 1.4)
"""Hard limits of the slope, however wide its interval."""
INTERCEPT: Final = (-0.1, 0.1)
"""The promised calibration intercept, in log-odds; its 95 % interval must reach it. 0 is right."""
INTERCEPT_BOUNDS: Final = (-0.35, 0.35)
"""Hard limits of the intercept, however wide its interval."""
GROUP_INTERCEPT: Final = 0.7
"""A group fails if the whole interval of its intercept, in log-odds, lies farther than this from 0."""


@dataclass(frozen=True, slots=True)
class HeldOutFigures:
    """All figures of one model on the test fold."""

    evaluation: Evaluation
    against_naive: Comparison
    groups: Mapping[str, Sequence[GroupEvaluation]]
    bias: Sequence[DivisionFigures] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON."""
        return {
            "held_out": self.evaluation.to_json(),
            "against_naive": self.against_naive.to_json(),
            "groups": {name: [group.to_json() for group in groups] for name, groups in self.groups.items()},
            "bias": [division.to_json() for division in self.bias],
        }


def naive_scores(data: Dataset) -> Floats:
    """The naive rule's ranking of each row."""
    return naive.score(data.X[:, NAMES.index(naive.COLUMN)])


def measure(risk: Floats, data: Dataset, facility_names: Mapping[int, str], seed: int) -> HeldOutFigures:
    """Compute the figures of calibrated risks on held-out rows.

    Args:
        risk: (n,) calibrated probabilities.
        data: (n,) the rows, all labelled.
        facility_names: index of the facility -> name for readers.
        seed: seed of the bootstrap.
    """
    labels = {
        "facility": np.array([facility_names.get(int(index), str(index)) for index in data.facility]),
        "sex": np.array(SEXES)[data.sex],
        "age_band": np.array(AGE_BANDS)[data.age_band],
        "knowledge": np.where(data.assumed, "day of knowledge assumed", "day of knowledge stamped"),
    }
    return HeldOutFigures(
        evaluation=evaluate(risk, data.y, data.patient, replicates=REPLICATES, seed=seed),
        against_naive=compare(
            risk, naive_scores(data), data.y, data.patient, probability=False, replicates=REPLICATES, seed=seed
        ),
        groups=evaluate_groups(risk, data.y, data.patient, labels, replicates=GROUP_REPLICATES, seed=seed),
        bias=compare_groups(
            risk,
            data.y,
            data.patient,
            top_share(risk, data.facility, LISTED_SHARE),
            {name: labels[name] for name in ("sex", "age_band", "facility")},
            replicates=0,
        ),
    )


def naive_evaluation(data: Dataset, seed: int) -> Evaluation:
    """Figures of the naive rule's ranking."""
    return evaluate(naive_scores(data), data.y, data.patient, probability=False, replicates=REPLICATES, seed=seed)


def gates(figures: HeldOutFigures) -> dict[str, Any]:
    """Whether the model may be promoted: each gate with its verdict and the reason.

    ``performance``: better than the naive rule on ROC-AUC and average precision, with the whole interval.
    ``calibration``: the intervals of slope and intercept reach the promise, and both are within hard limits.
    ``groups``: no group is ranked worse than chance, or certainly miscalibrated. ``bias``: no group, small
    ones pooled, has certainly many more or fewer interruptions than predicted. ``leakage``: not too good to be true.
    """
    verdicts = {
        "performance": _performance(figures),
        "calibration": _calibration(figures.evaluation),
        "groups": _groups(figures.groups),
        "bias": bias_gate(figures.bias),
        "leakage": _leakage(figures.evaluation),
    }
    return {"passed": all(gate["passed"] for gate in verdicts.values()), **verdicts}


def _performance(figures: HeldOutFigures) -> dict[str, Any]:
    better = figures.against_naive.beats(*PRIMARY)
    gained = figures.against_naive.differences["roc_auc"]
    why = f"ROC-AUC {_estimate_text(gained)} against the naive rule"
    return {"passed": better, "why": why}


def _calibration(evaluation: Evaluation) -> dict[str, Any]:
    slope, intercept = evaluation.metrics["calibration_slope"], evaluation.metrics["calibration_intercept"]
    verdicts = [
        _promise("slope", slope, SLOPE, SLOPE_BOUNDS),
        _promise("intercept", intercept, INTERCEPT, INTERCEPT_BOUNDS),
    ]
    return {"passed": all(passed for passed, _ in verdicts), "why": "; ".join(why for _, why in verdicts)}


def _promise(
    name: str, estimate: Estimate, promise: tuple[float, float], bounds: tuple[float, float]
) -> tuple[bool, str]:
    """Whether a figure's interval reaches its promise, and the verdict in words."""
    text = f"{name} {_estimate_text(estimate)}"
    band = f"{promise[0]:g} to {promise[1]:g}"
    if estimate.value is None:
        return False, text
    low = estimate.value if estimate.low is None else estimate.low
    high = estimate.value if estimate.high is None else estimate.high
    if not bounds[0] <= estimate.value <= bounds[1]:
        return False, f"{text}, outside of {bounds[0]:g} to {bounds[1]:g}"
    if high < promise[0] or low > promise[1]:
        return False, f"{text}, its interval does not reach {band}"
    if promise[0] <= estimate.value <= promise[1]:
        return True, f"{text}, within {band}"
    return True, f"{text}, outside of {band}, which its interval reaches"


def calibration_limits(figures: HeldOutFigures) -> list[str]:
    """Warnings for readers about probabilities that are wrong, or may be: for all people, and for certain groups."""
    slope = figures.evaluation.metrics["calibration_slope"]
    limits = []
    if slope.value is not None and not SLOPE[0] <= slope.value <= SLOPE[1]:
        direction = "too close together" if slope.value > 1 else "too far apart"
        limits.append(
            f"Its probabilities may be {direction}: the calibration slope is {_estimate_text(slope)}, where "
            f"{SLOPE[0]:g} to {SLOPE[1]:g} is right. The order of people does not depend on it."
        )
    for division, members in figures.groups.items():
        for group in members:
            own = group.evaluation.metrics["calibration_slope"]
            if group.small or own.low is None or own.high is None:
                continue
            if own.high < SLOPE_BOUNDS[0] or own.low > SLOPE_BOUNDS[1]:
                limits.append(
                    f"Its probabilities are {'too close together' if own.low > 1 else 'too far apart'} among "
                    f"{division.replace('_', ' ')} {group.label}: calibration slope {_estimate_text(own)}."
                )
    return limits


def _groups(groups: Mapping[str, Sequence[GroupEvaluation]]) -> dict[str, Any]:
    wrong: list[str] = []
    for division, members in groups.items():
        for group in members:
            if group.small:
                continue
            auc, intercept = (group.evaluation.metrics[name] for name in ("roc_auc", "calibration_intercept"))
            if auc.high is not None and auc.high < 0.5:  # noqa: PLR2004 - chance
                wrong.append(f"{division} {group.label}: ranked worse than chance, ROC-AUC {_estimate_text(auc)}")
            if intercept.low is not None and intercept.high is not None:
                beyond = intercept.low > GROUP_INTERCEPT or intercept.high < -GROUP_INTERCEPT
                if beyond:
                    wrong.append(f"{division} {group.label}: calibration intercept {_estimate_text(intercept)}")
    return {"passed": not wrong, "why": "; ".join(wrong) or "no group stands out"}


def _leakage(evaluation: Evaluation) -> dict[str, Any]:
    alarm = leakage_alarm(evaluation)
    return {"passed": alarm is None, "why": alarm or "ROC-AUC is within what is known to be possible"}


def _estimate_text(estimate: Estimate) -> str:
    if estimate.value is None:
        return "not defined"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
