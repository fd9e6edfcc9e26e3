"""Calibration: a calibrator, fitted on later time than the model and stored as JSON, corrects its probabilities.

There are four kinds, simplest first. ``identity`` changes nothing. ``logistic`` (Platt 1999) moves and stretches the
log-odds. ``beta`` (Kull, Silva Filho, Flach 2017) does so with a different stretch at each end. ``isotonic`` (Zadrozny,
Elkan 2002) is any rising curve with a bounded number of points. The choice is the simplest kind whose held-out log
loss, over folds of patients, is within one standard error, or a negligible 0.0003 nats, of the best.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import phrase
from tenants.risk.metrics import logistic_fit

Floats = NDArray[np.float64]
KINDS = ("identity", "logistic", "beta", "isotonic")
VERSION = 1
FOLDS = 5
MAX_POINTS = 50
MIN_BLOCK = 30
MIN_OUTCOMES = 20
MIN_GAIN = 3e-4
"""The least gain of a more complicated calibrator, in nats of log loss, to be chosen."""
EDGE = 1e-6
"""The smallest distance of a calibrated probability from 0 and 1: nobody is certain to come or to stay away."""


@dataclass(frozen=True, slots=True)
class Calibrator:
    """A rising map from a model's probability to a calibrated one.

    Attributes:
        kind: one of :data:`KINDS`.
        parameters: ``logistic``: intercept, slope; ``beta``: a, b, c; ``isotonic``: x and y of its points.
        decisions: number of rows that it was fitted on.
        patients: number of patients of these rows.
        interruptions: number of rows with outcome 1.
        held_out: kind -> log loss, in nats, on patients left out.
    """

    kind: str
    parameters: Mapping[str, Any]
    decisions: int
    patients: int
    interruptions: int
    held_out: Mapping[str, float]

    def apply(self, p: ArrayLike) -> Floats:
        """Calibrated probabilities (n,) of the model's probabilities (n,), each inside (0, 1).

        Raises:
            ValueError: a value is not a probability.
        """
        return _apply(self.kind, self.parameters, _probabilities(p))

    def note(self) -> str:
        """One sentence for the reader of a score."""
        if self.kind == "identity":
            return phrase(
                "Not recalibrated: on {decisions:,} later decisions of {patients:,} patients no correction did better"
                " than the model's own probabilities.",
                decisions=self.decisions,
                patients=self.patients,
            )
        return phrase(
            "Recalibrated ({kind}) on {decisions:,} later decisions of {patients:,} patients, {interruptions:,} of"
            " which ended in interruption.",
            kind=self.kind,
            decisions=self.decisions,
            patients=self.patients,
            interruptions=self.interruptions,
        )

    def to_json(self) -> dict[str, Any]:
        """The calibrator as a JSON object."""
        return {
            "version": VERSION,
            "kind": self.kind,
            "parameters": dict(self.parameters),
            "decisions": self.decisions,
            "patients": self.patients,
            "interruptions": self.interruptions,
            "held_out": dict(self.held_out),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Calibrator:
        """Read what :meth:`to_json` wrote, and check it.

        Raises:
            ValueError: another version or kind, parameters missing, not finite, or not rising.
        """
        try:
            if value["version"] != VERSION or value["kind"] not in KINDS:
                message = f"a calibrator of version {value['version']!r} and kind {value['kind']!r} cannot be read"
                raise ValueError(message)
            parameters = _checked_parameters(str(value["kind"]), value["parameters"])
            return cls(
                kind=str(value["kind"]),
                parameters=parameters,
                decisions=int(value["decisions"]),
                patients=int(value["patients"]),
                interruptions=int(value["interruptions"]),
                held_out={str(kind): float(loss) for kind, loss in value["held_out"].items()},
            )
        except (KeyError, TypeError, AttributeError) as error:
            message = f"not a calibrator: {error}"
            raise ValueError(message) from error


def fit_calibrator(p: ArrayLike, y: ArrayLike, groups: ArrayLike, *, seed: int = 0) -> Calibrator:
    """Choose and fit the calibrator of a model.

    Args:
        p: (n,), the model's probabilities on decisions it was not fitted on.
        y: (n,), 0 or 1.
        groups: (n,), the patient of each row; one patient is never on both sides of a fold.
        seed: seed of the folds.

    Returns:
        ``identity`` when there are fewer than 20 outcomes of either kind.

    Raises:
        ValueError: shapes differ or values are out of range.
    """
    scores = _probabilities(p)
    outcomes = np.asarray(y, dtype=np.float64)
    if outcomes.shape != scores.shape or not len(scores) or not np.isin(outcomes, (0.0, 1.0)).all():
        message = "y must hold 0 and 1, one per probability, and at least one"
        raise ValueError(message)
    patient = np.asarray(groups)
    if patient.shape != scores.shape:
        message = "groups must hold one patient per probability"
        raise ValueError(message)
    cluster = np.unique(patient, return_inverse=True)[1]
    patients, interruptions = int(cluster.max()) + 1, int(outcomes.sum())
    kind: str = "identity"
    held_out: dict[str, float] = {}
    if patients >= FOLDS and min(interruptions, len(outcomes) - interruptions) >= MIN_OUTCOMES:
        kind, held_out = _choose(scores, outcomes, np.random.default_rng(seed).permutation(patients)[cluster] % FOLDS)
    return Calibrator(
        kind=kind,
        parameters=_fit(kind, scores, outcomes),
        decisions=len(scores),
        patients=patients,
        interruptions=interruptions,
        held_out=held_out,
    )


def _choose(p: Floats, y: Floats, fold: NDArray[np.int64]) -> tuple[str, dict[str, float]]:
    losses = np.empty((len(KINDS), len(p)))
    for fold_number in range(FOLDS):
        inside, outside = fold != fold_number, fold == fold_number
        for row, kind in enumerate(KINDS):
            calibrated = _apply(kind, _fit(kind, p[inside], y[inside]), p[outside])
            losses[row, outside] = -(y[outside] * np.log(calibrated) + (1 - y[outside]) * np.log1p(-calibrated))
    means = losses.mean(axis=1)
    best = int(np.argmin(means))
    by_fold = np.stack(
        [
            (losses[:, fold == fold_number] - losses[best, fold == fold_number]).mean(axis=1)
            for fold_number in range(FOLDS)
        ]
    )
    error = by_fold.std(axis=0, ddof=1) / np.sqrt(FOLDS)
    close = np.flatnonzero(means - means[best] <= np.maximum(error, MIN_GAIN))
    return KINDS[int(close[0])], {kind: float(means[row]) for row, kind in enumerate(KINDS)}


def _fit(kind: str, p: Floats, y: Floats) -> dict[str, Any]:
    if kind == "identity":
        return {}
    if kind == "isotonic":
        return _fit_isotonic(p, y)
    constant = np.ones_like(p)
    if kind == "logistic":
        intercept, slope = logistic_fit(np.stack([constant, np.log(p) - np.log1p(-p)], axis=1), y, ridge=1e-3)
        # A model that ranks the wrong way round is not reversed: its scores become the base rate.
        if slope <= 0:
            return {"intercept": float(logistic_fit(constant[:, None], y)[0]), "slope": 0.0}
        return {"intercept": float(intercept), "slope": float(slope)}
    columns = np.stack([np.log(p), -np.log1p(-p)], axis=1)
    column_indices = [0, 1]
    while column_indices:
        coefficients = logistic_fit(np.column_stack([constant, columns[:, column_indices]]), y, ridge=1e-3)
        if (coefficients[1:] >= 0).all():
            break
        column_indices.pop(int(np.argmin(coefficients[1:])))
    else:
        coefficients = logistic_fit(constant[:, None], y)
    weights = dict(zip(column_indices, coefficients[1:], strict=True))
    return {"a": float(weights.get(0, 0.0)), "b": float(weights.get(1, 0.0)), "c": float(coefficients[0])}


def _fit_isotonic(p: Floats, y: Floats) -> dict[str, Any]:
    from scipy.optimize import isotonic_regression

    order = np.argsort(p, kind="stable")
    # Blocks of many rows: few blocks, none so small that its share could identify a person.
    blocks = max(1, min(MAX_POINTS, len(p) // MIN_BLOCK))
    edges = np.linspace(0, len(p), blocks + 1).astype(np.int64)
    counts = np.diff(edges).astype(np.float64)
    x = np.add.reduceat(p[order], edges[:-1]) / counts
    observed = (np.add.reduceat(y[order], edges[:-1]) + y.mean()) / (counts + 1)
    rising = isotonic_regression(observed, weights=counts).x
    x, first = np.unique(x, return_index=True)
    return {"x": x.tolist(), "y": np.clip(rising[first], EDGE, 1 - EDGE).tolist()}


def _apply(kind: str, parameters: Mapping[str, Any], p: Floats) -> Floats:
    if kind == "identity":
        return _bounded(p)
    if kind == "isotonic":
        return _bounded(np.interp(p, parameters["x"], parameters["y"]))
    if kind == "logistic":
        log_odds = parameters["intercept"] + parameters["slope"] * (np.log(p) - np.log1p(-p))
    else:
        log_odds = parameters["c"] + parameters["a"] * np.log(p) - parameters["b"] * np.log1p(-p)
    return _bounded(0.5 * (1.0 + np.tanh(log_odds / 2)))


def _probabilities(p: ArrayLike) -> Floats:
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        message = "p must be a row of probabilities, each in [0, 1]"
        raise ValueError(message)
    return _bounded(values)


def _bounded(p: Floats) -> Floats:
    return np.asarray(np.clip(p, EDGE, 1 - EDGE), dtype=np.float64)


def _checked_parameters(kind: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    names = {"identity": (), "logistic": ("intercept", "slope"), "beta": ("a", "b", "c"), "isotonic": ("x", "y")}[kind]
    if set(parameters) != set(names):
        message = f"a calibrator of kind {kind!r} has the parameters {names}, not {sorted(parameters)}"
        raise ValueError(message)
    values = {name: np.asarray(parameters[name], dtype=np.float64) for name in names}
    shape_ok = all(value.ndim == (kind == "isotonic") and 0 < value.size <= MAX_POINTS for value in values.values())
    if not shape_ok or not all(np.isfinite(value).all() for value in values.values()):
        message = "the calibrator's parameters are not finite numbers of the expected shape"
        raise ValueError(message)
    if kind == "isotonic":
        x, y = values["x"], values["y"]
        rising = len(x) == len(y) and (np.diff(x) > 0).all() and (np.diff(y) >= 0).all() and y[0] > 0 and y[-1] < 1
    else:
        rising = all(values[name] >= 0 for name in names if name in {"slope", "a", "b"})
    if not rising:
        message = "the calibrator's curve does not rise"
        raise ValueError(message)
    return {name: value.tolist() for name, value in values.items()}
