"""How the values of each feature lie: known share, quantiles, histogram. Nothing in it points to a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tenants.risk.input_sets import columns

if TYPE_CHECKING:
    import numpy.typing as npt

    from plugins.sdk import FeatureSpec

QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
BARS: Final = 20
FEWEST_PEOPLE: Final = 20
"""People that a distribution needs; of fewer, extreme values could point to one of them."""


def distributions(X: npt.NDArray[np.floating]) -> list[dict[str, Any]]:
    """Describe each column; an empty list for fewer than 20 people.

    Each has ``name``, ``version``, ``known`` (share of people with a value), and with 20 values or more ``mean`` and
    ``quantiles`` (5, 25, 50, 75, 95 %) and ``histogram`` (``edges`` and ``counts``, the outer twentieths of the values
    gathered in the outer bars). Of a categorical feature, ``counts`` has an entry for each category.

    Args:
        X: (n, p) features, columns as in ``input_sets.columns()``.
    """
    if len(X) < FEWEST_PEOPLE:
        return []
    return [_distribution(spec, X[:, place].astype(np.float64)) for place, spec in enumerate(columns())]


def _distribution(spec: FeatureSpec, column: npt.NDArray[np.float64]) -> dict[str, Any]:
    values = column[~np.isnan(column)]
    described: dict[str, Any] = {"name": spec.name, "version": spec.version, "known": values.size / column.size}
    if values.size < FEWEST_PEOPLE:
        return described
    if spec.categories:
        codes = np.clip(values, 0, len(spec.categories) - 1).astype(np.int64)
        return described | {"counts": np.bincount(codes, minlength=len(spec.categories)).tolist()}
    quantiles = np.quantile(values, QUANTILES)
    low, high = float(quantiles[0]), float(quantiles[-1])
    if low == high:
        low, high = low - 0.5, high + 0.5
    counts, edges = np.histogram(np.clip(values, low, high), bins=BARS, range=(low, high))
    return described | {
        "mean": float(values.mean()),
        "quantiles": [float(value) for value in quantiles],
        "histogram": {"edges": [float(edge) for edge in edges], "counts": counts.tolist()},
    }
