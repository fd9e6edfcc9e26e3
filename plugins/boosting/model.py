"""The fitted boosting model: LightGBM's own scorer and its exact TreeSHAP, behind checks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from plugins.boosting import treetext
from plugins.boosting.library import lightgbm
from plugins.sdk import (
    Artifact,
    BadArtifactError,
    BadDataError,
    Explanation,
    FeatureSpec,
    FloatArray,
    Json,
    check_matrix,
    sigmoid,
    verify,
)

if TYPE_CHECKING:
    from lightgbm import Booster

FORMAT = "iit-boosting/1"
TREES = "trees.txt"
FILE = "model.json"
MAX_FEATURES = 1_000
MAX_TREE_BYTES = 64 * 1024 * 1024
FEW_ROWS = 256
"""Rows below which threads cost more than they save."""


class BoostingModel:
    """Trees that add up in log-odds. Contributions are Shapley values of the trees (TreeSHAP, Lundberg 2020), exact."""

    def __init__(self, booster: Booster, features: tuple[FeatureSpec, ...], facts: Mapping[str, Json]) -> None:
        self._booster = booster
        self._features = features
        self._facts = dict(facts)
        self._base = float(self._contributions(np.zeros((1, len(features))))[0, -1])

    @property
    def features(self) -> tuple[FeatureSpec, ...]:
        """The columns, in order."""
        return self._features

    def predict(self, X: FloatArray) -> FloatArray:
        """Probability of interruption (n,) of the rows of X (n, p)."""
        matrix = check_matrix(X, len(self._features))
        if not len(matrix):
            return np.empty(0)
        raw = self._booster.predict(matrix, raw_score=True, num_threads=_threads(matrix))
        return sigmoid(np.asarray(raw, dtype=np.float64))

    def explain(self, X: FloatArray) -> Explanation:
        """Return each feature's contribution to the log-odds of each row of X (n, p)."""
        matrix = check_matrix(X, len(self._features))
        if not len(matrix):
            return Explanation(base=self._base, contributions=np.empty(matrix.shape))
        return Explanation(base=self._base, contributions=self._contributions(matrix)[:, :-1])

    def summary(self) -> Mapping[str, Json]:
        """The number of trees, and the number of rows and the base rate of the training data."""
        return dict(self._facts)

    def _contributions(self, matrix: FloatArray) -> FloatArray:
        contributions = self._booster.predict(matrix, pred_contrib=True, num_threads=_threads(matrix))
        return np.ascontiguousarray(contributions, dtype=np.float64)


def _threads(matrix: FloatArray) -> int:
    return 1 if len(matrix) < FEW_ROWS else 0


def read(artifact: Artifact) -> BoostingModel:
    """The model that :meth:`plugins.boosting.plugin.BoostingPlugin.fit` wrote, after checking all of it.

    Raises:
        BadArtifactError: says what is wrong.
    """
    verify(artifact, FORMAT)
    if not {FILE, TREES} <= set(artifact.files):
        message = f"the artifact must have {FILE} and {TREES}"
        raise BadArtifactError(message)
    try:
        content = json.loads(artifact.files[FILE])
        features = tuple(FeatureSpec.from_json(feature) for feature in content["features"])
        facts = content["facts"]
        stated = content["trees"]
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        message = f"{FILE} does not describe a boosting model: {error}"
        raise BadArtifactError(message) from error
    unique = len({feature.name for feature in features}) == len(features)
    if not 0 < len(features) <= MAX_FEATURES or not unique or not isinstance(facts, dict):
        message = f"{FILE} must have 1 to {MAX_FEATURES} features with unique names, and facts"
        raise BadArtifactError(message)
    trees = artifact.files[TREES]
    if len(trees) > MAX_TREE_BYTES:
        message = f"{TREES} has {len(trees)} bytes, more than {MAX_TREE_BYTES}"
        raise BadArtifactError(message)
    if treetext.check(trees, len(features)) != stated:
        message = f"{FILE} states {stated} trees, but {TREES} has another number"
        raise BadArtifactError(message)
    return BoostingModel(_booster(trees.decode("ascii")), features, facts)


def _booster(text: str) -> Booster:
    library = lightgbm()
    try:
        booster: Booster = library.Booster(model_str=text)
    except library.basic.LightGBMError as error:
        message = f"LightGBM cannot read the trees: {str(error)[:200]}"
        raise BadArtifactError(message) from error
    return booster


def describe(features: tuple[FeatureSpec, ...], trees: int, facts: Mapping[str, Json]) -> bytes:
    """The JSON file of an artifact.

    Raises:
        BadDataError: there are more features than a model can have.
    """
    if len(features) > MAX_FEATURES:
        message = f"a boosting model takes at most {MAX_FEATURES} features, not {len(features)}"
        raise BadDataError(message)
    content = {"features": [feature.to_json() for feature in features], "trees": trees, "facts": dict(facts)}
    return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()
