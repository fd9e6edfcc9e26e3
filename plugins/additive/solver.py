"""Penalised logistic regression on bins, by counts instead of a design matrix.

A row is one bin per feature, so gradients and curvatures are weighted counts (``bincount``). No matrix of indicators
is built, and a cell takes a few bytes. The result does not depend on the number of threads.

The penalty pulls neighbouring bins together (first differences) and every bin towards zero (ridge). A strong penalty
makes a feature vanish; a weak one lets it follow the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from plugins.additive.bins import Bins, Codes
from plugins.sdk import FloatArray, log_loss, sigmoid

MAX_STEPS = 60
TOLERANCE = 1e-8
RIDGE_SHARE = 0.05
"""The strength of the ridge relative to the smoothing: bins are pulled mostly to their neighbours, and a little to
zero.
"""
REFRESH = 4


@dataclass(frozen=True)
class Layout:
    """The positions of each feature's coefficients in one vector; position 0 is the intercept."""

    bins: tuple[Bins, ...]

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Position of each feature's first coefficient."""
        sizes = [each.size for each in self.bins]
        return 1 + np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return int(self.starts[-1])

    def penalty(self) -> FloatArray:
        """The quadratic form of a penalty of strength 1, (size, size); the intercept is free."""
        form = np.zeros((self.size, self.size))
        for start, each in zip(self.starts, self.bins, strict=False):
            known = each.known
            if each.categories:
                form[range(start, start + known), range(start, start + known)] += 1.0
            else:
                difference = np.diff(np.eye(known), axis=0)
                block = slice(start, start + known)
                form[block, block] += difference.T @ difference + RIDGE_SHARE * np.eye(known)
            form[start + known, start + known] += 1.0
        return form


def margins(layout: Layout, codes: Sequence[Codes], beta: FloatArray) -> FloatArray:
    """Log-odds (n,) of rows given as one column of codes per feature."""
    total = np.full(len(codes[0]), beta[0])
    for start, column in zip(layout.starts, codes, strict=False):
        total += beta[start:][column]
    return total


def _gradient(layout: Layout, codes: Sequence[Codes], residual: FloatArray) -> FloatArray:
    parts = [np.array([residual.sum()])]
    parts += [
        np.bincount(column, weights=residual, minlength=each.size)
        for each, column in zip(layout.bins, codes, strict=True)
    ]
    return np.concatenate(parts)


def _curvature(layout: Layout, codes: Sequence[Codes], weight: FloatArray) -> FloatArray:
    form = np.zeros((layout.size, layout.size))
    form[0, 0] = weight.sum()
    for i, (first, column) in enumerate(zip(layout.bins, codes, strict=True)):
        a = layout.starts[i]
        alone = np.bincount(column, weights=weight, minlength=first.size)
        form[0, a : a + first.size] = alone
        form[range(a, a + first.size), range(a, a + first.size)] = alone
        wide = column.astype(np.intp)
        for j in range(i + 1, len(codes)):
            second, b = layout.bins[j], layout.starts[j]
            joint = np.bincount(wide * second.size + codes[j], weights=weight, minlength=first.size * second.size)
            form[a : a + first.size, b : b + second.size] = joint.reshape(first.size, second.size)
    return np.asarray(np.triu(form) + np.triu(form, 1).T, dtype=np.float64)


def fit_path(
    layout: Layout, codes: Sequence[Codes], outcome: FloatArray, strengths: Sequence[float]
) -> list[FloatArray]:
    """Return the coefficients for each penalty strength, from strong to weak. Each fit starts from the one before.

    It uses Newton's method. The curvature is the costly part and changes slowly, so it is counted again only every few
    steps. A step that does not lower the loss is halved.
    """
    from scipy.linalg import cho_factor, cho_solve

    form = layout.penalty()
    beta = np.zeros(layout.size)
    share = outcome.mean()
    beta[0] = np.log(share / (1 - share))
    path = []
    eta = margins(layout, codes, beta)
    curvature: FloatArray | None = None
    for strength in strengths:
        penalty = strength * form

        def objective(candidate: FloatArray, log_odds: FloatArray, penalty: FloatArray = penalty) -> float:
            return len(outcome) * log_loss(log_odds, outcome) + float(candidate @ penalty @ candidate) / 2

        current = objective(beta, eta)
        for step_number in range(MAX_STEPS):
            mean = sigmoid(eta)
            if curvature is None or step_number % REFRESH == REFRESH - 1:
                curvature = _curvature(layout, codes, mean * (1 - mean))
                factor = None
            if step_number == 0 or factor is None:
                factor = cho_factor(curvature + penalty + 1e-9 * np.eye(layout.size))
            step = cho_solve(factor, _gradient(layout, codes, outcome - mean) - penalty @ beta)
            scale, after, moved = 1.0, np.inf, eta
            while scale > TOLERANCE:
                moved = margins(layout, codes, beta + scale * step)
                after = objective(beta + scale * step, moved)
                if after <= current:
                    break
                scale /= 2
            if after > current:
                break
            gained, beta, eta, current = current - after, beta + scale * step, moved, after
            if gained <= TOLERANCE * abs(current):
                break
        path.append(beta.copy())
    return path
