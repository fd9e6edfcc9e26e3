"""Scoring and explaining: LightGBM against HistGradientBoosting with shap, and our plugins against the bare library.

Both boosters get the same data, 300 trees of at most 31 leaves and 50 features, and the same rows; each figure is the median of
repeated calls in this one run, so that the ratios hold on any machine while the rates depend on it.

    python -m benchmarks.models
"""

from __future__ import annotations

import os
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from plugins.additive import AdditivePlugin
from plugins.boosting import BoostingPlugin
from plugins.sdk import FeatureSpec, TrainingData, sigmoid

ROWS, COLUMNS, TREES, LEAVES = 40_000, 50, 300, 31
BATCH, EXPLAINED = 20_000, 300
SECONDS = 1.5


def rate(call: Callable[[], object], rows: int) -> float:
    """Rows a second, from the median of calls over about ``SECONDS``."""
    call()
    taken: list[float] = []
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(taken) < 3:
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return rows / statistics.median(taken)


def invented() -> TrainingData:
    random = np.random.default_rng(0)
    matrix = random.normal(size=(ROWS, COLUMNS))
    matrix[:, :20] = np.round(np.exp(matrix[:, :20]) * 5)
    y = (random.random(ROWS) < sigmoid(0.08 * matrix[:, 0] + matrix[:, 30] - 2)).astype(np.int8)
    matrix[random.random(matrix.shape) < 0.1] = np.nan
    features = tuple(FeatureSpec(f"f{index}", "continuous") for index in range(COLUMNS))
    return TrainingData(matrix, y, np.arange(ROWS) // 4, features)


def line(what: str, value: float, against: float | None = None) -> None:
    ratio = "" if against is None else f"{value / against:8.2f} x"
    print(f"  {what:<58} {value:>12,.0f} rows/s {ratio}")


def main() -> None:
    """Measure and print."""
    import lightgbm
    import shap
    from sklearn.ensemble import HistGradientBoostingClassifier

    warnings.filterwarnings("ignore", category=UserWarning)
    data = invented()
    batch, explained, one = data.X[:BATCH], data.X[:EXPLAINED], data.X[:1]
    # Early stopping never bites: every model has the same number of trees.
    given = replace(data, X_val=data.X[:2000], y_val=data.y[:2000])
    params = {"max_trees": TREES, "patience": TREES, "num_leaves": LEAVES, "min_rows_in_leaf": 20, "learning_rate": 0.03}
    start = time.perf_counter()
    ours = BoostingPlugin().load(BoostingPlugin().fit(given, params, 0))
    fitted = time.perf_counter() - start
    bare = lightgbm.train(
        {"objective": "binary", "num_leaves": LEAVES, "learning_rate": 0.03, "verbosity": -1},
        lightgbm.Dataset(data.X, data.y),
        ours.summary()["trees"],
    )
    hist = HistGradientBoostingClassifier(
        max_iter=ours.summary()["trees"], max_leaf_nodes=LEAVES, learning_rate=0.03, early_stopping=False
    ).fit(data.X, data.y)
    explainer = shap.TreeExplainer(hist)
    reference = shap.TreeExplainer(bare, feature_perturbation="tree_path_dependent")
    reference.model.model_type = "internal"  # shap's own code, not LightGBM's
    start = time.perf_counter()
    additive = AdditivePlugin().load(AdditivePlugin().fit(given, {}, 0))
    additive_fitted = time.perf_counter() - start

    print(f"models: {ours.summary()['trees']} trees, {LEAVES} leaves, {COLUMNS} features, {os.cpu_count()} processors")
    print("scoring a batch")
    base = rate(lambda: hist.predict_proba(batch), BATCH)
    line("HistGradientBoosting", base)
    line("LightGBM, bare Booster", rate(lambda: bare.predict(batch), BATCH), base)
    line("our boosting plugin (checks, bounds)", rate(lambda: ours.predict(batch), BATCH), base)
    line("our additive plugin", rate(lambda: additive.predict(batch), BATCH), base)
    print("scoring one row")
    base = rate(lambda: hist.predict_proba(one), 1)
    line("HistGradientBoosting", base)
    line("LightGBM, bare Booster", rate(lambda: bare.predict(one, num_threads=1), 1), base)
    line("our boosting plugin", rate(lambda: ours.predict(one), 1), base)
    line("our additive plugin", rate(lambda: additive.predict(one), 1), base)
    print("explaining")
    base = rate(lambda: explainer.shap_values(explained, check_additivity=False), EXPLAINED)
    line("HistGradientBoosting + shap.TreeExplainer", base)
    line("LightGBM + shap.TreeExplainer, its own code", rate(lambda: reference.shap_values(explained), EXPLAINED), base)
    line("LightGBM pred_contrib", rate(lambda: bare.predict(explained, pred_contrib=True), EXPLAINED), base)
    line("our boosting plugin", rate(lambda: ours.explain(explained), EXPLAINED), base)
    line("our additive plugin", rate(lambda: additive.explain(batch), BATCH), base)
    print(f"fitting {ROWS:,} rows: boosting {fitted:.1f} s, additive {additive_fitted:.1f} s")


if __name__ == "__main__":
    main()
