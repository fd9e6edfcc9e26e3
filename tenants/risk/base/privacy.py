"""The privacy loss of noisy sums: the exact epsilon at a delta of the Gaussian mechanism, over all releases.

Several releases with noise of their own are as one with the noise divided by the root of their number (Dong, Roth and
Su, JRSS B 2022), and one has the delta of Balle and Wang (ICML 2018, theorem 8).
"""

from __future__ import annotations

from math import exp
from statistics import NormalDist
from typing import Final

DELTA: Final = 1e-5
NOISE: Final = 2.0
"""Standard deviation of the noise over the clipping norm."""
MOST_EPSILON: Final = 8.0
"""A partner gives no more sums once their loss together would exceed this."""
_LARGEST: Final = 100.0
_STEPS: Final = 60
_NORMAL: Final = NormalDist()


def epsilon(releases: int, noise: float = NOISE, delta: float = DELTA) -> float:
    """The loss of some releases of one partner's sums; 0 without a release.

    With or without one patient, any result is about as likely: the odds differ by a factor of exp(epsilon) at most,
    but for a probability of delta.

    Args:
        releases: number of releases, each with noise of its own.
        noise: standard deviation of the noise over the clipping norm.
        delta: the probability with which the bound may fail.
    """
    low, high = 0.0, _LARGEST
    if releases == 0 or delta_at(low, releases, noise) <= delta:
        return low
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if delta_at(middle, releases, noise) <= delta else (middle, high)
    return high


def delta_at(loss: float, releases: int, noise: float) -> float:
    """The delta at an epsilon."""
    shift = releases**0.5 / noise
    near, far = (_NORMAL.cdf(sign * shift / 2 - loss / shift) for sign in (1, -1))
    return near - exp(loss) * far
