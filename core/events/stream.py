"""A stream of a tenant's public events, as server-sent events: read from PostgreSQL, woken by signals."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio.to_thread import run_sync
from starlette.responses import Response

from core.database import node_session, psycopg_connection
from core.errors import AppError, TooManyRequests, Unavailable, phrase
from core.events.catalogue import public_types
from core.events.signals import Signals

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection
    from uuid import UUID

    from starlette.types import Receive, Scope, Send

    from core.database import TenantRef

MOST_OF_TENANT: Final = 16
MOST_OF_PRINCIPAL: Final = 4
"""Streams at the same time in one process."""
READERS: Final = 4
"""Streams of one process that read at the same time."""
BATCH: Final = 200
TICK_SECONDS: Final = 1.0
"""Between two looks whether the process drains."""
LOOK_SECONDS: Final = 5.0
"""Between two looks into PostgreSQL without a signal, and two checks of the credential."""
HEARTBEAT_SECONDS: Final = 15.0
RETRY_MILLISECONDS: Final = 3_000
"""After which a browser connects again."""
MEDIA_TYPE: Final = "text/event-stream"
HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

_AFTER: Final = """
SELECT sequence, id, event, subject, payload, published_at FROM node.outbox
WHERE tenant_id = %s AND sequence > %s ORDER BY sequence LIMIT %s
"""
_LAST: Final = "SELECT coalesce(max(last), 0) FROM node.event_counters WHERE tenant_id = %s"


@dataclass(eq=False, slots=True)
class _Waiter:
    """One stream that waits.

    Attributes:
        woken: set by a signal; only in the loop's thread.
    """

    tenant_id: UUID
    loop: asyncio.AbstractEventLoop
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class Streams:
    """The streams of one process: their bounds, and who wakes them."""

    def __init__(self) -> None:
        self._tenants: Counter[UUID] = Counter()
        self._principals: Counter[str] = Counter()
        self._waiters: set[_Waiter] = set()
        self._signals = Signals(self._heard)
        self._readers = anyio.CapacityLimiter(READERS)

    @asynccontextmanager
    async def entered(self, tenant_id: UUID, principal: str) -> AsyncIterator[_Waiter]:
        """Count a stream while the block runs, and wake it at each signal of its tenant.

        Raises:
            TooManyRequests: the tenant or the principal has as many streams as it may (429).
        """
        if self._tenants[tenant_id] >= MOST_OF_TENANT or self._principals[principal] >= MOST_OF_PRINCIPAL:
            detail = phrase(
                "too many streams are open: a partner has {tenant} at most, a person or key {principal}",
                tenant=MOST_OF_TENANT,
                principal=MOST_OF_PRINCIPAL,
            )
            raise TooManyRequests(detail, remedy="Close a stream that you no longer read.", retry_after=10)
        self._tenants[tenant_id] += 1
        self._principals[principal] += 1
        waiter = _Waiter(tenant_id, asyncio.get_running_loop())
        self._waiters.add(waiter)
        self._signals.enter()
        try:
            yield waiter
        finally:
            self._signals.leave()
            self._waiters.discard(waiter)
            self._tenants -= Counter({tenant_id: 1})
            self._principals -= Counter({principal: 1})

    async def read(self, read: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - what ``read`` gives
        """Read in a thread; a bounded number of streams does so at a time."""
        return await run_sync(read, *arguments, limiter=self._readers)

    def _heard(self, tenant_id: UUID | None) -> None:
        for waiter in tuple(self._waiters):
            if tenant_id in (None, waiter.tenant_id):
                waiter.loop.call_soon_threadsafe(waiter.woken.set)


STREAMS: Final = Streams()


@dataclass(frozen=True, slots=True)
class Subscription:
    """What one stream sends, and until when.

    Attributes:
        tenant: whose events.
        principal: who reads them.
        after: the number of the last event that the reader has; None to begin with the next one.
        events: the types to send; all if empty.
        wait: whether to wait for further events, or to end after those that are there.
        confirm: raises when the credential is no longer valid.
        draining: returns whether the process stops.
    """

    tenant: TenantRef
    principal: str
    after: int | None
    events: Collection[str]
    wait: bool
    confirm: Callable[[], None]
    draining: Callable[[], bool]


class StreamAnswer(Response):
    """An answer of server-sent events, whose length is not known; a subclass sends them."""

    media_type = MEDIA_TYPE

    def __init__(self) -> None:
        super().__init__(headers=HEADERS, media_type=MEDIA_TYPE)
        del self.headers["content-length"]


class EventStream(StreamAnswer):
    """Sends a subscription until the reader leaves, its credential ends, or the process drains."""

    def __init__(self, subscription: Subscription) -> None:
        super().__init__()
        self._subscription = subscription

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as Starlette calls
        """Send the stream.

        Raises:
            TooManyRequests: too many streams are open (429).
        """
        asked = self._subscription
        async with STREAMS.entered(asked.tenant.id, asked.principal) as waiter:
            await send_frames(self, receive, send, frames(asked, waiter.woken))


async def send_frames(answer: Response, receive: Receive, send: Send, texts: AsyncIterator[str]) -> None:
    """Send an answer whose body is these texts, until they end or the reader leaves."""
    async with anyio.create_task_group() as group:

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            group.cancel_scope.cancel()

        group.start_soon(watch)
        await send({"type": "http.response.start", "status": answer.status_code, "headers": answer.raw_headers})
        async for text in texts:
            await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        group.cancel_scope.cancel()


async def frames(asked: Subscription, woken: asyncio.Event) -> AsyncIterator[str]:
    """Yield the frames of a stream, until it ends."""
    reading = _Reading(asked, woken)
    for text in await reading.begin():
        yield text
    while True:
        for text in await reading.look():
            yield text
        while not reading.is_due():
            if not asked.wait or asked.draining():
                return
            text = await reading.tick()
            if text:
                yield text
        if asked.draining() or not await reading.validity.lasts():
            return


class _Reading:
    """How far a stream has read."""

    def __init__(self, asked: Subscription, woken: asyncio.Event) -> None:
        self._asked, self._woken = asked, woken
        self._last = 0
        self._more = False
        self._sent = self._looked = time.monotonic()
        self.validity = Validity(asked.confirm, STREAMS.read)

    async def begin(self) -> list[str]:
        newest: int = await STREAMS.read(last_number, self._asked.tenant)
        after = newest if self._asked.after is None else self._asked.after
        self._last = min(after, newest)
        first = [f"retry: {RETRY_MILLISECONDS}\nid: {self._last}\n\n"]
        if after > newest:  # a number of another installation
            first.append(frame("gap", newest, {"after": after, "before": newest + 1}))
        return first

    async def look(self) -> list[str]:
        """Return the frames of the events since the last look."""
        self._woken.clear()
        try:
            rows = await STREAMS.read(read_after, self._asked.tenant, self._last)
        except Unavailable:
            rows = []  # it looks again
        self._looked = time.monotonic()
        self._more = len(rows) == BATCH
        texts = []
        for row in rows:
            if row[0] > self._last + 1:
                texts.append(frame("gap", row[0] - 1, {"after": self._last, "before": row[0]}))
            self._last = row[0]
            if not self._asked.events or row[2] in self._asked.events:
                texts.append(frame(row[2], self._last, body_of(row)))
        if texts:
            self._sent = self._looked
        return texts

    def is_due(self) -> bool:
        """Return whether to look now."""
        return self._more or self._woken.is_set() or time.monotonic() - self._looked >= LOOK_SECONDS

    async def tick(self) -> str:
        """Wait for a signal, a second at most; return a heartbeat if nothing was sent for long."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), TICK_SECONDS)
        if time.monotonic() - self._sent < HEARTBEAT_SECONDS:
            return ""
        self._sent = time.monotonic()
        return ": the stream is open\n\n"


class Validity:
    """Checks every few seconds whether the credential of a stream's reader is still valid.

    Args:
        confirm: raises when it is not.
        read: reads in a thread, as the streams of this kind do.
    """

    def __init__(self, confirm: Callable[[], None], read: Callable[..., Awaitable[object]]) -> None:
        self._confirm, self._read = confirm, read
        self._confirmed = time.monotonic()

    async def lasts(self) -> bool:
        """Return whether the credential is still valid."""
        if time.monotonic() - self._confirmed < LOOK_SECONDS:
            return True
        try:
            await self._read(self._confirm)
        except Unavailable:
            return True  # it checks again
        except AppError:
            return False
        self._confirmed = time.monotonic()
        return True


def frame(event: str, number: int | str, body: object) -> str:
    """Return one server-sent event."""
    return f"id: {number}\nevent: {event}\ndata: {json.dumps(body, separators=(',', ':'))}\n\n"


def body_of(row: tuple[Any, ...]) -> dict[str, Any]:
    """Return an event as webhooks send it."""
    number, event_id, name, subject, payload, published_at = row
    return {
        "id": str(event_id),
        "type": name,
        "version": public_types()[name].version if name in public_types() else 1,
        "timestamp": published_at.isoformat(),
        "subject": subject,
        "data": payload,
        "sequence": number,
    }


def read_after(tenant: TenantRef, number: int) -> list[tuple[Any, ...]]:
    """Return the tenant's next public events after a number, a batch at most.

    Raises:
        Unavailable: the database is not there.
    """
    with node_session(tenant.database) as session:
        return psycopg_connection(session).execute(_AFTER, (tenant.id, number, BATCH)).fetchall()


def last_number(tenant: TenantRef) -> int:
    """Return the number of the tenant's last public event; 0 if there was none.

    Raises:
        Unavailable: the database is not there.
    """
    with node_session(tenant.database) as session:
        row = psycopg_connection(session).execute(_LAST, (tenant.id,)).fetchone()
    return 0 if row is None else int(row[0])
