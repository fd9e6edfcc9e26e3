"""The stream of events for operators, of all tenants: what Redis stores, and changes that this process sees itself."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
from anyio.to_thread import run_sync

from core.app import probes
from core.cache.service import list_caches
from core.database import databases, pool_states
from core.database.activity import open_transactions
from core.errors import AppError, FieldError, Invalid, TooManyRequests, Unavailable, phrase
from core.events import operator_events, stream
from core.events.lags import outbox_lags
from core.events.stream import RETRY_MILLISECONDS, StreamAnswer, frame, send_frames

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterator

    from starlette.types import Receive, Scope, Send

R = TypeVar("R")

MOST_OF_PROCESS: Final = 32
MOST_OF_PRINCIPAL: Final = 4
"""Streams at the same time in one process."""
READERS: Final = 2
"""Streams of one process that read at the same time."""
SEEN_SECONDS: Final = 5.0
"""Between two looks at something whose changes nobody announces; one look serves all streams of the process."""


def _health() -> object:
    report = probes.report()
    states = [(each.name, each.state, each.detail) for each in probes.all_components()]
    return states, report.waiting, report.running, report.workers


def _databases() -> object:
    open_now = [(name, each.pid, each.state) for name in databases() for each in open_transactions(name)]
    return open_now, [(each.database, each.in_use, each.idle, each.waits) for each in pool_states()]


SEEN: Final[dict[str, Callable[[], object]]] = {
    operator_events.HEALTH: _health,
    operator_events.DATABASES: _databases,
    operator_events.CACHE: lambda: [each.counts for each in list_caches()],
    operator_events.OUTBOX: lambda: [(each.database, each.waiting, each.newest) for each in outbox_lags()],
}
"""Name of a change -> a summary that differs after it."""


class Watch:
    """Notices changes that nobody announces, once for all streams of the process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seen: dict[str, tuple[float, str, int]] = {}

    def version(self, name: str) -> int:
        """Return a number that grows with each change of ``name``."""
        with self._lock:
            moment, summary, version = self._seen.get(name, (float("-inf"), "", 0))
            if time.monotonic() - moment < SEEN_SECONDS:
                return version
            try:
                present = repr(SEEN[name]())
            except AppError as error:
                present = type(error).__name__
            version += present != summary
            self._seen[name] = (time.monotonic(), present, version)
            return version


class OperatorStreams:
    """The streams of one process, and their bounds."""

    def __init__(self) -> None:
        self._principals: Counter[str] = Counter()
        self._readers = anyio.CapacityLimiter(READERS)
        self.watch = Watch()

    @contextmanager
    def entered(self, principal: str) -> Iterator[None]:
        """Count a stream while the block runs.

        Raises:
            TooManyRequests: the process or the principal has as many streams as it may (429).
        """
        if self._principals.total() >= MOST_OF_PROCESS or self._principals[principal] >= MOST_OF_PRINCIPAL:
            detail = phrase(
                "too many streams are open: a process has {all} at most, an operator {principal}",
                all=MOST_OF_PROCESS,
                principal=MOST_OF_PRINCIPAL,
            )
            raise TooManyRequests(detail, remedy="Close a stream that you no longer read.", retry_after=10)
        self._principals[principal] += 1
        try:
            yield
        finally:
            self._principals -= Counter({principal: 1})

    async def read(self, read: Callable[..., R], *arguments: object) -> R:
        """Read in a thread; a bounded number of streams does so at a time."""
        return await run_sync(partial(read, *arguments), limiter=self._readers)


STREAMS: Final = OperatorStreams()


@dataclass(frozen=True, slots=True)
class OperatorSubscription:
    """What one stream sends, and until when.

    Attributes:
        principal: who reads.
        after: the id of the last event that the reader has; empty to begin with the next one.
        events: the names to send; all if empty.
        wait: whether to wait for further events, or to end after those that are there.
        confirm: raises when the credential is no longer valid.
        draining: returns whether the process stops.
    """

    principal: str
    after: str
    events: Collection[str]
    wait: bool
    confirm: Callable[[], None]
    draining: Callable[[], bool]
    versions: dict[str, int] = field(default_factory=dict)

    def wants(self, name: str) -> bool:
        """Return whether the reader gets events of this name."""
        return not self.events or name in self.events


class OperatorEventStream(StreamAnswer):
    """Sends a subscription until the reader leaves, its credential ends, Redis fails, or the process drains."""

    def __init__(self, subscription: OperatorSubscription) -> None:
        super().__init__()
        self._subscription = subscription

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as Starlette calls
        """Send the stream.

        Raises:
            TooManyRequests: too many streams are open (429).
            Unavailable: Redis does not answer (503).
        """
        asked = self._subscription
        with STREAMS.entered(asked.principal):
            first, last = await begin(asked)
            await send_frames(self, receive, send, frames(asked, first, last))


async def begin(asked: OperatorSubscription) -> tuple[list[str], str]:
    """Return the first frames, and the id after which the stream reads.

    Raises:
        Unavailable: Redis does not answer.
    """
    oldest, newest = await STREAMS.read(operator_events.bounds)
    last = asked.after or newest
    position = operator_events.position
    missed = bool(asked.after) and (
        position(last) > position(newest) or (last != operator_events.START and position(last) < position(oldest))
    )
    if position(last) > position(newest):  # Redis was emptied
        last = newest
    texts = [f"retry: {RETRY_MILLISECONDS}\nid: {last}\n\n"]
    if missed:
        texts.append(frame("gap", last, {"after": asked.after, "before": newest}))
    for name in SEEN:
        if asked.wait and asked.wants(name):
            asked.versions[name] = await STREAMS.read(STREAMS.watch.version, name)
    return texts, last


async def frames(asked: OperatorSubscription, first: list[str], last: str) -> AsyncIterator[str]:
    """Yield the frames of a stream, until it ends. It ends while Redis is away: then its reader asks by itself."""
    for text in first:
        yield text
    reading = _Reading(asked, last)
    while True:
        try:
            texts = await reading.look()
        except Unavailable:
            return
        for text in texts:
            yield text
        if reading.has_ended() or not await reading.validity.lasts():
            return
        if not reading.more:
            await anyio.sleep(stream.TICK_SECONDS)


class _Reading:
    """How far a stream has read.

    Attributes:
        more: whether more events are stored than one look reads.
    """

    def __init__(self, asked: OperatorSubscription, last: str) -> None:
        self._asked, self._last = asked, last
        self._sent = time.monotonic()
        self.validity = stream.Validity(asked.confirm, STREAMS.read)
        self.more = False

    async def look(self) -> list[str]:
        """Return the frames of the events and changes since the last look; a heartbeat if nothing was sent for long.

        Raises:
            Unavailable: Redis does not answer.
        """
        events = await STREAMS.read(operator_events.read_after, self._last)
        self.more = len(events) == operator_events.BATCH
        texts = [frame(each.name, each.id, each.data) for each in events if self._asked.wants(each.name)]
        self._last = events[-1].id if events else self._last
        if not self.more:
            texts += [frame(name, self._last, {}) for name in await self._changes()]
        if not texts and time.monotonic() - self._sent >= stream.HEARTBEAT_SECONDS:
            texts = [": the stream is open\n\n"]
        if texts:
            self._sent = time.monotonic()
        return texts

    def has_ended(self) -> bool:
        """Return whether nothing is left to send to a reader who does not wait, or while the process stops."""
        return not self.more and (not self._asked.wait or self._asked.draining())

    async def _changes(self) -> list[str]:
        """Return the names of the changes that this process saw since the last look."""
        changed = []
        for name, before in self._asked.versions.items():
            version = await STREAMS.read(STREAMS.watch.version, name)
            if version != before:
                self._asked.versions[name] = version
                changed.append(name)
        return changed


def checked_names(events: Collection[str]) -> frozenset[str]:
    """Return the names of events that a reader asked for.

    Raises:
        Invalid: there is no event of a name (422).
    """
    unknown = sorted(set(events) - set(operator_events.NAMES))
    if unknown:
        detail = phrase("operators get no such events: {names}", names=", ".join(unknown))
        remedy = phrase("Events for operators are {known}.", known=", ".join(operator_events.NAMES))
        raise Invalid(detail, errors=[FieldError("query.event", detail, remedy)])
    return frozenset(events)


def checked_id(text: str | None) -> str:
    """Return the id of the last event that a reader has; empty if it sent none.

    Raises:
        Invalid: it is not the id of an event (422).
    """
    sent = (text or "").strip()
    if sent and not operator_events.is_id(sent):
        detail = "not valid: header.last-event-id"
        remedy = "Send the last id as the stream sent it, or leave the header out."
        raise Invalid(detail, errors=[FieldError("header.last-event-id", "is not the id of an event", remedy)])
    return sent
