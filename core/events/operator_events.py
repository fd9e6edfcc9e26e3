"""Events for the installation's operators, of all tenants: a stream in Redis of bounded length, without payloads.

They say that something changed, so that an operator's page asks again. PostgreSQL has the facts: an event that is lost
with Redis only makes a page slower.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from threading import Lock, Timer
from typing import TYPE_CHECKING, Any, Final, cast

from core import telemetry
from core.errors import Unavailable
from core.resilience.dependencies import REDIS_EVENTS
from core.services.quick_redis import NoAnswer, quick_call

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

STREAM: Final = "iit:operators:events"
MOST_STORED: Final = 1_000
BATCH: Final = 200
START: Final = "0-0"
"""The id before every event."""
FIRST_SECONDS: Final = 0.05
LEAST_SECONDS: Final = 1.0
"""Between two events ``…changed`` of one process and name."""

JOBS: Final = "jobs.changed"
WEBHOOKS: Final = "webhooks.changed"
ERRORS: Final = "errors.changed"
CACHE: Final = "cache.changed"
HEALTH: Final = "health.changed"
DATABASES: Final = "databases.changed"
OUTBOX: Final = "events.changed"
BUSINESS: Final = "business.changed"
DIFFERENCE: Final = "business.difference"
DEAD_LETTER: Final = "jobs.dead_letter"
GROWING: Final = "jobs.dead_letters_growing"
NAMES: Final = {
    JOBS: "Jobs were queued, started or ended.",
    DEAD_LETTER: "A job of a partner or of the platform failed for good: its `job_id`, `kind` and `reason`.",
    GROWING: "Open dead letters of a partner, or of the platform, passed a `threshold`.",
    WEBHOOKS: "Deliveries of webhooks were tried.",
    ERRORS: "Unexpected errors were stored, or an operator decided about one.",
    CACHE: "The counts of the caches changed.",
    HEALTH: "The state of a component changed.",
    DATABASES: "Connections or open transactions changed.",
    OUTBOX: "Events were published or forwarded.",
    BUSINESS: "What partners use, pay or cost needs a look.",
    DIFFERENCE: "Our ledger and the payment provider differ in a way that a person must decide, or no longer do"
    " (`ended`): the `id`, `kind` and `cause` of the difference.",
}
"""The names of the events, and what each says."""

_ID: Final = re.compile(r"[0-9]{1,15}-[0-9]{1,9}")

log = telemetry.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class OperatorEvent:
    """An event as the stream has it.

    Attributes:
        id: its place in the stream, such as ``1764464400000-0``.
        name: one of ``NAMES``.
        data: ids and figures; empty for changes.
    """

    id: str
    name: str
    data: dict[str, Any]


def announce(name: str, data: Mapping[str, object] | None = None) -> None:
    """Send an event to the operators now, after the commit of what it says. It raises nothing."""
    fields = {"name": name, "data": json.dumps(dict(data or {}), default=str)}
    try:
        with quick_call(REDIS_EVENTS) as client:
            client.xadd(STREAM, cast("dict[Any, Any]", fields), maxlen=MOST_STORED, approximate=True)
    except NoAnswer as error:
        if error.called:
            log.info("operators were not informed", error=error.reason)


class Changes:
    """The changes of this process that operators do not know yet; each name is sent once a second at most."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._names: set[str] = set()
        self._timer: Timer | None = None
        self._sent = 0.0

    def add(self, name: str) -> None:
        """Send ``name`` soon, in a thread of its own. It waits for nothing."""
        with self._lock:
            self._names.add(name)
            if self._timer is not None and self._timer.is_alive():
                return
            pause = max(FIRST_SECONDS, self._sent + LEAST_SECONDS - time.monotonic())
            self._timer = Timer(pause, self._send)
            self._timer.daemon = True
            self._timer.start()

    def _send(self) -> None:
        with self._lock:
            names, self._names, self._timer = self._names, set(), None
            self._sent = time.monotonic()
        for name in sorted(names):
            announce(name)


changed: Final = Changes().add
"""Let operators know soon that something changed: ``changed(JOBS)``."""


def announce_dead_letter(job_id: UUID, kind: str, reason: str, tenant: str | None) -> None:
    """Send the event of a job that failed for good; ``tenant`` is a slug, None for a job of the platform."""
    announce(DEAD_LETTER, {"job_id": job_id, "kind": kind, "reason": reason, "tenant": tenant})
    changed(JOBS)


def is_id(text: str) -> bool:
    """Return whether a text is the id of an event."""
    return _ID.fullmatch(text) is not None


def position(event_id: str) -> tuple[int, int]:
    """Return an id in the form in which ids are compared."""
    milliseconds, _dash, number = event_id.partition("-")
    return int(milliseconds), int(number)


def bounds() -> tuple[str, str]:
    """Return the ids of the oldest and of the newest stored event; ``START`` twice if there is none.

    Raises:
        Unavailable: Redis does not answer.
    """
    oldest = _asked("xrange", STREAM, "-", "+", count=1)
    newest = _asked("xrevrange", STREAM, "+", "-", count=1)
    return (oldest[0][0].decode() if oldest else START), (newest[0][0].decode() if newest else START)


def read_after(event_id: str) -> list[OperatorEvent]:
    """Return the next events after an id, a batch at most.

    Raises:
        Unavailable: Redis does not answer.
    """
    rows = _asked("xrange", STREAM, f"({event_id}", "+", count=BATCH)
    return [OperatorEvent(row[0].decode(), row[1][b"name"].decode(), json.loads(row[1][b"data"])) for row in rows]


def _asked(command: str, *arguments: object, count: int) -> list[Any]:
    try:
        with quick_call(REDIS_EVENTS) as client:
            return cast("list[Any]", getattr(client, command)(*arguments, count=count))
    except NoAnswer as error:
        detail = "the events of operators cannot be read: Redis does not answer"
        raise Unavailable(detail, remedy="Ask for the state itself meanwhile.", retry_after=5) from error
