"""Rate limits: how often one caller may call one operation (GCRA), counted in the memory of the process.

Each process counts for itself, so N processes allow N times the rate. In return, the limits need no other server. A
limiter in Redis for users and tenants would have the same method ``take``.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.web.public_routes import PublicRate

COUNTED = 50_000
"""Most callers that are counted. One more drops the caller that has not called for longest."""


class Limiter(Protocol):
    """A rate limiter."""

    def take(self, key: str, rate: PublicRate) -> float:
        """Count one call. Return the seconds to wait if the call exceeds the limit, else 0."""


class ProcessLimiter:
    """A rate limiter that counts the calls of this process.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next: OrderedDict[str, float] = OrderedDict()

    def take(self, key: str, rate: PublicRate) -> float:
        """Count one call. Return the seconds to wait if it exceeds the limit, else 0. Rejected calls do not count."""
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
