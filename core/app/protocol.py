"""HTTP on the wire, with bounds on what a connection may cost before a request of it is served.

uvicorn's httptools protocol bounds neither the size of a request's head nor the time that it takes to arrive, and waits
for ever for a client that does not read. One connection with an endless header line made the process copy that line
anew with every packet. Its h11 protocol bounds the size alone, at half the throughput.
"""

from __future__ import annotations

import contextlib
import resource
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary

import orjson
from uuid_utils.compat import uuid7
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from core.errors import BadRequest, HeadTooLarge, RequestTimeout
from core.errors.problem import MEDIA_TYPE, problem

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from uvicorn._types import ASGI3Application
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
    from uvicorn.server import ServerState

    from core.errors import AppError

OPEN_FILES = 4096
IDLE = 512
"""Connections without a request."""

SPARE_FILES = 256
"""Files that connections to the database, uploads and libraries need beside the connections of clients."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one connection, and on all of them.

    Attributes:
        head_bytes: of a request's first line and headers; of the trailers of a body as well.
        head_fields: headers of one request.
        head_seconds: from the connection, or the end of the last answer, to the end of a head that has begun.
        write_seconds: that a client may leave what is sent to it unread.
        linger_seconds: that a connection which is being closed may take to send what is left.
        pipelined: requests that may be sent before the first of them is answered.
        idle: connections without a request; beyond them the one that has waited longest is closed.
        connections: of all kinds; a further one is closed at once.
        of_address: of them from one address; a further one is closed at once.
        sweep_seconds: between two looks at what is late.
    """

    head_bytes: int = 32_768
    head_fields: int = 100
    head_seconds: float = 10.0
    write_seconds: float = 60.0
    linger_seconds: float = 5.0
    pipelined: int = 16
    idle: int = IDLE
    connections: int = 768
    of_address: int = 384
    sweep_seconds: float = 1.0


def allow_open_files() -> Limits:
    """Let this process open as many files as it may, up to ``OPEN_FILES``; the limits that follow from it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # a sandbox may forbid it: then the soft limit holds
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    allowed = OPEN_FILES if soft == resource.RLIM_INFINITY else min(OPEN_FILES, soft)
    connections = max(64, allowed - SPARE_FILES)
    return Limits(connections=connections, of_address=connections // 2, idle=min(IDLE, max(32, connections // 2)))


class Sweeper:
    """Looks at all connections of one server from time to time, so that no request pays for a timer of its own."""

    def __init__(self, state: ServerState, limits: Limits) -> None:
        self._state = state
        self._limits = limits
        self._timer: asyncio.TimerHandle | None = None
        self.idle: dict[BoundedProtocol, None] = {}
        self.addresses: Counter[str] = Counter()

    def admit(self, protocol: BoundedProtocol) -> None:
        """Take up a new connection, at the cost of the one that has been without a request for longest."""
        if self._timer is None:
            self._timer = protocol.loop.call_later(self._limits.sweep_seconds, self._sweep, protocol.loop)
        self.addresses[protocol.address] += 1
        if len(self.idle) >= self._limits.idle or len(self._state.connections) > self._limits.connections:
            self._abort_oldest(self.idle, protocol)
        elif self.addresses[protocol.address] > self._limits.of_address:
            self._abort_oldest((one for one in self.idle if one.address == protocol.address), protocol)
        if not protocol.transport.is_closing():
            self.idle[protocol] = None

    def release(self, protocol: BoundedProtocol) -> None:
        """A connection is gone."""
        self.idle.pop(protocol, None)
        self.addresses[protocol.address] -= 1
        if self.addresses[protocol.address] <= 0:
            del self.addresses[protocol.address]

    def _abort_oldest(self, idle: Iterable[BoundedProtocol], otherwise: BoundedProtocol) -> None:
        oldest = next(iter(idle), otherwise)
        self.idle.pop(oldest, None)
        oldest.transport.abort()

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        moment = time.monotonic()
        for protocol in list(self._state.connections):
            if isinstance(protocol, BoundedProtocol):
                protocol.end_if_late(moment)
        if self._state.connections:
            self._timer = loop.call_later(self._limits.sweep_seconds, self._sweep, loop)


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with ``limits``."""

    limits: ClassVar[Limits] = Limits()
    _sweepers: ClassVar[WeakKeyDictionary[ServerState, Sweeper]] = WeakKeyDictionary()

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **options)
        self.address = ""
        self._outside = 0  # bytes received that were neither of a body nor of a head that is complete
        self._refusal: AppError | None = None
        self._head_since: float | None = None
        self._unread_since: float | None = None
        self._closing_since: float | None = None
        self._deferred: tuple[RequestResponseCycle, ASGI3Application] | None = None
        found = self._sweepers.get(self.server_state)
        if found is None:
            found = self._sweepers[self.server_state] = Sweeper(self.server_state, self.limits)
        self._sweeper = found

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected: its first head is due."""
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        self._head_since = time.monotonic()
        self._sweeper.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._sweeper.release(self)
        self._deferred = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless it is too much of a head."""
        if self.transport.is_closing():
            return
        self._outside += len(data)
        super().data_received(data)
        if self._outside > self.limits.head_bytes and not self.transport.is_closing():
            self._refuse(HeadTooLarge(f"the head of the request has more than {self.limits.head_bytes} bytes"))
        elif self._head_since is None and self in self._sweeper.idle:
            self._head_since = time.monotonic()

    def on_headers_complete(self) -> None:
        """A head is complete: its request is served, or waits for those before it.

        Raises:
            ValueError: it has more than the limits allow; the parser stops, and ``send_400_response`` says why.
        """
        many = len(self.headers) > self.limits.head_fields
        # What came with the head, of its body perhaps, is counted too: look closer only where that could be too much.
        if many or (self._outside > self.limits.head_bytes and self._head_bytes() > self.limits.head_bytes):
            what = f"{self.limits.head_fields} headers" if many else f"{self.limits.head_bytes} bytes"
            self._refusal = HeadTooLarge(f"the head of the request has more than {what}")
            raise ValueError(what)
        if len(self.pipeline) >= self.limits.pipelined:
            self._refusal = BadRequest("too many requests were sent before the first was answered")
            raise ValueError(self.limits.pipelined)
        self._outside, self._head_since = 0, None
        self._sweeper.idle.pop(self, None)
        super().on_headers_complete()

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        """A part of a body has come."""
        self._outside = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The body is complete."""
        self._outside = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer is out: the connection waits for the next request."""
        super().on_response_complete()
        if self.transport.is_closing() or not self.cycle.response_complete:
            return
        self._sweeper.idle[self] = None
        # A body that nobody wanted is read for as long as a head may take, so that the client gets to see the answer.
        self._head_since = time.monotonic() if self.cycle.more_body else None

    def pause_writing(self) -> None:
        """The client does not read as fast as it is sent to."""
        self._unread_since = time.monotonic()
        super().pause_writing()

    def resume_writing(self) -> None:
        """The client has read."""
        self._unread_since = None
        super().resume_writing()
        deferred, self._deferred = self._deferred, None
        if deferred is not None:
            super()._start_asgi_task(*deferred)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if self._unread_since is None:
            super()._start_asgi_task(cycle, app)
        else:
            self._deferred = (cycle, app)  # it would take a turn, and wait for the last answer to be read

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, or not within the limits."""
        refusal, self._refusal = self._refusal, None
        self._refuse(refusal or BadRequest(msg))

    def end_if_late(self, moment: float) -> None:
        """End the connection if it keeps us waiting."""
        if self.transport.is_closing():
            if self._closing_since is None:
                self._closing_since = moment
            elif moment - self._closing_since > self.limits.linger_seconds:
                self.transport.abort()  # closing waits for what is left to be read, which may be never
        elif self._unread_since is not None and moment - self._unread_since > self.limits.write_seconds:
            self.logger.warning("a client did not read its answer for %d s", self.limits.write_seconds)
            self.transport.abort()
        elif self._head_since is not None and moment - self._head_since > self.limits.head_seconds:
            if self._outside:
                self._refuse(RequestTimeout("the head of the request did not come in time"))
            else:
                self.transport.close()

    def _refuse(self, error: AppError) -> None:
        """Answer in the place of the application, and close.

        Nothing is answered while an earlier request of the connection is: its answer would be taken for that one's.
        """
        self._sweeper.idle.pop(self, None)
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_complete:
            self.transport.abort()
            return
        request_id = str(uuid7())
        content = orjson.dumps(problem(error, request_id))
        self.transport.write(
            STATUS_LINE[error.status]
            + b"content-type: "
            + MEDIA_TYPE.encode()
            + b"\r\ncontent-length: "
            + str(len(content)).encode()
            + b"\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\nx-request-id: "
            + request_id.encode()
            + b"\r\nconnection: close\r\n\r\n"
            + content
        )
        self.transport.close()
