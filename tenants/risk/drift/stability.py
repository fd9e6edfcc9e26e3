"""How far a column's values have moved: the population stability index, and a two-sample test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Counts = npt.NDArray[np.int64]

BINS: Final = 10
SMOOTHING: Final = 0.5
"""Added to each bin's count, so that an empty bin does not make the index infinite."""


@dataclass(frozen=True, slots=True, eq=False)
class Binning:
    """The bins of a column; the last one has the missing values.

    Attributes:
        edges: rising, between the bins of a numeric column.
        categories: number of categories; 0 for a numeric column.
    """

    edges: Floats
    categories: int = 0

    @property
    def size(self) -> int:
        """Number of bins, with the one of the missing values."""
        return (self.categories or self.edges.size + 1) + 1

    def counts(self, column: npt.NDArray[np.floating]) -> Counts:
        """The number of values in each bin."""
        known = ~np.isnan(column)
        if self.categories:
            codes = np.clip(column[known], 0, self.categories - 1).astype(np.int64)
        else:
            codes = np.searchsorted(self.edges, column[known], side="right")
        counts = np.bincount(codes, minlength=self.size).astype(np.int64)
        counts[-1] = int((~known).sum())
        return counts


def binning(column: npt.NDArray[np.floating], categories: int = 0) -> Binning:
    """Return bins of about the same number of reference values, or one for each category."""
    if categories:
        return Binning(np.empty(0), categories)
    known = column[~np.isnan(column)].astype(np.float64)
    if not known.size:
        return Binning(np.empty(0))
    edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS))
    return Binning(edges[edges > known.min()])


def stability_index(reference: Counts, current: Counts) -> float:
    """The population stability index of two distributions over the same bins; 0 where only chance is between them.

    Two samples of the same population have an index of about ``(bins - 1)(1/n + 1/m)`` by chance (Yurdakul and
    Naranjo, Journal of Risk Model Validation 2020, 14:89). That is subtracted, so that small clinics do not look as if
    they had moved.

    Raises:
        ValueError: the bins differ.
    """
    if reference.shape != current.shape:
        message = "both distributions need the same bins"
        raise ValueError(message)
    n, m = float(reference.sum()), float(current.sum())
    if n == 0 or m == 0:
        return 0.0
    used = (reference + current) > 0
    before = (reference[used] + SMOOTHING) / (n + SMOOTHING * used.sum())
    after = (current[used] + SMOOTHING) / (m + SMOOTHING * used.sum())
    index = float(np.sum((after - before) * np.log(after / before)))
    return max(0.0, index - (int(used.sum()) - 1) * (1 / n + 1 / m))


def moved_by_chance(
    reference: npt.NDArray[np.floating], current: npt.NDArray[np.floating], categories: int = 0
) -> float:
    """The p-value of two independent samples: by chance they would differ at least this much.

    Numeric columns: Kolmogorov and Smirnov on the known values, and chi-squared on the share of missing ones, the
    smaller p-value doubled. Categories: chi-squared, missing values being a category. Where the same people are in both
    samples, the test is cautious: their values resemble each other.
    """
    from scipy import stats

    missing = np.array([[np.isnan(x).sum(), (~np.isnan(x)).sum()] for x in (reference, current)])
    if categories:
        bins = Binning(np.empty(0), categories)
        return _chi_squared(np.stack([bins.counts(reference), bins.counts(current)]))
    p_missing = _chi_squared(missing)
    before, after = reference[~np.isnan(reference)], current[~np.isnan(current)]
    if not before.size or not after.size:
        return p_missing
    p_known = float(stats.ks_2samp(before, after, method="asymp").pvalue)
    return min(1.0, 2 * min(p_missing, p_known))


def _chi_squared(table: npt.NDArray[np.int64]) -> float:
    """The p-value of a table (2, k) by chi-squared, without empty columns; 1 where there is nothing to compare."""
    from scipy import stats

    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2 or (table.sum(axis=1) == 0).any():  # noqa: PLR2004 - two columns, the fewest to compare
        return 1.0
    return float(stats.chi2_contingency(table, correction=table.shape[1] == 2).pvalue)  # noqa: PLR2004 - Yates
