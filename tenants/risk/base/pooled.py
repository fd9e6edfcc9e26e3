"""From the sums of partners to the additive model: one Newton step of the logistic regression from the pooled share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from plugins.sdk import seal
from tenants.risk.base.privacy import DELTA
from tenants.risk.base.sums import EDGES, PAIRS_WEIGHT, VERSION, clipping_norm, length, sizes, specs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from plugins.sdk import Artifact

    Floats = npt.NDArray[np.float64]

PLUGIN: Final = "additive"
FORMAT: Final = "iit-additive/1"
"""The format of this plugin, which reads the base model and checks it."""
FEWEST_PARTNERS: Final = 2
LARGEST_EFFECT: Final = 3.0
"""Log-odds of a bin are cut here: noise can make a rare bin seem certain."""


def pool(sums: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Fit the base model on the sums of several partners.

    Args:
        sums: what each partner gave, as ``Sums.to_json`` has it.

    Raises:
        ValueError: there are too few partners, or sums of another version.
    """
    if len(sums) < FEWEST_PARTNERS or any(each["version"] != VERSION for each in sums):
        message = f"a base model needs sums of version {VERSION} of at least {FEWEST_PARTNERS} partners"
        raise ValueError(message)
    total = np.sum([np.asarray(each["sums"], dtype=np.float64) for each in sums], axis=0)
    noise = max(float(each["noise"]) for each in sums) * clipping_norm() * len(sums) ** 0.5
    base, values = fit(total, noise)
    return {
        "version": VERSION,
        "base": base,
        "curves": [curve.tolist() for curve in values],
        "partners": len(sums),
        "epsilon": max(float(each["epsilon"]) for each in sums),
        "delta": DELTA,
        "noise": max(float(each["noise"]) for each in sums),
        "releases": max(int(each["releases"]) for each in sums),
    }


def fit(total: Floats, noise: float) -> tuple[float, list[Floats]]:
    """Base and values of each feature's bins, in log-odds, from pooled sums.

    Args:
        total: the pooled sums.
        noise: standard deviation of their noise, which sets the penalty.
    """
    size = length()
    upper = np.zeros((size, size))
    upper[np.triu_indices(size)] = total[: size * (size + 1) // 2] / PAIRS_WEIGHT
    pairs = upper + np.triu(upper, 1).T
    interrupted = total[size * (size + 1) // 2 :]
    patients = max(float(pairs[0, 0]), 1.0)
    share = float(np.clip(interrupted[0] / patients, 0.01, 0.6))
    weight = share * (1 - share)
    # Noise can make the pairs indefinite: their eigenvalues are cut at the size of the noise's own.
    strength = max(noise / PAIRS_WEIGHT * size**0.5, 0.001 * patients)
    penalty = weight * strength * np.eye(size)
    penalty[0, 0] = 0
    eigenvalues, vectors = np.linalg.eigh(weight * pairs)
    definite = (vectors * np.maximum(eigenvalues, 0)) @ vectors.T
    beta = np.linalg.solve(definite + penalty + 1e-6 * np.eye(size), interrupted - share * pairs[0])
    beta = np.clip(beta, -LARGEST_EFFECT, LARGEST_EFFECT)
    base, start, values = float(np.log(share / (1 - share))) + float(beta[0]), 1, []
    for bins in sizes():
        counts = np.maximum(pairs[0, start : start + bins], 0)
        curve = np.where(counts > noise, beta[start : start + bins], 0.0)
        mean = float(curve @ counts / max(counts.sum(), 1.0))
        values.append(np.where(counts > noise, curve - mean, 0.0))
        base += mean
        start += bins
    return base, values


def artifact_of(base: Mapping[str, Any]) -> Artifact:
    """The base model as the plugin ``additive`` stores models."""
    facts = {name: base[name] for name in ("partners", "epsilon", "delta", "noise", "releases")}
    curves = [
        {"feature": spec.to_json(), "edges": list(edges), "values": values}
        for spec, edges, values in zip(specs(), EDGES.values(), base["curves"], strict=True)
    ]
    content = {"base": base["base"], "facts": facts, "curves": curves}
    return seal(FORMAT, {"model.json": json.dumps(content, allow_nan=False, separators=(",", ":")).encode()})
