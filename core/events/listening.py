"""A thread's listening to a channel of Redis: it subscribes again, with longer and longer pauses, whatever happens."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from redis import Redis
from redis.exceptions import RedisError

from core import telemetry
from core.errors import AppError
from core.resilience import guarded
from core.resilience.dependencies import REDIS_EVENTS
from core.services import ensure

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

SHORTEST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 10.0
"""Seconds between two tries to subscribe."""
_LISTEN: Final = 0.5

log = telemetry.get_logger(__name__)


def listening_client() -> Redis:
    """Return a client of Redis whose calls may take as long as one wait for a message."""
    return Redis.from_url(ensure().redis_url, socket_connect_timeout=REDIS_EVENTS.timeout)


def listen(client: Callable[[], Redis], pattern: str, heard: Callable[[str | None], None], stopping: Event) -> None:
    """Call ``heard`` with the channel of each message, and with None after each new subscription, until ``stopping``.

    Args:
        client: returns a client whose calls may take as long as one wait for a message.
        pattern: of the channels, such as ``iit:events:*``.
        heard: called in this thread. Messages may have been lost where it gets None.
        stopping: ends it, within a second.
    """
    pause = SHORTEST_PAUSE
    while not stopping.is_set():
        try:
            with guarded(REDIS_EVENTS):
                subscription: Any = client().pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
                subscription.psubscribe(pattern)
            with closing(subscription):
                pause = SHORTEST_PAUSE
                heard(None)
                while not stopping.is_set():
                    message = subscription.get_message(timeout=_LISTEN)
                    if message is not None:
                        heard(message["channel"].decode())
        except (RedisError, OSError, AppError) as error:
            log.info("nothing is heard from Redis", pattern=pattern, error=type(error).__name__)
            stopping.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
