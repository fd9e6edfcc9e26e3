"""Lines that would be written over and over, at a bounded rate."""

from __future__ import annotations

import time
from threading import Lock

SECONDS = 10.0
"""Between two lines about one event."""

EVENTS = 1000
"""Events that are told apart; beyond them the one that was written first may be written again early."""


class Repeated:
    """Says when a line about an event is due, and how many were left out since the last one."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._lock = Lock()
        self._written: dict[object, tuple[float, int]] = {}

    def due(self, event: object) -> int | None:
        """How many lines about ``event`` were left out, where one is due; None where one was written a moment ago."""
        moment = time.monotonic()
        with self._lock:
            written, left_out = self._written.get(event, (None, 0))
            if written is not None and moment - written < self._seconds:
                self._written[event] = (written, left_out + 1)
                return None
            self._written.pop(event, None)
            if len(self._written) >= EVENTS:
                del self._written[next(iter(self._written))]
            self._written[event] = (moment, 0)
            return left_out
