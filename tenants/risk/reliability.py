"""The outcomes of people with the same score on held-out time: the interval of a score.

The outcome on held-out time is regressed on the log-odds of the calibrated risk (two numbers). The covariance allows
for one patient's decisions being alike (cluster-robust: Liang and Zeger, Biometrika 1986). The interval of a score is
the interval of the fitted share at that score.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tenants.risk.metrics import logistic_fit

FEWEST: Final = 20
"""The fewest outcomes of either kind for an interval."""
Z: Final = 1.959964
"""Standard errors on each side of a 95 % interval."""
EDGE: Final = 1e-6
TERMS: Final = 2

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reliability:
    """The fitted line and its covariance.

    Attributes:
        line: intercept and slope of the outcome's log-odds on the risk's; empty where nothing was measured.
        covariance: variance of the intercept, covariance of both, variance of the slope.
        decisions: number of rows behind it.
        patients: number of patients of these rows.
    """

    line: tuple[float, ...] = ()
    covariance: tuple[float, ...] = ()
    decisions: int = 0
    patients: int = 0

    def interval(self, risk: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Low and high (95 %) of the share that interrupts at each risk; missing where nothing was measured."""
        p = np.clip(np.asarray(risk, dtype=np.float64), EDGE, 1 - EDGE)
        if not self.line:
            return np.full(p.shape, np.nan), np.full(p.shape, np.nan)
        x = np.log(p) - np.log1p(-p)
        middle = self.line[0] + self.line[1] * x
        first, between, second = self.covariance
        half = Z * np.sqrt(np.maximum(first + 2 * between * x + second * x * x, 0.0))
        return _sigmoid(middle - half), _sigmoid(middle + half)

    def to_json(self) -> dict[str, Any]:
        """Return the line and its covariance as JSON."""
        return {
            "line": list(self.line),
            "covariance": list(self.covariance),
            "decisions": self.decisions,
            "patients": self.patients,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Reliability:
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: numbers are missing or not finite.
        """
        try:
            line = tuple(float(x) for x in value["line"])
            covariance = tuple(float(x) for x in value["covariance"])
            reliability = cls(line, covariance, int(value["decisions"]), int(value["patients"]))
        except (KeyError, TypeError) as error:
            message = f"not a table of reliability: {error}"
            raise ValueError(message) from error
        shapes = (len(line), len(covariance))
        if shapes not in {(0, 0), (TERMS, TERMS + 1)} or not np.isfinite((*line, *covariance)).all():
            message = "the numbers of the reliability are not two and three finite ones"
            raise ValueError(message)
        return reliability


EMPTY: Final = Reliability()


def measure(risk: npt.ArrayLike, y: npt.ArrayLike, patient: npt.ArrayLike) -> Reliability:
    """Fit on held-out decisions; :data:`EMPTY` where there are too few of either outcome."""
    p = np.clip(np.asarray(risk, dtype=np.float64), EDGE, 1 - EDGE)
    outcome = np.asarray(y, dtype=np.float64)
    if min(outcome.sum(), outcome.size - outcome.sum()) < FEWEST or np.ptp(p) == 0:
        return EMPTY
    design = np.column_stack([np.ones_like(p), np.log(p) - np.log1p(-p)])
    line = logistic_fit(design, outcome)
    share = _sigmoid(design @ line)
    bread = np.linalg.inv(design.T @ (design * (share * (1 - share))[:, None]))
    cluster = np.unique(np.asarray(patient), return_inverse=True)[1]
    patients = int(cluster.max()) + 1
    scores = np.stack(
        [np.bincount(cluster, weights=(outcome - share) * column, minlength=patients) for column in design.T], axis=1
    )
    covariance = bread @ (scores.T @ scores) @ bread
    return Reliability(
        line=(float(line[0]), float(line[1])),
        covariance=(float(covariance[0, 0]), float(covariance[0, 1]), float(covariance[1, 1])),
        decisions=int(outcome.size),
        patients=patients,
    )


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(0.5 * (1.0 + np.tanh(x / 2)), dtype=np.float64)
