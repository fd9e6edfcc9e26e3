"""Benchmark of figures with intervals, over scikit-learn's metrics on the same draws of patients."""

from __future__ import annotations

import os
from collections.abc import Iterator

from benchmarks.measure import Ratio, compare

DECISIONS = {"small": 5_000, "full": 200_000}
DECISIONS_OF_A_PATIENT = 8
REPLICATES = 20
"""Of each round; both ways take as long for each replicate."""


def run() -> Iterator[Ratio]:
    """Compare all our figures with four of scikit-learn, replicate by replicate."""
    import numpy as np
    from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

    from tenants.risk.metrics import evaluate

    count = DECISIONS[os.environ.get("IIT_BENCH_SCALE", "small")]
    random = np.random.default_rng(1)
    patient = random.integers(0, count // DECISIONS_OF_A_PATIENT, count)
    risk = 1 / (1 + np.exp(2 - random.normal(size=count)))
    outcome = (random.random(count) < risk).astype(float)

    def bare() -> None:
        draws = np.random.default_rng(0)
        patients = count // DECISIONS_OF_A_PATIENT
        for _ in range(REPLICATES):
            weight = np.bincount(draws.integers(0, patients, patients), minlength=patients)[patient].astype(float)
            for figure in (roc_auc_score, average_precision_score, brier_score_loss, log_loss):
                figure(outcome, risk, sample_weight=weight)

    yield compare(
        f"figures of {count:,} decisions with intervals, over four of scikit-learn",
        lambda: evaluate(risk, outcome, patient, replicates=REPLICATES),
        bare,
        calls=1,
        rounds=3,
    )
