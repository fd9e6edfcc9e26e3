"""A limit on the rate of repeated log lines."""

from __future__ import annotations

import time
from threading import Lock

SECONDS = 10.0
"""The seconds between two lines about one event."""

EVENTS = 1000
"""Most distinct events that are remembered. If there are more, the oldest may be logged again too early."""


class RepeatFilter:
    """Decides when to log an event again, and counts the omitted lines."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._lock = Lock()
        self._written: dict[object, tuple[float, int]] = {}

    def due(self, event: object) -> int | None:
        """Return the number of omitted lines about ``event`` if a line is due; None shortly after another line."""
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
