"""How often one caller may call one operation: a bound over time (GCRA), counted in the memory of the process.

Each process counts by itself: N processes allow N times the rate, and no server that is unavailable opens or closes a
route. A limiter in Redis for users and tenants has the same method ``take``.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.web.public_routes import PublicRate

COUNTED = 50_000
"""Callers that are counted; one more drops the caller whose last call is the longest ago."""


class Limiter(Protocol):
    """Counts calls."""

    def take(self, key: str, rate: PublicRate) -> float:
        """Count one call; the seconds to wait where it is one too many, else 0."""


class ProcessLimiter:
    """Counts the calls that this process gets.

    Args:
        clock: gives seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next: OrderedDict[str, float] = OrderedDict()

    def take(self, key: str, rate: PublicRate) -> float:
        """Count one call; the seconds to wait where it is one too many, else 0. A rejected call does not count."""
        moment, interval = self._clock(), 60.0 / rate.per_minute
        due = max(self._next.get(key, moment), moment)
        wait = due - moment - (rate.burst - 1) * interval
        if wait > 0:
            return wait
        self._next[key] = due + interval
        self._next.move_to_end(key)
        if len(self._next) > COUNTED:
            self._next.popitem(last=False)
        return 0.0
