"""Dramatiq's broker on Redis, with consumers that look at once when messages are announced.

Dramatiq's own consumer sleeps up to the worker's timeout between two looks at an empty queue.
"""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Final

from dramatiq.broker import Consumer
from dramatiq.brokers.redis import RedisBroker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dramatiq import MessageProxy

SHORTEST_REST: Final = 0.01
"""Seconds until the second look after an announcement; each further rest is twice as long, up to the timeout."""

_OWN_REST: Final = 1
"""Milliseconds that Dramatiq's consumer sleeps itself."""


class PromptBroker(RedisBroker):
    """Dramatiq's broker whose consumers hear announcements of this process."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]  # dramatiq types its base only
        self._announced: dict[str, Event] = {}

    def announce(self, *queue_names: str) -> None:
        """Let the consumers of these queues look now, and often for a moment."""
        for name in queue_names:
            self._event(name).set()

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """Return a consumer of a queue.

        Args:
            queue_name: the queue.
            prefetch: most messages that this process has taken and not yet run.
            timeout: longest rest between two looks at an empty queue, in milliseconds.
        """
        inner = super().consume(queue_name, prefetch, _OWN_REST)
        return _PromptConsumer(inner, self._event(queue_name), timeout / 1000)

    def _event(self, queue_name: str) -> Event:
        return self._announced.setdefault(queue_name, Event())


class _PromptConsumer(Consumer):
    def __init__(self, inner: Consumer, announced: Event, longest: float) -> None:
        self._inner, self._announced = inner, announced
        self._longest, self._rest = longest, SHORTEST_REST

    def __next__(self) -> MessageProxy | None:
        """Return the next message; None after a rest if there is none."""
        message = next(self._inner)
        if message is not None:
            self._rest = SHORTEST_REST
        elif self._announced.wait(self._rest):
            self._announced.clear()
            self._rest = SHORTEST_REST
        else:
            self._rest = min(self._rest * 2, self._longest)
        return message

    def ack(self, message: MessageProxy) -> None:
        """Acknowledge a message."""
        self._inner.ack(message)

    def nack(self, message: MessageProxy) -> None:
        """Reject a message."""
        self._inner.nack(message)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Put messages back that this process took and did not run."""
        self._inner.requeue(messages)

    def close(self) -> None:
        """Close the consumer."""
        self._inner.close()
