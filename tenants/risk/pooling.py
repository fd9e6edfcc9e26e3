"""Partial pooling: figures of small groups are drawn towards those of all groups, as far as chance explains them.

The model is the usual one of random effects: a group's figure is the groups' mean, plus its own deviation with
variance ``between``, plus chance with a known variance. ``between`` is the estimate of DerSimonian and Laird
(Controlled Clinical Trials 1986, 7:177).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

Z95: Final = 1.959964
FEWEST_GROUPS: Final = 3
"""With fewer groups, the variance between them cannot be estimated, and nothing is pooled."""


@dataclass(frozen=True, slots=True, eq=False)
class PooledFigures:
    """Figures of groups after pooling, one entry a group.

    Attributes:
        mean: the groups' mean, by their precision.
        between: variance between groups, beyond chance.
        value: the pooled figures.
        error: their standard errors.
        distance: how many standard errors a group's own figure lies from those of the other groups.
    """

    mean: float
    between: float
    value: Floats
    error: Floats
    distance: Floats

    @property
    def low(self) -> Floats:
        """Lower bounds of the 95 % intervals."""
        return self.value - Z95 * self.error

    @property
    def high(self) -> Floats:
        """Upper bounds of the 95 % intervals."""
        return self.value + Z95 * self.error


def pool(figures: npt.ArrayLike, variances: npt.ArrayLike) -> PooledFigures:
    """Pool the figures of groups.

    Args:
        figures: (g,) each group's own figure.
        variances: (g,) variance of each by chance, above 0.

    Raises:
        ValueError: shapes differ, or a variance is not above 0.
    """
    y, v = np.asarray(figures, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    if y.shape != v.shape or y.ndim != 1 or not (v > 0).all():
        message = "each figure needs a variance above 0"
        raise ValueError(message)
    if y.size < FEWEST_GROUPS:
        mean = float(np.average(y, weights=1 / v)) if y.size else 0.0
        return PooledFigures(mean, 0.0, y, np.sqrt(v), (y - mean) / np.sqrt(v))
    mean, between = _moments(y, v)
    share = between / (between + v)
    spread = 1 / np.sum(1 / (v + between))  # the uncertainty of the mean itself
    error = np.sqrt(share * v + (1 - share) ** 2 * spread)
    return PooledFigures(mean, between, mean + share * (y - mean), error, _distances(y, v))


def _moments(y: Floats, v: Floats) -> tuple[float, float]:
    """The mean and the variance between groups."""
    weight = 1 / v
    fixed = float(np.average(y, weights=weight))
    excess = float(np.sum(weight * (y - fixed) ** 2)) - (y.size - 1)
    scale = float(weight.sum() - np.sum(weight**2) / weight.sum())
    between = max(0.0, excess / scale) if scale > 0 else 0.0
    return float(np.average(y, weights=1 / (v + between))), between


def _distances(y: Floats, v: Floats) -> Floats:
    """Compare each group with the others alone: a group that stands out must not widen its own yardstick."""
    out = np.zeros(y.size)
    for place in range(y.size):
        others = np.arange(y.size) != place
        mean, between = _moments(y[others], v[others])
        uncertainty = 1 / np.sum(1 / (v[others] + between))
        out[place] = (y[place] - mean) / np.sqrt(v[place] + between + uncertainty)
    return out


def holm(p_values: npt.ArrayLike) -> Floats:
    """Return p-values adjusted for their number: the chance of any false finding stays below the level.

    Holm, Scandinavian Journal of Statistics 1979, 6:65. It needs no independence. NaN counts as no test.
    """
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = p[order] * np.arange(order.size, 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if order.size else steps
    return adjusted
