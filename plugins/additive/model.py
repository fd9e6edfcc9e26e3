"""The fitted additive model: reads JSON, scores and explains with numpy only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from plugins.additive.bins import Bins
from plugins.sdk import (
    Artifact,
    BadArtifactError,
    BadDataError,
    Explanation,
    FeatureSpec,
    FloatArray,
    Json,
    check_matrix,
    seal,
    sigmoid,
    verify,
)

FORMAT = "iit-additive/1"
FILE = "model.json"
MAX_FEATURES = 1_000
MAX_BINS = 1_000
MAX_WEIGHT = 100.0


@dataclass(frozen=True, slots=True)
class Curve:
    """The values that one feature adds to the log-odds: one per bin, the last for missing values.

    Their average over the training rows is zero.
    """

    feature: FeatureSpec
    bins: Bins
    values: FloatArray


@dataclass(frozen=True, slots=True)
class AdditiveModel:
    """``log-odds = base + sum of the curves``. Contributions are the curves' values: exact, in log-odds."""

    base: float
    curves: tuple[Curve, ...]
    facts: Mapping[str, Json]

    @property
    def features(self) -> tuple[FeatureSpec, ...]:
        """The columns, in order."""
        return tuple(curve.feature for curve in self.curves)

    def predict(self, X: FloatArray) -> FloatArray:
        """Probability of interruption (n,) of the rows of X (n, p)."""
        return sigmoid(self.explain(X).log_odds)

    def explain(self, X: FloatArray) -> Explanation:
        """Return each feature's contribution to the log-odds of each row of X (n, p)."""
        matrix = check_matrix(X, len(self.curves))
        contributions = np.empty_like(matrix)
        for index, curve in enumerate(self.curves):
            contributions[:, index] = curve.values[curve.bins.codes(matrix[:, index])]
        return Explanation(base=self.base, contributions=contributions)

    def summary(self) -> Mapping[str, Json]:
        """The chosen penalty, and the number of rows and the base rate of the training data."""
        return dict(self.facts)

    def save(self) -> Artifact:
        """The model as JSON."""
        content = {
            "base": self.base,
            "facts": dict(self.facts),
            "curves": [
                {
                    "feature": curve.feature.to_json(),
                    "edges": curve.bins.edges.tolist(),
                    "values": curve.values.tolist(),
                }
                for curve in self.curves
            ],
        }
        return seal(FORMAT, {FILE: json.dumps(content, allow_nan=False, separators=(",", ":")).encode()})


def read(artifact: Artifact) -> AdditiveModel:
    """The model that :meth:`AdditiveModel.save` wrote, after checking all of it.

    Raises:
        BadArtifactError: says what is wrong.
    """
    verify(artifact, FORMAT)
    if FILE not in artifact.files:
        message = f"the artifact has no {FILE}"
        raise BadArtifactError(message)
    try:
        content = json.loads(artifact.files[FILE])
        base = float(content["base"])
        facts = content["facts"]
        curves = tuple(_curve(entry) for entry in content["curves"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        message = f"{FILE} is not an additive model: {error}"
        raise BadArtifactError(message) from error
    names = {curve.feature.name for curve in curves}
    if not 0 < len(curves) <= MAX_FEATURES or len(names) != len(curves) or not isinstance(facts, dict):
        message = f"{FILE} must have 1 to {MAX_FEATURES} curves with unique names, and facts"
        raise BadArtifactError(message)
    if not abs(base) <= MAX_WEIGHT:
        message = f"{FILE} has a base that is not a finite log-odds"
        raise BadArtifactError(message)
    return AdditiveModel(base=base, curves=curves, facts=facts)


def _curve(entry: Mapping[str, Json]) -> Curve:
    try:
        feature = FeatureSpec.from_json(entry["feature"])
    except BadDataError as error:
        raise BadArtifactError(str(error)) from error
    edges = np.array(entry["edges"], dtype=np.float64).reshape(-1)
    values = np.array(entry["values"], dtype=np.float64).reshape(-1)
    bins = Bins(edges=edges, categories=len(feature.categories))
    if len(values) != bins.size or bins.size > MAX_BINS or (feature.categories and len(edges)):
        message = f"curve {feature.name!r} has {len(values)} values for {bins.size} bins"
        raise BadArtifactError(message)
    if not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
        message = f"curve {feature.name!r} has edges that are not finite and rising"
        raise BadArtifactError(message)
    if not (np.abs(values) <= MAX_WEIGHT).all():
        message = f"curve {feature.name!r} has values that are not finite log-odds"
        raise BadArtifactError(message)
    return Curve(feature=feature, bins=bins, values=values)
