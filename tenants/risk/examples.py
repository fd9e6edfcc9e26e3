"""Examples of a model's figures, for the API's description. They agree with each other."""

from __future__ import annotations

from typing import Any, Final


def _estimate(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": value, "low": low, "high": high}


GATES: Final[dict[str, Any]] = {
    "passed": True,
    "performance": {"passed": True, "why": "ROC-AUC +0.05 (0.03 to 0.07) against the naive rule"},
    "calibration": {"passed": True, "why": "slope 0.98 (0.91 to 1.05); intercept -0.02 (-0.09 to 0.05)"},
    "groups": {"passed": True, "why": "no group is ranked worse than chance, or certainly miscalibrated"},
    "bias": {"passed": True, "why": "no group is certainly served worse"},
    "leakage": {"passed": True, "why": "ROC-AUC 0.79 is not too good to be true"},
}

_HELD_OUT: Final[dict[str, Any]] = {
    "decisions": 8_412,
    "patients": 3_960,
    "interruptions": 1_010,
    "level": 0.95,
    "metrics": {
        "roc_auc": _estimate(0.79, 0.77, 0.81),
        "calibration_slope": _estimate(0.98, 0.91, 1.05),
        "calibration_intercept": _estimate(-0.02, -0.09, 0.05),
    },
}
_AGAINST_NAIVE: Final[dict[str, Any]] = {"level": 0.95, "differences": {"roc_auc": _estimate(0.05, 0.03, 0.07)}}

FIGURES: Final[dict[str, Any]] = {"held_out": _HELD_OUT, "against_naive": _AGAINST_NAIVE, "groups": {}}

CARD: Final[dict[str, Any]] = {
    "failure": None,
    "metrics": _HELD_OUT,
    "against_naive": _AGAINST_NAIVE,
    "gates": GATES,
    "limits": ["It ranks people in care; it diagnoses nobody."],
}

ACCURACY: Final[dict[str, Any]] = {
    "month": "2026-06-01",
    "decisions": 4_210,
    "patients": 3_985,
    "interrupted": 463,
    "listed": 900,
    "listed_interrupted": 189,
    "competing": 37,
    "mean_risk": 0.118,
    "figures": {
        "base_rate": _estimate(0.11, 0.101, 0.119),
        "roc_auc": _estimate(0.77, 0.75, 0.79),
        "average_precision": _estimate(0.31, 0.28, 0.34),
        "brier": _estimate(0.087, 0.082, 0.092),
        "calibration_intercept": _estimate(-0.08, -0.17, 0.01),
    },
    "measured_at": "2026-11-29T03:30:07Z",
}
