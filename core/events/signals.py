"""Signals that a tenant has new public events, through Redis: pub/sub with the tenant in the channel's name.

A signal carries nothing. Whoever gets one reads the events from PostgreSQL. So a lost signal only makes a reader
slower, and Redis never sees an event.
"""

from __future__ import annotations

from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Final
from uuid import UUID

from redis import Redis
from redis.exceptions import RedisError

from core import telemetry
from core.database import after_commit
from core.events.listening import listen, listening_client
from core.resilience import guarded
from core.resilience.dependencies import REDIS_EVENTS
from core.resilience.errors import NOT_CALLED
from core.services.quick_redis import NoAnswer, quick_call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from core.database import TenantSession

CHANNEL: Final = "iit:events:"
_ASKED: Final = "iit.readers_signalled"

log = telemetry.get_logger(__name__)


def send_signals(client: Redis, tenant_ids: Iterable[UUID]) -> None:
    """Signal that these tenants have new events. If Redis does not answer, readers find them later."""
    tenants = set(tenant_ids)
    if not tenants:
        return
    try:
        with guarded(REDIS_EVENTS):
            pipe = client.pipeline(transaction=False)
            for tenant_id in tenants:
                pipe.publish(f"{CHANNEL}{tenant_id}", "")
            pipe.execute()
    except (RedisError, *NOT_CALLED) as error:
        log.info("events were not signalled", error=type(error).__name__)


def signal_after_commit(session: TenantSession) -> None:
    """Let readers of the tenant look once the session's transaction has committed; once, however often it is called.

    For changes that readers see by themselves, without an event. If Redis does not answer, they find them later.
    """
    if session.info.get(_ASKED):
        return
    session.info[_ASKED] = True
    tenant_id = session.tenant.id

    def committed() -> None:
        session.info.pop(_ASKED, None)
        try:
            with quick_call(REDIS_EVENTS) as client:
                client.publish(f"{CHANNEL}{tenant_id}", "")
        except NoAnswer as error:
            if error.called:
                log.info("a change was not signalled", error=error.reason)

    after_commit(session, committed)


class Signals:
    """Listens while somebody is interested, in a thread of its own.

    Args:
        heard: called in that thread with a tenant; with None after each new subscription, when signals may be lost.
    """

    def __init__(self, heard: Callable[[UUID | None], None]) -> None:
        self._heard = heard
        self._lock = Lock()
        self._interested = 0
        self._ended = Event()

    def enter(self) -> None:
        """Count one more who is interested; the first one starts the thread."""
        with self._lock:
            self._interested += 1
            if self._interested == 1:
                self._ended = Event()
                Thread(target=self._run, args=(self._ended,), name="iit-event-signals", daemon=True).start()

    def leave(self) -> None:
        """Count one fewer; the last one ends the thread, within a second."""
        with self._lock:
            self._interested -= 1
            if not self._interested:
                self._ended.set()

    def _run(self, ended: Event) -> None:
        def heard(channel: str | None) -> None:
            self._heard(None if channel is None else UUID(channel.removeprefix(CHANNEL)))

        listen(listening_client, f"{CHANNEL}*", heard, ended)
