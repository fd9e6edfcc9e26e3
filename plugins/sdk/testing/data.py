"""A small set of invented decisions with every kind of feature, missing values and several decisions per patient."""

from __future__ import annotations

import numpy as np

from plugins.sdk.contract import FeatureSpec, TrainingData
from plugins.sdk.maths import sigmoid

FEATURES = (
    FeatureSpec("days_late", "continuous", unit="days", description="Days late at the last refill."),
    FeatureSpec("interruptions", "count", description="Earlier interruptions."),
    FeatureSpec("first_line", "binary", description="On a first-line regimen."),
    FeatureSpec(
        "model_of_care", "categorical", description="How refills are given.", categories=("clinic", "group", "home")
    ),
    FeatureSpec("cd4", "continuous", unit="cells/mm3", description="Last CD4 count; often not known."),
)
TEST_PATIENTS = 200
CD4_UNKNOWN, LATENESS_UNKNOWN = 0.4, 0.05


def small_data(rows: int = 900, seed: int = 7, *, validation: bool = True) -> TrainingData:
    """Return invented training data with a signal that any model should find.

    Args:
        rows: number of decisions, without validation rows.
        seed: seed of the random numbers.
        validation: whether to add validation rows.
    """
    random = np.random.default_rng(seed)
    total = rows + (rows // 3 if validation else 0)
    late = np.maximum(0.0, random.normal(4, 12, total)).round()
    interruptions = random.poisson(0.6, total).astype(np.float64)
    care = random.integers(0, 3, total).astype(np.float64)
    cd4 = random.gamma(4, 110, total).round()
    matrix = np.stack([late, interruptions, random.integers(0, 2, total).astype(np.float64), care, cd4], axis=1)
    log_odds = -2.2 + 0.06 * late + 0.8 * interruptions - 0.9 * (care == 1)
    y = (random.random(total) < sigmoid(log_odds)).astype(np.int8)
    matrix[random.random(total) < CD4_UNKNOWN, 4] = np.nan
    matrix[random.random(total) < LATENESS_UNKNOWN, 0] = np.nan
    return TrainingData(
        X=matrix[:rows],
        y=y[:rows],
        group=np.arange(rows) // 3,
        features=FEATURES,
        X_val=matrix[rows:] if validation else None,
        y_val=y[rows:] if validation else None,
    )


def small_matrix(seed: int = 11) -> np.ndarray:
    """Return rows to score that are not in the training data."""
    return small_data(TEST_PATIENTS, seed, validation=False).X.copy()
