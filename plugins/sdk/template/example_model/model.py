"""A small linear model. Replace it by yours; the contract tests pass when yours is right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from plugins.sdk import (
    Artifact,
    BadArtifactError,
    BadDataError,
    Explanation,
    FeatureSpec,
    FloatArray,
    Json,
    TrainingData,
    check_matrix,
    seal,
    sigmoid,
    verify,
)

FORMAT = "example-model/1"
FILE = "model.json"
STEPS = 500


@dataclass(frozen=True)
class ExampleModel:
    """``log-odds = base + weights * (x - mean) / scale``; a missing value counts as the mean."""

    features: tuple[FeatureSpec, ...]
    base: float
    mean: FloatArray
    scale: FloatArray
    weights: FloatArray

    def predict(self, X: FloatArray) -> FloatArray:
        """Probability of interruption (n,)."""
        return sigmoid(self.explain(X).log_odds)

    def explain(self, X: FloatArray) -> Explanation:
        """Return each feature's contribution to the log-odds (n, p)."""
        matrix = check_matrix(X, len(self.features))
        contributions = np.nan_to_num((matrix - self.mean) / self.scale) * self.weights
        return Explanation(base=self.base, contributions=contributions)

    def summary(self) -> Mapping[str, Json]:
        """Facts for the model card."""
        return {"largest_weight": float(np.abs(self.weights).max())}


@dataclass(frozen=True)
class ExamplePlugin:
    """Logistic regression by gradient descent. Parameter: ``ridge`` (1.0), how strongly weights shrink to zero."""

    name: str = "example-model"
    version: str = "0.1.0"

    def fit(self, data: TrainingData, params: Mapping[str, Json], seed: int) -> Artifact:
        """Fit the model. Nothing in it is random, so it does not use the seed."""
        del seed
        if unknown := set(params) - {"ridge"}:
            message = f"the example model has no parameter {', '.join(sorted(unknown))}"
            raise BadDataError(message)
        ridge = float(params.get("ridge", 1.0))
        known = ~np.isnan(data.X)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, data.X, 0.0).sum(axis=0) / count
        deviation = np.where(known, data.X - mean, 0.0)
        scale = np.sqrt((deviation**2).sum(axis=0) / count)
        scale[scale == 0] = 1.0
        z = deviation / scale
        share = float(data.y.mean())
        base, weights = float(np.log(share / (1 - share))), np.zeros(z.shape[1])
        for _ in range(STEPS):
            error = data.y - sigmoid(base + z @ weights)
            base += float(error.mean())
            weights += (z.T @ error - ridge * weights) / len(z)
        content = {
            "features": [feature.to_json() for feature in data.features],
            "base": base,
            "mean": mean.tolist(),
            "scale": scale.tolist(),
            "weights": weights.tolist(),
        }
        return seal(FORMAT, {FILE: json.dumps(content).encode()})

    def load(self, artifact: Artifact) -> ExampleModel:
        """Verify the artifact, read it, and check the values."""
        verify(artifact, FORMAT)
        try:
            content = json.loads(artifact.files[FILE])
            features = tuple(FeatureSpec.from_json(feature) for feature in content["features"])
            base = float(content["base"])
            mean, scale, weights = (np.array(content[key], dtype=np.float64) for key in ("mean", "scale", "weights"))
        except (KeyError, TypeError, ValueError) as error:
            message = f"{FILE} is not an example model: {error}"
            raise BadArtifactError(message) from error
        for array in (mean, scale, weights):
            if array.shape != (len(features),) or not np.isfinite(array).all():
                message = f"{FILE} must have one finite number per feature"
                raise BadArtifactError(message)
        return ExampleModel(features, base, mean, scale, weights)
