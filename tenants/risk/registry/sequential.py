"""A comparison of two groups of facilities that may be looked at every day, and the size that it needs.

The statistic is the mixture sequential probability ratio (Robbins 1970; Johari, Koomen, Pekelis and Walsh, "Always
valid inference", Operations Research 2022): under no difference, the chance that it ever reaches ``1 / alpha`` is at
most ``alpha``, however often somebody looks. Facilities were randomised, not people, so the variance is that between
facilities (Hayes and Moulton, Cluster Randomised Trials, 2017), and because there are few of them, the standardised
difference is brought from Student's t to the normal scale first.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

FEWEST_FACILITIES: Final = 5
"""Facilities of each group that a look needs: with fewer, their variance is unknown."""
FEWEST_DECISIONS: Final = 50
"""Decisions of each group that a look needs."""
LARGEST_Z: Final = 37.0


@dataclass(frozen=True, slots=True)
class Look:
    """What the outcomes up to a day say about the difference between two groups of facilities.

    Attributes:
        difference: mean of the second group minus that of the first.
        variance: of the difference, from the spread between facilities.
        z: standardised difference on the normal scale.
        ratio: the mixture ratio; evidence against no difference.
    """

    difference: float
    variance: float
    z: float
    ratio: float


def look(
    sums: npt.NDArray[np.float64], counts: npt.NDArray[np.float64], second: npt.NDArray[np.bool_], scale: float
) -> Look | None:
    """Compare two groups of facilities; None while there is too little to look at.

    Args:
        sums: sum of the outcomes of each facility.
        counts: number of decisions of each facility, above 0.
        second: whether a facility is in the second group.
        scale: the size of a difference that matters; the mixture's standard deviation.
    """
    groups = [_mean(sums[mask], counts[mask]) for mask in (~second, second)]
    if any(group is None for group in groups):
        return None
    (first_mean, first_variance), (second_mean, second_variance) = (group for group in groups if group is not None)
    difference, variance = second_mean - first_mean, first_variance + second_variance
    if variance <= 0:
        return None
    z = _normal_scale(difference / sqrt(variance), len(sums) - 2)
    return Look(difference, variance, z, mixture_ratio(z, variance, scale))


def mixture_ratio(z: float, variance: float, scale: float) -> float:
    """The likelihood ratio of a normal mixture of differences against none, for a standardised difference ``z``."""
    share = scale**2 / (variance + scale**2)
    exponent = 0.5 * log(1 - share) + 0.5 * z * z * share
    return exp(min(exponent, 700.0))


def _mean(sums: npt.NDArray[np.float64], counts: npt.NDArray[np.float64]) -> tuple[float, float] | None:
    """Mean over all decisions of a group, and its variance by facilities."""
    facilities, decisions = len(sums), float(counts.sum())
    if facilities < FEWEST_FACILITIES or decisions < FEWEST_DECISIONS:
        return None
    mean = float(sums.sum()) / decisions
    spread = float(((sums - mean * counts) ** 2).sum()) / decisions**2
    return mean, spread * facilities / (facilities - 1)


def _normal_scale(t: float, degrees: int) -> float:
    """The normal deviate that is as rare as a Student's t of these degrees of freedom."""
    from scipy import stats

    tail = float(stats.t.logsf(abs(t), degrees))
    z = min(float(stats.norm.isf(exp(max(tail, -680.0)))), LARGEST_Z)
    return z if t >= 0 else -z


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a comparison, stated before it begins.

    Attributes:
        decisions: resolved decisions of both groups together.
        smallest_effect: the difference that it finds with the power asked for.
        least_effect: the smallest difference that these facilities could ever show, however long it runs.
    """

    decisions: int
    smallest_effect: float
    least_effect: float


def size(
    *, base_rate: float, smallest_effect: float, facilities: tuple[int, int], correlation: float, alpha: float,
    power: float,
) -> Size:  # fmt: skip
    """Return the decisions that a comparison needs.

    Args:
        base_rate: share of decisions that interrupt today.
        smallest_effect: difference of shares that it shall find.
        facilities: number of facilities in each group.
        correlation: intracluster correlation: how alike the decisions of one facility are.
        alpha: chance of finding a difference where there is none.
        power: chance of finding the smallest effect.
    """
    single = base_rate * (1 - base_rate)
    wanted = standard_errors(alpha, power)
    floor = single * correlation * sum(1 / number for number in facilities)
    least = wanted * sqrt(floor)
    target = (smallest_effect / wanted) ** 2
    if target <= floor:
        return Size(0, smallest_effect, least)
    per_facility = single * (1 - correlation) * sum(1 / number for number in facilities) / (target - floor)
    return Size(int(np.ceil(per_facility * sum(facilities))), smallest_effect, least)


def standard_errors(alpha: float, power: float) -> float:
    """Standard errors that the smallest effect must measure at the end, for a sequential test whose scale it is."""
    from scipy import optimize, stats

    margin = float(stats.norm.ppf(power))

    def short(errors: float) -> float:
        square = errors * errors
        border = sqrt((1 + 1 / square) * (2 * log(1 / alpha) + log(1 + square)))
        return errors - border - margin

    return float(optimize.brentq(short, 0.5, 50.0))
