"""The naive rule, "late last time": how often people as late as this interrupted before. It is the mark to beat.

It needs no fitting. It serves a tenant that is too young to train, and says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from plugins.sdk import Explanation, FeatureSpec, logit
from tenants.risk.input_list import FEATURES, NAMES

NAME: Final = "naive"
VERSION: Final = "1.0.0"
COLUMN: Final = "days_late_last"
EDGES: Final = (0, 7, 14, 28)
BINS: Final = (
    "on time",
    "1-7 days late",
    "8-14 days late",
    "15-28 days late",
    "more than 28 days late",
    "no earlier contact",
)
PRIOR: Final = (0.08, 0.12, 0.18, 0.25, 0.35, 0.20)
"""Shares before there is any history: an assumption. Each weighs as much as 20 resolved contacts."""
WEIGHT: Final = 20.0

Floats = npt.NDArray[np.float64]


def score(days_late_last: npt.ArrayLike) -> Floats:
    """The rule as a ranking: days late at the last contact; 0 without a contact."""
    return np.nan_to_num(np.asarray(days_late_last, dtype=np.float64))


def _bin(days_late_last: npt.ArrayLike) -> npt.NDArray[np.int64]:
    late = np.asarray(days_late_last, dtype=np.float64)
    return np.where(np.isnan(late), len(BINS) - 1, np.searchsorted(EDGES, np.nan_to_num(late), side="left"))


@dataclass(frozen=True, slots=True)
class NaiveModel:
    """Shares of interruption by lateness at the last contact.

    Attributes:
        shares: one share per bin of ``BINS``.
        counts: number of resolved contacts behind each share.
    """

    shares: tuple[float, ...]
    counts: tuple[int, ...]

    @property
    def features(self) -> tuple[FeatureSpec, ...]:
        """The columns, as of all our models; the rule uses one of them."""
        return FEATURES

    @property
    def base(self) -> float:
        """Log-odds of the mean share."""
        total = sum(self.counts)
        weights = self.counts if total else (1,) * len(BINS)
        return float(logit(np.asarray(np.average(self.shares, weights=weights))))

    def predict(self, X: Floats) -> Floats:
        """The share of each row's bin."""
        return np.asarray(self.shares, dtype=np.float64)[_bin(X[:, NAMES.index(COLUMN)])]

    def explain(self, X: Floats) -> Explanation:
        """Return contributions: the lateness at the last contact explains the whole difference from the base."""
        contributions = np.zeros_like(X, dtype=np.float64)
        contributions[:, NAMES.index(COLUMN)] = logit(self.predict(X)) - self.base
        return Explanation(base=self.base, contributions=contributions)

    def summary(self) -> Mapping[str, Any]:
        """The shares, with their counts."""
        return {
            "shares": dict(zip(BINS, self.shares, strict=True)),
            "resolved_contacts": dict(zip(BINS, self.counts, strict=True)),
        }

    def to_json(self) -> dict[str, Any]:
        """Return the rule as JSON."""
        return {"kind": NAME, "shares": list(self.shares), "counts": list(self.counts)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> NaiveModel:
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: not the rule's JSON, or a share is not a probability.
        """
        try:
            shares = tuple(float(share) for share in value["shares"])
            counts = tuple(int(count) for count in value["counts"])
        except (KeyError, TypeError) as error:
            message = f"not a naive rule: {error}"
            raise ValueError(message) from error
        if len(shares) != len(BINS) or len(counts) != len(BINS) or not all(0 < share < 1 for share in shares):
            message = "a naive rule has one share inside (0, 1) for each bin"
            raise ValueError(message)
        return cls(shares, counts)


def fit(days_late_last: npt.ArrayLike, y: npt.ArrayLike) -> NaiveModel:
    """Return shares by bin, blended with the prior ones, which weigh as much as 20 contacts."""
    bins, outcome = _bin(days_late_last), np.asarray(y, dtype=np.float64)
    counts = np.bincount(bins, minlength=len(BINS))
    hits = np.bincount(bins, weights=outcome, minlength=len(BINS))
    shares = (hits + WEIGHT * np.asarray(PRIOR)) / (counts + WEIGHT)
    return NaiveModel(tuple(float(s) for s in shares), tuple(int(c) for c in counts))
