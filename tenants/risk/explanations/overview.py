"""What moves the risk, over many people: the importance of each feature, and how its contribution follows its value.

Contributions are SHAP values in log-odds: those of the additive model in closed form (a feature's curve less its mean
over the training rows), those of trees by TreeSHAP. Tests compare both with the package ``shap``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from core.database import require_none
from tenants.risk.failures import contained
from tenants.risk.input_list import THEME_OF

if TYPE_CHECKING:
    import numpy.typing as npt

    from plugins.sdk import FeatureSpec
    from tenants.risk.serving import ServingModel

    Floats = npt.NDArray[np.float64]

MOST_PEOPLE: Final = 400
MOST_FEATURES: Final = 12
BINS: Final = 8
FEWEST_IN_BIN: Final = 10
"""People whose contributions a point of a curve stands for; no point shows a single person."""
POINTS: Final = 40
"""Points of a feature in the beeswarm; each is the mean of neighbouring people."""


def contributions(model: ServingModel, X: Floats) -> tuple[float, Floats]:
    """Return the base and the contribution of each of the model's columns (n, p), in log-odds.

    Raises:
        ModelFailed: the model raised an error, or its contributions do not add up to its own log-odds.
    """
    require_none("a model was called")
    with contained(model.version, "explain"):
        explanation = model.model.explain(model.columns.of(X))
        values = np.asarray(explanation.contributions, dtype=np.float64)
        if values.shape != (len(X), len(model.model.features)) or not np.isfinite(values).all():
            message = "the model returned something other than a number for each feature"
            raise ValueError(message)
        return float(explanation.base), values


def overview(model: ServingModel, X: Floats, *, seed: int = 0) -> dict[str, Any]:
    """Describe what moves the risk of these people.

    Returns a JSON object: ``base`` (log-odds of an average person), ``people``, and ``features``, the most important
    first: ``name``, ``theme``, ``importance`` (mean absolute contribution), ``points`` (contribution, place of the
    value from 0 lowest to 1 highest or None) and ``curve`` (``value`` or ``category``, ``people``, ``low``, ``middle``
    and ``high``: the 10 %, 50 % and 90 % quantile of the contributions).

    Args:
        model: the model that scores.
        X: (n, p) features, columns as in ``input_sets.columns()``.
        seed: seed of the draw of people.

    Raises:
        ModelFailed: as :func:`contributions`.
    """
    if len(X) < FEWEST_IN_BIN:
        return {"base": None, "people": len(X), "features": []}
    if len(X) > MOST_PEOPLE:
        X = X[np.sort(np.random.default_rng(seed).choice(len(X), MOST_PEOPLE, replace=False))]
    base, values = contributions(model, X)
    columns = model.columns.of(X)
    importance = np.abs(values).mean(axis=0)
    order = np.argsort(-importance, kind="stable")[:MOST_FEATURES]
    return {
        "base": base,
        "people": len(X),
        "features": [
            {
                "name": spec.name,
                "theme": THEME_OF.get(spec.name, ""),
                "importance": float(importance[place]),
                "points": _points(columns[:, place], values[:, place]),
                "curve": curve(spec, columns[:, place], values[:, place]),
            }
            for place, spec in ((int(place), model.model.features[place]) for place in order)
        ],
    }


def curve(spec: FeatureSpec, column: Floats, values: Floats) -> list[dict[str, Any]]:
    """How the contribution of a feature follows its value: one entry a bin of values, each with ten people or more."""
    known = ~np.isnan(column)
    groups: list[tuple[dict[str, Any], npt.NDArray[np.bool_]]] = []
    if spec.categories:
        groups += [({"category": name}, column == code) for code, name in enumerate(spec.categories)]
    elif known.any():
        edges = np.unique(np.quantile(column[known], np.arange(1, BINS) / BINS))
        bins = np.searchsorted(edges, column, side="right")
        groups += [({}, known & (bins == each)) for each in range(edges.size + 1)]
    groups.append(({"missing": True}, ~known))
    entries = []
    for label, rows in groups:
        if int(rows.sum()) < FEWEST_IN_BIN:
            continue
        low, middle, high = np.quantile(values[rows], (0.1, 0.5, 0.9))
        entry = {**label, "people": int(rows.sum()), "low": float(low), "middle": float(middle), "high": float(high)}
        if not label:
            entry["value"] = float(np.median(column[rows]))
        entries.append(entry)
    return entries


def _points(column: Floats, values: Floats) -> list[list[float | None]]:
    """Means of neighbours by contribution: where people lie, and whether their values are low or high."""
    known = ~np.isnan(column)
    place = np.full(column.size, np.nan)
    if known.any():
        distinct, codes = np.unique(column[known], return_inverse=True)
        place[known] = codes / max(distinct.size - 1, 1)
    order = np.argsort(values, kind="stable")
    points: list[list[float | None]] = []
    for rows in np.array_split(order, max(1, min(POINTS, column.size // FEWEST_IN_BIN))):
        places = place[rows][~np.isnan(place[rows])]
        points.append([float(values[rows].mean()), float(places.mean()) if places.size else None])
    return points
