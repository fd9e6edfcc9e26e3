"""Wakes the relays through Redis: a job or an event that has just committed need not wait for their next look.

A wake-up carries nothing, and a lost one only costs time: a relay looks every ``IIT_JOBS_POLL_SECONDS`` anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from core import telemetry
from core.database import after_commit
from core.events.listening import listen
from core.resilience.dependencies import REDIS_EVENTS
from core.services.quick_redis import NoAnswer, quick_call

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from redis import Redis
    from sqlmodel import Session

CHANNEL: Final = "iit:jobs:wake"
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


def listen_for_wakes(client: Redis, heard: Callable[[], None], stopping: Event) -> None:
    """Call ``heard`` for each wake-up, and after each new subscription, until ``stopping``.

    Args:
        client: a client whose calls may take as long as one wait for a message.
        heard: lets the relays of this process look; it is quick.
        stopping: ends it, within a second.
    """
    listen(lambda: client, CHANNEL, lambda _: heard(), stopping)


def _wake() -> None:
    try:
        with quick_call(REDIS_EVENTS) as client:
            client.publish(CHANNEL, "")
    except NoAnswer as error:
        if error.called:
            log.info("the relay was not woken", error=error.reason)
