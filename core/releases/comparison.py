"""Comparison of two versions: whether the new one fails or is slow more often, by an exact test.

The test is Fisher's, one-sided: if both versions failed alike, how probable would so many failures of the new one be?
It is asked again and again while requests come in, so the level is divided by the number of looks (Bonferroni): the
chance of rolling back a version that is as good as the old one stays below ``LEVEL`` for the whole roll-out.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, lgamma
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

LEVEL: Final = 0.01
TAIL: Final = 0.05
"""Share of requests that may be slower than the 95th percentile."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a new version.

    Attributes:
        error_share: share of its requests that may fail, even if the old version fails less.
        seconds95: seconds within which 95 % of its requests must be answered, unless the old version is as slow.
        slowdown: how many times the old version's 95th percentile its own may be.
    """

    error_share: float = 0.01
    seconds95: float = 1.5
    slowdown: float = 2.0


@dataclass(frozen=True, slots=True)
class Measures:
    """Requests of one version.

    Attributes:
        requests: how many.
        failed: how many of them failed.
        within: upper bound of seconds -> how many timed requests took at most so long; the last bound is infinite.
    """

    requests: int
    failed: int
    within: Mapping[float, int]

    @property
    def timed(self) -> int:
        """Requests whose time is known."""
        return max(self.within.values(), default=0)

    @property
    def seconds95(self) -> float | None:
        """The smallest bound within which 95 % were answered; None without requests."""
        if not self.timed:
            return None
        return min(bound for bound, count in self.within.items() if count >= (1 - TAIL) * self.timed)

    def slower(self, seconds: float) -> int:
        """Return how many took longer than a bound."""
        return self.timed - self.within.get(seconds, self.timed)


def problem_of(old: Measures, new: Measures, limits: Limits, looks: int) -> str | None:
    """Return why the new version is worse than the old one beyond its limits; None while nothing shows it.

    Args:
        old: requests of the old version, since the new one gets some.
        new: requests of the new version.
        limits: of the new version.
        looks: how often this is asked in the whole roll-out.
    """
    level = LEVEL / max(1, looks) / 2  # two questions
    if new.failed > limits.error_share * new.requests:
        chance = chance_of(new.failed, new.requests, old.failed, old.requests)
        if chance < level:
            shares = (
                f"{new.failed} of {new.requests} requests failed; of the old version {old.failed} of {old.requests}"
            )
            return f"{shares} (p = {chance:.1g})"
    bound = _bound(old, new, limits)
    if bound is not None and new.slower(bound) > TAIL * new.timed:
        chance = chance_of(new.slower(bound), new.timed, old.slower(bound), old.timed)
        if chance < level:
            shares = f"{new.slower(bound)} of {new.timed} requests took longer than {bound:g} s"
            return f"{shares}; of the old version {old.slower(bound)} of {old.timed} (p = {chance:.1g})"
    return None


def _bound(old: Measures, new: Measures, limits: Limits) -> float | None:
    """The bound of seconds beyond which a request counts as slow; None if nothing can be compared."""
    typical = old.seconds95
    if typical is None or not new.timed:
        return None
    most = min(limits.seconds95, typical * limits.slowdown)
    bounds = [bound for bound in new.within if most <= bound < float("inf")]
    return min(bounds, default=None)


def chance_of(new_bad: int, new: int, old_bad: int, old: int) -> float:
    """Return Fisher's one-sided p: the chance of ``new_bad`` or more of ``new`` if both were alike.

    >>> round(chance_of(3, 10, 0, 100), 6)
    0.000556
    >>> chance_of(0, 10, 5, 100)
    1.0
    """
    bad, whole = new_bad + old_bad, new + old
    if not new_bad:
        return 1.0
    most = min(bad, new)
    ways = _log_ways(whole, new)
    return min(
        1.0, sum(exp(_log_ways(bad, x) + _log_ways(whole - bad, new - x) - ways) for x in range(new_bad, most + 1))
    )


def _log_ways(whole: int, part: int) -> float:
    if not 0 <= part <= whole:
        return float("-inf")
    return lgamma(whole + 1) - lgamma(part + 1) - lgamma(whole - part + 1)
