"""Fits the boosting model with log loss, so that its scores are probabilities and can be calibrated."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from plugins.boosting import treetext
from plugins.boosting.library import lightgbm
from plugins.boosting.model import FILE, FORMAT, TREES, BoostingModel, describe, read
from plugins.sdk import Artifact, BadDataError, FloatArray, Json, TrainingData, seal

if TYPE_CHECKING:
    from lightgbm import Booster, Dataset

DEFAULTS: Mapping[str, Json] = {
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_rows_in_leaf": 50,
    "max_trees": 600,
    "patience": 40,
    "feature_share": 0.7,
    "row_share": 0.8,
    "l2": 5.0,
    "inner_share": 0.2,
    "monotone": {},
    "threads": 0,
}
MAX_THREADS = 8
ROWS_PER_THREAD = 10_000
"""Rows per thread. With fewer rows, threads wait for each other longer than they work."""
SMALL_LEAF_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class BoostingPlugin:
    """Gradient boosting of trees.

    Parameters, all optional:
        ``learning_rate`` (0.05), ``num_leaves`` (15), ``l2`` (5): as in LightGBM.
        ``min_rows_in_leaf`` (50): fewer on small data, never fewer than 10.
        ``max_trees`` (600): most trees.
        ``patience`` (40): trees without a lower log loss that end the fit.
        ``feature_share`` (0.7), ``row_share`` (0.8): shares drawn for each tree.
        ``inner_share`` (0.2): share of the patients left out to stop early if the data have no validation rows.
        ``monotone`` (none): feature name to 1 or -1.
        ``threads`` (0): as many as there are, 8 at most.
    """

    name: str = "boosting"
    version: str = "1.0.0"

    def fit(self, data: TrainingData, params: Mapping[str, Json], seed: int) -> Artifact:
        """Fit, stop early by log loss on validation rows or on patients left out, and keep the best number of trees.

        Raises:
            BadDataError: a parameter is unknown or out of range.
        """
        settings = _settings(params, data)
        if data.X_val is not None and data.y_val is not None and len(data.y_val):
            booster, trees = _train(data, np.ones(len(data.y), dtype=bool), settings, seed, (data.X_val, data.y_val))
            stopped_on = "validation rows"
        else:
            validation = _held_out(data, settings["inner_share"], seed)
            _, trees = _train(data, ~validation, settings, seed, (data.X[validation], data.y[validation]))
            # The number of trees was chosen inside; the model is fitted on everybody.
            booster, trees = _train(
                data, np.ones(len(data.y), dtype=bool), {**settings, "max_trees": trees}, seed, None
            )
            stopped_on = "patients left out"
        text = treetext.trim(booster.model_to_string(num_iteration=trees))
        facts = {
            "rows": len(data.y),
            "base_rate": float(data.y.mean()),
            "trees": trees,
            "chosen_on": stopped_on,
            "settings": {key: value for key, value in settings.items() if key != "threads"},
        }
        return seal(FORMAT, {TREES: text.encode("ascii"), FILE: describe(data.features, trees, facts)})

    def load(self, artifact: Artifact) -> BoostingModel:
        """Read a model back, after verifying it.

        Raises:
            BadArtifactError: it is not what :meth:`fit` wrote.
        """
        return read(artifact)


def _settings(params: Mapping[str, Json], data: TrainingData) -> dict[str, Json]:
    if unknown := set(params) - set(DEFAULTS):
        message = f"the boosting model has no parameter {', '.join(sorted(unknown))}: it has {', '.join(DEFAULTS)}"
        raise BadDataError(message)
    merged = {**DEFAULTS, **params}
    try:
        settings: dict[str, Json] = {
            key: dict(merged[key]) if isinstance(default, dict) else type(default)(merged[key])
            for key, default in DEFAULTS.items()
        }
    except (TypeError, ValueError) as error:
        message = f"a parameter of the boosting model is not a number: {error}"
        raise BadDataError(message) from error
    if "min_rows_in_leaf" not in params:
        settings["min_rows_in_leaf"] = max(10, min(50, int(SMALL_LEAF_SHARE * len(data.y))))
    names = {feature.name for feature in data.features}
    ranges = {
        "learning_rate": 0 < settings["learning_rate"] <= 1,
        "num_leaves": 1 < settings["num_leaves"] <= treetext.MAX_LEAVES,
        "min_rows_in_leaf": settings["min_rows_in_leaf"] > 0,
        "max_trees": 0 < settings["max_trees"] <= treetext.MAX_TREES,
        "patience": settings["patience"] > 0,
        "feature_share": 0 < settings["feature_share"] <= 1,
        "row_share": 0 < settings["row_share"] <= 1,
        "l2": 0 <= settings["l2"] < math.inf,
        "inner_share": 0 < settings["inner_share"] < 1,
        "monotone": set(settings["monotone"]) <= names and set(settings["monotone"].values()) <= {-1, 1},
        "threads": settings["threads"] >= 0,
    }
    if wrong := [name for name, fine in ranges.items() if not fine]:
        message = f"parameters of the boosting model out of range: {', '.join(wrong)}"
        raise BadDataError(message)
    return settings


def _held_out(data: TrainingData, share: float, seed: int) -> np.ndarray:
    patients, index = np.unique(data.group, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(patients))
    validation = (order < max(1, round(share * len(patients))))[index]
    if not 0 < data.y[~validation].sum() < (~validation).sum():
        message = "too few patients to leave some out: give validation rows, or more data"
        raise BadDataError(message)
    return np.asarray(validation)


def _train(
    data: TrainingData,
    rows: np.ndarray,
    settings: Mapping[str, Json],
    seed: int,
    validation: tuple[FloatArray, np.ndarray] | None,
) -> tuple[Booster, int]:
    library = lightgbm()
    categorical = [index for index, feature in enumerate(data.features) if feature.kind == "categorical"]
    names = treetext.column_names(len(data.features))

    def dataset(X: FloatArray, y: np.ndarray, reference: Dataset | None = None) -> Dataset:
        dataset: Dataset = library.Dataset(
            X, y, feature_name=names, categorical_feature=categorical, reference=reference, params={"verbosity": -1}
        )
        return dataset

    train = dataset(data.X[rows], data.y[rows])
    callbacks: list[Callable[..., Json]] = []
    valid = []
    if validation is not None:
        valid = [dataset(*validation, reference=train)]
        callbacks = [library.early_stopping(settings["patience"], verbose=False)]
    booster: Booster = library.train(
        _lightgbm_parameters(data, settings, seed),
        train,
        num_boost_round=settings["max_trees"],
        valid_sets=valid,
        callbacks=callbacks,
    )
    return booster, booster.best_iteration if booster.best_iteration > 0 else booster.num_trees()


def _lightgbm_parameters(data: TrainingData, settings: Mapping[str, Json], seed: int) -> dict[str, Json]:
    parameters = {
        "objective": "binary",
        "metric": "binary_logloss",
        "learning_rate": settings["learning_rate"],
        "num_leaves": settings["num_leaves"],
        "min_data_in_leaf": settings["min_rows_in_leaf"],
        "feature_fraction": settings["feature_share"],
        "bagging_fraction": settings["row_share"],
        "bagging_freq": 1,
        "lambda_l2": settings["l2"],
        "seed": seed % 2**31,
        # The same trees whatever the number of threads, at some cost in speed.
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": settings["threads"] or min(os.cpu_count() or 1, MAX_THREADS, 1 + len(data.y) // ROWS_PER_THREAD),
        "verbosity": -1,
    }
    if settings["monotone"]:
        parameters["monotone_constraints"] = [settings["monotone"].get(feature.name, 0) for feature in data.features]
    return parameters
