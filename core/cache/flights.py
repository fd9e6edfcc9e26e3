"""Computing one answer in one thread of this process while others wait for it, for a bounded time."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event, Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class _Flight:
    landed: Event = field(default_factory=Event)
    content: bytes | None = None


class Flights:
    """The answers that this process is computing, by key."""

    def __init__(self) -> None:
        self._under_way: dict[str, _Flight] = {}
        self._lock = Lock()

    def run(self, key: str, function: Callable[[], bytes], seconds: float) -> tuple[bytes, bool]:
        """Return ``function()``, or what another thread's call for the same key returns.

        Args:
            key: of the answer.
            function: computes it.
            seconds: how long to wait for another thread. After that, or if its call fails, ``function`` is called too.

        Returns:
            The answer, and whether another thread computed it.
        """
        with self._lock:
            flight = self._under_way.get(key)
            leads = flight is None
            if flight is None:
                flight = self._under_way[key] = _Flight()
        if not leads:
            flight.landed.wait(seconds)
            return (function(), False) if flight.content is None else (flight.content, True)
        try:
            flight.content = function()
            return flight.content, False
        finally:
            with self._lock:
                del self._under_way[key]
            flight.landed.set()
