"""Fits the additive model: cuts bins, tries a series of penalties, and keeps the best one on validation rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from plugins.additive.bins import Bins, Codes, cut
from plugins.additive.model import MAX_BINS, MAX_WEIGHT, AdditiveModel, Curve, read
from plugins.sdk import Artifact, BadDataError, FloatArray, Json, TrainingData, log_loss

DEFAULTS: Mapping[str, Json] = {
    "max_bins": 24,
    "min_rows": 30,
    "strengths": (3000.0, 1000.0, 300.0, 100.0, 30.0, 10.0, 3.0, 1.0),
    "inner_share": 0.2,
}


@dataclass(frozen=True, slots=True)
class AdditivePlugin:
    """Regularised additive model.

    Parameters, all optional:
        ``max_bins`` (24): bins per numeric feature.
        ``min_rows`` (30): training rows in a bin at least.
        ``strengths``: penalties to choose from, strongest first.
        ``inner_share`` (0.2): share of the patients left out for that choice if the data have no validation rows.
    """

    name: str = "additive"
    version: str = "1.0.0"

    def fit(self, data: TrainingData, params: Mapping[str, Json], seed: int) -> Artifact:
        """Fit and choose the penalty by log loss.

        Raises:
            BadDataError: a parameter is unknown or out of range.
        """
        settings = _settings(params)
        bins = tuple(
            cut(data.X[:, index], feature, settings.max_bins, settings.min_rows)
            for index, feature in enumerate(data.features)
        )
        codes = _encode(bins, data.X)
        outcome = data.y.astype(np.float64)
        strengths = settings.strengths
        if data.X_val is not None and data.y_val is not None and len(data.y_val):
            path = _fit_path(bins, codes, outcome, strengths)
            losses = _losses(bins, path, _encode(bins, data.X_val), data.y_val.astype(np.float64))
            chosen = int(np.argmin(losses))
            beta = path[chosen]
        else:
            chosen, losses = _choose_inside(bins, codes, outcome, data.group, settings, seed)
            beta = _fit_path(bins, codes, outcome, strengths[: chosen + 1])[-1]
        facts = {
            "rows": len(outcome),
            "base_rate": float(outcome.mean()),
            "penalty": strengths[chosen],
            "penalties": {f"{strength:g}": loss for strength, loss in zip(strengths, losses, strict=False)},
            "chosen_on": "validation rows" if data.X_val is not None else "patients left out",
        }
        return _centred(data, bins, codes, beta, facts).save()

    def load(self, artifact: Artifact) -> AdditiveModel:
        """Read a model back, after verifying it.

        Raises:
            BadArtifactError: it is not what :meth:`fit` wrote.
        """
        return read(artifact)


@dataclass(frozen=True, slots=True)
class _Settings:
    max_bins: int
    min_rows: int
    strengths: tuple[float, ...]
    inner_share: float


def _settings(params: Mapping[str, Json]) -> _Settings:
    if unknown := set(params) - set(DEFAULTS):
        message = f"the additive model has no parameter {', '.join(sorted(unknown))}: it has {', '.join(DEFAULTS)}"
        raise BadDataError(message)
    merged = {**DEFAULTS, **params}
    try:
        settings = _Settings(
            max_bins=int(merged["max_bins"]),
            min_rows=int(merged["min_rows"]),
            strengths=tuple(sorted((float(strength) for strength in merged["strengths"]), reverse=True)),
            inner_share=float(merged["inner_share"]),
        )
    except (TypeError, ValueError) as error:
        message = f"a parameter of the additive model is not a number: {error}"
        raise BadDataError(message) from error
    ranges = {
        "max_bins": 1 < settings.max_bins < MAX_BINS,
        "min_rows": settings.min_rows > 0,
        "strengths": bool(settings.strengths) and all(0 < strength < np.inf for strength in settings.strengths),
        "inner_share": 0 < settings.inner_share < 1,
    }
    if wrong := [name for name, fine in ranges.items() if not fine]:
        message = f"parameters of the additive model out of range: {', '.join(wrong)}"
        raise BadDataError(message)
    return settings


def _encode(bins: Sequence[Bins], matrix: FloatArray) -> list[Codes]:
    return [each.codes(matrix[:, index]) for index, each in enumerate(bins)]


def _fit_path(
    bins: tuple[Bins, ...], codes: Sequence[Codes], outcome: FloatArray, strengths: Sequence[float]
) -> list[FloatArray]:
    from plugins.additive.solver import Layout, fit_path

    return fit_path(Layout(bins), codes, outcome, strengths)


def _losses(
    bins: tuple[Bins, ...], path: Sequence[FloatArray], codes: Sequence[Codes], outcome: FloatArray
) -> list[float]:
    from plugins.additive.solver import Layout, margins

    layout = Layout(bins)
    return [log_loss(margins(layout, codes, beta), outcome) for beta in path]


def _choose_inside(
    bins: tuple[Bins, ...],
    codes: Sequence[Codes],
    outcome: FloatArray,
    group: np.ndarray,
    settings: _Settings,
    seed: int,
) -> tuple[int, list[float]]:
    """Return the penalty that does best on patients left out; the strongest if there are too few patients."""
    patients, index = np.unique(group, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(patients))
    validation = (order < max(1, round(settings.inner_share * len(patients))))[index]
    if not 0 < outcome[~validation].sum() < (~validation).sum():
        return 0, []
    path = _fit_path(bins, [column[~validation] for column in codes], outcome[~validation], settings.strengths)
    losses = _losses(bins, path, [column[validation] for column in codes], outcome[validation])
    return int(np.argmin(losses)), losses


def _centred(
    data: TrainingData, bins: tuple[Bins, ...], codes: Sequence[Codes], beta: FloatArray, facts: Mapping[str, Json]
) -> AdditiveModel:
    """Return the curves with a training average of zero; their averages move to the base."""
    base, start = float(beta[0]), 1
    curves = []
    for feature, each, column in zip(data.features, bins, codes, strict=True):
        values = beta[start : start + each.size]
        mean = float(values[column].mean())
        # A bin that no training row was in says nothing: it adds zero.
        seen = np.bincount(column, minlength=each.size) > 0
        values = np.where(seen, values - mean, 0.0)
        curves.append(Curve(feature=feature, bins=each, values=np.clip(values, -MAX_WEIGHT, MAX_WEIGHT)))
        base += mean
        start += each.size
    return AdditiveModel(base=base, curves=tuple(curves), facts=facts)
