"""The sums that a partner gives: of bins that the code fixes, bounded for each patient, and noisy before they leave.

The sums are those of least squares on indicators of bins: how often two bins occur together, and how often a bin ends
in an interruption. Each patient counts as the mean of at most ``DECISIONS`` decisions.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tenants.risk.base.privacy import DELTA, MOST_EPSILON, NOISE, epsilon
from tenants.risk.input_list import FEATURES, NAMES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from plugins.sdk import FeatureSpec
    from tenants.risk.dataset import Dataset

    Floats = npt.NDArray[np.float64]

EDGES: Final[Mapping[str, tuple[float, ...]]] = {
    "days_late_last": (1, 7, 14, 28),
    "late_7_last_5": (0.5, 1.5, 2.5),
    "interruption_share": (0.02, 0.1, 0.2, 0.35),
    "intervals_past_grace": (0.05, 0.1, 0.2, 0.35),
    "days_to_expected": (8, 15, 31, 61),
    "days_on_art": (183, 365, 1096),
    "age": (15, 25, 35, 50),
}
"""Feature -> edges of its bins. They are chosen here, by definitions and round numbers, never from anybody's data."""
DECISIONS: Final = 8
FEWEST_PATIENTS: Final = 1_000
"""The noise would drown fewer, and they would stand out."""
PAIRS_WEIGHT: Final = 0.5
"""The pairs of bins are given at half their size, so that the sums of interruptions get less of the noise."""
VERSION: Final = 1
_DIGITS: Final = 2


def specs() -> tuple[FeatureSpec, ...]:
    """The features of the base model, in order."""
    return tuple(FEATURES[NAMES.index(name)] for name in EDGES)


def sizes() -> list[int]:
    """The number of bins of each feature, the one for missing values among them."""
    return [len(edges) + 2 for edges in EDGES.values()]


def length() -> int:
    """The number of coefficients: the intercept, and one for each bin."""
    return 1 + sum(sizes())


def clipping_norm() -> float:
    """The longest vector that one patient can add: a row has one bin of each feature, and the intercept."""
    ones = 1 + len(EDGES)
    return float(np.sqrt(PAIRS_WEIGHT**2 * ones * (ones + 1) / 2 + ones))


def design(X: npt.NDArray[np.floating]) -> Floats:
    """Indicators (n, length) of the rows of the platform's matrix: the intercept, then the bins of each feature."""
    rows = np.arange(len(X))
    matrix = np.zeros((len(X), length()))
    matrix[:, 0] = 1
    start = 1
    for (name, edges), size in zip(EDGES.items(), sizes(), strict=True):
        column = X[:, NAMES.index(name)].astype(np.float64)
        bins = np.where(np.isnan(column), size - 1, np.searchsorted(np.array(edges), column, side="right"))
        matrix[rows, start + bins] = 1
        start += size
    return matrix


def of_patient(rows: Floats, outcome: npt.NDArray[np.integer]) -> Floats:
    """What one patient adds: the mean of the pairs (upper triangle), then of the bins that end in an interruption."""
    pairs = rows.T @ rows / len(rows)
    vector = np.concatenate([PAIRS_WEIGHT * pairs[np.triu_indices(length())], outcome @ rows / len(rows)])
    return np.asarray(vector * min(1.0, clipping_norm() / max(float(np.linalg.norm(vector)), 1e-12)))


def exact(data: Dataset, random: np.random.Generator) -> tuple[Floats, int]:
    """The sums without noise, which never leave the job, and the number of patients."""
    labelled = data.where(data.labelled)
    matrix = design(labelled.X)
    order = np.argsort(labelled.patient, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(labelled.patient[order])) + 1) if len(order) else []
    total = np.zeros(length() * (length() + 1) // 2 + length())
    for group in groups:
        drawn = random.permutation(group)[:DECISIONS]
        total += of_patient(matrix[drawn], labelled.y[drawn])
    return total, len(groups)


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums that may leave a partner.

    Attributes:
        values: the noisy sums.
        releases: how often this partner has given sums, this time among them.
        noise: standard deviation of the noise over the clipping norm.
    """

    values: Floats
    releases: int
    noise: float = NOISE

    def to_json(self) -> dict[str, Any]:
        """All that leaves a partner."""
        return {
            "version": VERSION,
            "sums": self.values.tolist(),
            "releases": self.releases,
            "noise": self.noise,
            "clipping_norm": clipping_norm(),
            "epsilon": round(epsilon(self.releases, self.noise), 3),
            "delta": DELTA,
        }


def noisy(total: Floats, releases: int) -> Sums:
    """Add noise from the system's source of randomness, and round."""
    random = np.random.Generator(np.random.PCG64(secrets.randbits(256)))
    return Sums(np.round(total + random.normal(0, NOISE * clipping_norm(), len(total)), _DIGITS), releases)


def may_give_again(releases: int) -> bool:
    """Whether one more release keeps the loss of a partner's patients within the bound."""
    return epsilon(releases + 1) <= MOST_EPSILON
