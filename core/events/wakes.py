"""Wakes the relays through Redis: a job or an event that has just committed need not wait for their next look.

A wake-up carries nothing, and a lost one only costs time: a relay looks every ``IIT_JOBS_POLL_SECONDS`` anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisError

from core import telemetry
from core.database import after_commit
from core.resilience import guarded
from core.resilience.dependencies import REDIS_EVENTS
from core.resilience.errors import NOT_CALLED
from core.services.quick_redis import forget_quick_client, quick_client

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from redis import Redis
    from sqlmodel import Session

CHANNEL: Final = "iit:jobs:wake"
SHORTEST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 10.0
"""Seconds between two tries to subscribe."""
_LISTEN: Final = 0.5
_ASKED: Final = "iit.relay_woken"

log = telemetry.get_logger(__name__)


def wake_after_commit(session: Session) -> None:
    """Let the relays look once the session's transaction has committed; once, however often it is called."""
    if session.info.get(_ASKED):
        return
    session.info[_ASKED] = True

    def committed() -> None:
        session.info.pop(_ASKED, None)
        _wake()

    after_commit(session, committed)


def listen(client: Redis, heard: Callable[[], None], stopping: Event) -> None:
    """Call ``heard`` for each wake-up, and after each new subscription, until ``stopping``.

    Args:
        client: a client whose calls may take as long as one wait for a message.
        heard: lets the relays of this process look; it is quick.
        stopping: ends it, within a second.
    """
    pause = SHORTEST_PAUSE
    while not stopping.is_set():
        try:
            with guarded(REDIS_EVENTS):
                subscription: Any = client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
                subscription.subscribe(CHANNEL)
            with subscription:
                pause = SHORTEST_PAUSE
                heard()
                while not stopping.is_set():
                    if subscription.get_message(timeout=_LISTEN) is not None:
                        heard()
        except (RedisError, OSError, *NOT_CALLED) as error:
            log.info("no wake-ups of the relay", error=type(error).__name__)
            stopping.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE)


def _wake() -> None:
    try:
        with guarded(REDIS_EVENTS):
            quick_client().publish(CHANNEL, "")
    except NOT_CALLED:
        return
    except (RedisError, OSError) as error:
        forget_quick_client()
        log.info("the relay was not woken", error=type(error).__name__)
