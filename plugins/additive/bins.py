"""Turns numbers into bins: each column becomes small codes, with a separate bin for missing values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plugins.sdk import FeatureSpec, FloatArray

Codes = NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Bins:
    """The bins of one column.

    ``edges`` of a numeric column separate ``len(edges) + 1`` bins; a value equal to an edge belongs to the bin above
    it. A categorical column has one bin for each of its ``categories``. The last code is always what is missing or
    unknown.
    """

    edges: FloatArray
    categories: int = 0

    @property
    def known(self) -> int:
        """The number of bins without the one for missing values.

        These bins are in order, unless the column is categorical.
        """
        return self.categories or len(self.edges) + 1

    @property
    def size(self) -> int:
        """Number of bins with the one for missing values."""
        return self.known + 1

    def codes(self, column: FloatArray) -> Codes:
        """The bin of each value of a column (n,)."""
        if self.categories:
            known = (column >= 0) & (column < self.categories) & (column == np.floor(column))
            return np.where(known, np.nan_to_num(column, nan=0.0), self.categories).astype(np.int16)
        positions = np.searchsorted(self.edges, column, side="right")
        return np.where(np.isnan(column), self.known, positions).astype(np.int16)


def cut(column: FloatArray, feature: FeatureSpec, max_bins: int, min_rows: int) -> Bins:
    """Return the bins of a training column: of about equal size, with at least ``min_rows`` rows where possible.

    Edges lie halfway between neighbouring values, so that no edge is anybody's value.
    """
    if feature.kind == "categorical":
        return Bins(edges=np.empty(0), categories=len(feature.categories))
    values, counts = np.unique(column[~np.isnan(column)], return_counts=True)
    reached = np.cumsum(counts)
    total = int(reached[-1]) if len(values) else 0
    wanted = max(min_rows, total / max_bins)
    heavy = np.flatnonzero(counts >= wanted)
    edges: list[float] = []
    first, before = 0, 0
    while first < len(values):
        last = int(np.searchsorted(reached, before + wanted))
        # A single heavy value (no days late, say) gets a bin of its own when what lies before it fills one.
        ahead = heavy[np.searchsorted(heavy, first + 1) :]
        if len(ahead) and ahead[0] <= last and reached[ahead[0] - 1] - before >= min_rows:
            last = int(ahead[0]) - 1
        if last >= len(values) - 1 or total - reached[last] < min_rows:
            break
        halfway = float(values[last] + (values[last + 1] - values[last]) / 2)
        edges.append(halfway if halfway > values[last] else float(values[last + 1]))  # between them is no number
        first, before = last + 1, int(reached[last])
    return Bins(edges=np.unique(np.array(edges, dtype=np.float64)))
