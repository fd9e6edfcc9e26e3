"""Functions that every model of a probability needs, safe for extreme values."""

from __future__ import annotations

import numpy as np

from plugins.sdk.contract import FloatArray

MAX_LOG_ODDS = 30.0
"""Log-odds beyond which a prediction is cut, to stay inside (0, 1). There the probability is 0 or 1 to 13 digits."""


def sigmoid(log_odds: FloatArray) -> FloatArray:
    """Return the probability of the log-odds, always inside (0, 1)."""
    bounded = np.clip(log_odds, -MAX_LOG_ODDS, MAX_LOG_ODDS)
    return np.asarray(1.0 / (1.0 + np.exp(-bounded)), dtype=np.float64)


def logit(probability: FloatArray) -> FloatArray:
    """Return the log-odds of a probability in (0, 1)."""
    return np.asarray(np.log(probability) - np.log1p(-probability), dtype=np.float64)


def log_loss(log_odds: FloatArray, labels: np.ndarray) -> float:
    """Return the mean negative log-likelihood, in nats, of 0/1 labels under the log-odds."""
    return float(np.mean(np.logaddexp(0.0, log_odds) - labels * log_odds))
