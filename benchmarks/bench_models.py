"""Benchmark of scoring and explaining: LightGBM against HistGradientBoosting with shap, plugins against their library.

All boosters have the same number of trees of at most 31 leaves on the same 50 features, see the same rows, and use one
thread. The decision record of the boosting library rests on these figures.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks.measure import Ratio, compare
from plugins.additive.plugin import AdditivePlugin
from plugins.boosting.library import lightgbm as library
from plugins.boosting.plugin import BoostingPlugin
from plugins.sdk import FeatureSpec, TrainingData, sigmoid

_ROWS, _COLUMNS, _TREES, _LEAVES = 20_000, 50, 300, 31
_BATCH, _EXPLAINED, _ROUNDS = 5_000, 100, 9
_MISSING = 0.1


def _invented() -> TrainingData:
    random = np.random.default_rng(0)
    matrix = random.normal(size=(_ROWS, _COLUMNS))
    matrix[:, :20] = np.round(np.exp(matrix[:, :20]) * 5)
    y = (random.random(_ROWS) < sigmoid(0.08 * matrix[:, 0] + matrix[:, 30] - 2)).astype(np.int8)
    matrix[random.random(matrix.shape) < _MISSING] = np.nan
    features = tuple(FeatureSpec(f"f{index}", "continuous") for index in range(_COLUMNS))
    # Validated on its own rows, so that stopping early never bites and every model has all its trees.
    return TrainingData(matrix, y, np.arange(_ROWS) // 4, features, matrix[:2000], y[:2000])


def run() -> Iterator[Ratio]:
    """Compare on invented data."""
    # One thread each: with more, a busy machine slows the library that waits for its threads, not the slower one.
    os.environ["OMP_NUM_THREADS"] = "1"
    import shap
    from sklearn.ensemble import HistGradientBoostingClassifier

    data = _invented()
    batch, explained, one = data.X[:_BATCH], data.X[:_EXPLAINED], data.X[:1]
    params = {"max_trees": _TREES, "patience": _TREES, "num_leaves": _LEAVES, "learning_rate": 0.03}
    artifact = BoostingPlugin().fit(data, params, 0)
    boosting = BoostingPlugin().load(artifact)
    booster = library().Booster(model_str=artifact.files["trees.txt"].decode())
    hist = HistGradientBoostingClassifier(
        max_iter=boosting.summary()["trees"],
        max_leaf_nodes=_LEAVES,
        min_samples_leaf=50,
        learning_rate=0.03,
        early_stopping=False,
    ).fit(data.X, data.y)
    tree_shap = shap.TreeExplainer(hist)
    reference = shap.TreeExplainer(booster, feature_perturbation="tree_path_dependent")
    reference.model.model_type = "internal"  # shap's own code, which otherwise calls LightGBM's
    plain = replace(data, X_val=None, y_val=None)
    additive = AdditivePlugin().load(AdditivePlugin().fit(plain, {}, 0))

    def measured(name: str, ours: object, bare: object, calls: int) -> Ratio:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return compare(name, ours, bare, calls=calls, rounds=_ROUNDS)  # type: ignore[arg-type]

    rows = f"{_BATCH:,} rows scored"
    yield measured(
        f"{rows}: LightGBM, over HistGradientBoosting",
        lambda: booster.predict(batch),
        lambda: hist.predict_proba(batch),
        1,
    )
    yield measured(
        f"{rows}: our boosting plugin, over LightGBM",
        lambda: boosting.predict(batch),
        lambda: booster.predict(batch),
        1,
    )
    yield measured(
        f"{rows}: our additive plugin, over LightGBM",
        lambda: additive.predict(batch),
        lambda: booster.predict(batch),
        1,
    )
    yield measured(
        "one row scored: LightGBM, over HistGradientBoosting",
        lambda: booster.predict(one, num_threads=1),
        lambda: hist.predict_proba(one),
        3,
    )
    yield measured(
        "one row scored: our boosting plugin, over LightGBM",
        lambda: boosting.predict(one),
        lambda: booster.predict(one, num_threads=1),
        50,
    )
    yield measured(
        "one row scored: our additive plugin, over LightGBM",
        lambda: additive.predict(one),
        lambda: booster.predict(one, num_threads=1),
        50,
    )
    reasons = f"{_EXPLAINED} rows explained"
    yield measured(
        f"{reasons}: LightGBM, over HistGradientBoosting with shap",
        lambda: booster.predict(explained, pred_contrib=True),
        lambda: tree_shap.shap_values(explained, check_additivity=False),
        1,
    )
    yield measured(
        f"{reasons}: LightGBM, over shap's own code on its trees",
        lambda: booster.predict(explained, pred_contrib=True),
        lambda: reference.shap_values(explained, check_additivity=False),
        1,
    )
    yield measured(
        f"{reasons}: our boosting plugin, over LightGBM",
        lambda: boosting.explain(explained),
        lambda: booster.predict(explained, pred_contrib=True),
        1,
    )
    yield measured(
        f"{reasons}: our additive plugin, over LightGBM",
        lambda: additive.explain(explained),
        lambda: booster.predict(explained, pred_contrib=True),
        1,
    )
