"""A model on held-out later time: figures with intervals, groups, the naive rule beside it, and the gates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tenants.risk import naive
from tenants.risk.dataset import AGE_BANDS
from tenants.risk.feature_list import NAMES, SEXES
from tenants.risk.metrics import Comparison, Evaluation, compare, evaluate, leakage_alarm
from tenants.risk.strata import GroupEvaluation, evaluate_groups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from tenants.risk.dataset import Dataset

    Floats = npt.NDArray[np.float64]

REPLICATES: Final = 200
GROUP_REPLICATES: Final = 100
PRIMARY: Final = ("roc_auc", "average_precision")
SLOPE: Final = (0.7, 1.4)
"""Calibration slope that is accepted on held-out time; 1 is right."""
INTERCEPT: Final = 0.35
"""Calibration intercept accepted, log-odds either way; 0 is right."""
GROUP_INTERCEPT: Final = 0.7
"""A group fails when its whole interval of the intercept lies beyond this, log-odds either way."""


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was measured of one model on the test fold."""

    evaluation: Evaluation
    against_naive: Comparison
    groups: Mapping[str, Sequence[GroupEvaluation]]

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "held_out": self.evaluation.to_json(),
            "against_naive": self.against_naive.to_json(),
            "groups": {name: [group.to_json() for group in groups] for name, groups in self.groups.items()},
        }


def naive_scores(data: Dataset) -> Floats:
    """The naive rule's ranking of each row."""
    return naive.score(data.X[:, NAMES.index(naive.COLUMN)])


def measure(risk: Floats, data: Dataset, facility_names: Mapping[int, str], seed: int) -> Measured:
    """Figures of calibrated risks on held-out rows.

    Args:
        risk: (n,) calibrated probabilities.
        data: (n,) the rows, all labelled.
        facility_names: index of the facility to what a reader knows it by.
        seed: of the bootstrap.
    """
    labels = {
        "facility": np.array([facility_names.get(int(index), str(index)) for index in data.facility]),
        "sex": np.array(SEXES)[data.sex],
        "age_band": np.array(AGE_BANDS)[data.age_band],
        "knowledge": np.where(data.assumed, "day of knowledge assumed", "day of knowledge stamped"),
    }
    return Measured(
        evaluation=evaluate(risk, data.y, data.patient, replicates=REPLICATES, seed=seed),
        against_naive=compare(
            risk, naive_scores(data), data.y, data.patient, probability=False, replicates=REPLICATES, seed=seed
        ),
        groups=evaluate_groups(risk, data.y, data.patient, labels, replicates=GROUP_REPLICATES, seed=seed),
    )


def naive_evaluation(data: Dataset, seed: int) -> Evaluation:
    """Figures of the naive rule's ranking."""
    return evaluate(naive_scores(data), data.y, data.patient, probability=False, replicates=REPLICATES, seed=seed)


def gates(measured: Measured) -> dict[str, Any]:
    """Whether the model may be promoted: each gate with its verdict and why.

    ``performance``: better than the naive rule on ROC-AUC and average precision with the whole interval.
    ``calibration``: slope and intercept near 1 and 0. ``groups``: no group ranked worse than chance or miscalibrated
    beyond doubt. ``leakage``: not too good to be true.
    """
    found = {
        "performance": _performance(measured),
        "calibration": _calibration(measured.evaluation),
        "groups": _groups(measured.groups),
        "leakage": _leakage(measured.evaluation),
    }
    return {"passed": all(gate["passed"] for gate in found.values()), **found}


def _performance(measured: Measured) -> dict[str, Any]:
    better = measured.against_naive.beats(*PRIMARY)
    gained = measured.against_naive.differences["roc_auc"]
    why = f"ROC-AUC {_shown(gained)} against the naive rule"
    return {"passed": better, "why": why}


def _calibration(evaluation: Evaluation) -> dict[str, Any]:
    slope, intercept = evaluation.metrics["calibration_slope"], evaluation.metrics["calibration_intercept"]
    passed = (
        slope.value is not None
        and intercept.value is not None
        and SLOPE[0] <= slope.value <= SLOPE[1]
        and abs(intercept.value) <= INTERCEPT
    )
    return {"passed": passed, "why": f"slope {_shown(slope)}, intercept {_shown(intercept)}"}


def _groups(groups: Mapping[str, Sequence[GroupEvaluation]]) -> dict[str, Any]:
    wrong: list[str] = []
    for division, members in groups.items():
        for group in members:
            if group.small:
                continue
            auc, intercept = (group.evaluation.metrics[name] for name in ("roc_auc", "calibration_intercept"))
            if auc.high is not None and auc.high < 0.5:  # noqa: PLR2004 - chance
                wrong.append(f"{division} {group.label}: ranked worse than chance, ROC-AUC {_shown(auc)}")
            if intercept.low is not None and intercept.high is not None:
                beyond = intercept.low > GROUP_INTERCEPT or intercept.high < -GROUP_INTERCEPT
                if beyond:
                    wrong.append(f"{division} {group.label}: calibration intercept {_shown(intercept)}")
    return {"passed": not wrong, "why": "; ".join(wrong) or "no group stands out"}


def _leakage(evaluation: Evaluation) -> dict[str, Any]:
    alarm = leakage_alarm(evaluation)
    return {"passed": alarm is None, "why": alarm or "ROC-AUC is within what is known to be possible"}


def _shown(estimate: Any) -> str:  # noqa: ANN401 - an Estimate
    if estimate.value is None:
        return "not defined"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
