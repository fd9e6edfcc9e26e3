"""Whether reasons stay the same when a person's facts change a little: measured, so that readers can trust them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tenants.risk.input_sets import columns

if TYPE_CHECKING:
    import numpy.typing as npt

    from tenants.risk.serving import ServingModel

    Floats = npt.NDArray[np.float64]

PEOPLE: Final = 200
CHANGES: Final = 3
"""Changes of each person."""
TOP: Final = 3
"""Reasons of a person that are compared."""
SHARE: Final = 0.02
"""What is not counted in whole units changes by this share of its standard deviation."""
WHOLE_UNITS: Final = frozenset({"days", "contacts", "bookings", "interruptions", "samples", "switches", "years"})


def changed(X: Floats, random: np.random.Generator) -> Floats:
    """The rows after a small change: whole units by at most one, other numbers by 2 % of their standard deviation.

    Categories, missing values and the ``binary`` stay, and nothing falls below 0 that was not below it.
    """
    out = X.copy()
    for place, spec in enumerate(columns()):
        column = X[:, place]
        known = ~np.isnan(column)
        if spec.kind in ("categorical", "binary") or not known.any():
            continue
        if spec.unit in WHOLE_UNITS:
            moved = column + random.integers(-1, 2, column.size)
        else:
            moved = column + random.normal(0, SHARE * float(column[known].std()), column.size)
        out[:, place] = np.where(known & (column >= 0), np.maximum(moved, 0), moved)
    return out


def stability(model: ServingModel, X: Floats, *, seed: int = 0) -> dict[str, Any]:
    """Measure the stability of reasons over small changes.

    Returns a JSON object: ``people``; ``first``: the share of changes after which the strongest theme is the same;
    ``overlap``: the mean share of the three strongest themes that are the same; ``risk``: the mean absolute change of
    the risk.

    Args:
        model: the model that scores.
        X: (n, p) features, columns as in ``input_sets.columns()``.
        seed: seed of the draw and of the changes.

    Raises:
        ModelFailed: the model raised an error, or returned something else than contributions.
    """
    random = np.random.default_rng(seed)
    if len(X) > PEOPLE:
        X = X[np.sort(random.choice(len(X), PEOPLE, replace=False))]
    if not len(X):
        return {"people": 0, "first": None, "overlap": None, "risk": None}
    before, risk = _strongest(model, X), model.raw_and_risk(X)[1]
    first, overlap, moved = [], [], []
    for _ in range(CHANGES):
        after_rows = changed(X, random)
        after = _strongest(model, after_rows)
        first.append(float((before[:, 0] == after[:, 0]).mean()))
        shared = [len(set(one) & set(other)) / TOP for one, other in zip(before.tolist(), after.tolist(), strict=True)]
        overlap.append(float(np.mean(shared)))
        moved.append(float(np.abs(model.raw_and_risk(after_rows)[1] - risk).mean()))
    return {
        "people": len(X),
        "first": float(np.mean(first)),
        "overlap": float(np.mean(overlap)),
        "risk": float(np.mean(moved)),
    }


def _strongest(model: ServingModel, X: Floats) -> npt.NDArray[np.int64]:
    """The strongest themes of each person (n, 3), by absolute contribution."""
    themes = model.themes(X)[1]
    return np.argsort(-np.abs(themes), axis=1, kind="stable")[:, :TOP]
