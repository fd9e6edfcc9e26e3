"""Unusual days: a partner's day that is far from its own days before. A pure rule."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

DAYS_BEFORE: Final = 28
LEAST_DAYS: Final = 7
"""Days with a cost that a partner needs before a day of it can be unusual."""
DEVIATIONS: Final = Decimal(5)
SHARE: Final = Decimal("0.5")
LEAST_DOLLARS: Final = Decimal(1)
"""How far from the median a day must at least be: deviations, a share of the median, and US dollars."""
_NORMAL: Final = Decimal("1.4826")
"""The standard deviation of a normal distribution over its median absolute deviation."""


@dataclass(frozen=True, slots=True)
class UnusualDay:
    """A day that costs far more or far less than the days before; ``expected`` is their median, in US dollars."""

    amount: Decimal
    expected: Decimal


def unusual(amount: Decimal, before: Sequence[Decimal]) -> UnusualDay | None:
    """Return a day's cost if it is unusual, else None.

    The median and the median absolute deviation are used, so that one earlier unusual day hides no later one. A day far
    below is unusual too: perhaps something is no longer metered.

    Args:
        amount: the cost of the day, in US dollars.
        before: the costs of the days before it, in any order.
    """
    if sum(1 for each in before if each) < LEAST_DAYS:
        return None
    middle = median(before)
    spread = median([abs(each - middle) for each in before]) * _NORMAL
    far = max(spread * DEVIATIONS, middle * SHARE, LEAST_DOLLARS)
    return UnusualDay(amount, middle) if abs(amount - middle) > far else None
