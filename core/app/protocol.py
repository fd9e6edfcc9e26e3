"""HTTP protocol: limits the resources that a connection may use before the server handles its request.

uvicorn's httptools protocol limits neither the size of a request's head nor the time that it takes to arrive. It waits
for ever for a client that does not read. An endless header line made the process copy that line again with every
packet. uvicorn's h11 protocol limits the size only, at half the throughput.
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

from core.errors import BadRequest, HeadTooLarge, RequestTimeout, phrase
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
"""Most connections without a request that are kept open."""

SPARE_FILES = 256
"""Files kept free for database connections, uploads and libraries, beside the connections of clients."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one connection, and of all connections together.

    Attributes:
        head_bytes: most bytes of a request's first line and headers, and of a body's trailers.
        head_fields: most headers of one request.
        head_seconds: most seconds from the connection, or from the last answer, to the end of the next head.
        write_seconds: most seconds that a client may leave an answer unread.
        linger_seconds: most seconds that a closing connection may take to send the rest.
        pipelined: most requests that a client may send before the first is answered.
        idle: most connections without a request; one more closes the one that has waited longest.
        connections: most connections in all; the server closes a further one at once.
        of_address: most connections from one address; the server closes a further one at once.
        sweep_seconds: seconds between two checks for connections that are late.
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
    """Raise this process's limit of open files, up to ``OPEN_FILES``, and return the limits of connections."""
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
    """Checks all connections of one server at intervals, so that no request needs a timer of its own."""

    def __init__(self, state: ServerState, limits: Limits) -> None:
        self._state = state
        self._limits = limits
        self._timer: asyncio.TimerHandle | None = None
        self.idle: dict[BoundedProtocol, None] = {}
        self.addresses: Counter[str] = Counter()

    def admit(self, protocol: BoundedProtocol) -> None:
        """Admit a new connection; at the limit, close the one that has been idle for longest."""
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
        """Stop counting a connection that is gone."""
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
        self._outside = 0  # bytes received that belong to no body and to no complete head
        self._rejection: AppError | None = None
        self._head_since: float | None = None
        self._unread_since: float | None = None
        self._closing_since: float | None = None
        self._deferred: tuple[RequestResponseCycle, ASGI3Application] | None = None
        sweeper = self._sweepers.get(self.server_state)
        if sweeper is None:
            sweeper = self._sweepers[self.server_state] = Sweeper(self.server_state, self.limits)
        self._sweeper = sweeper

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock for the first head of a new connection."""
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        self._head_since = time.monotonic()
        self._sweeper.admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the connection of a client that is gone."""
        self._sweeper.release(self)
        self._deferred = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the bytes that came, unless they make the head too large."""
        if self.transport.is_closing():
            return
        self._outside += len(data)
        super().data_received(data)
        if self._outside > self.limits.head_bytes and not self.transport.is_closing():
            self._reject(
                HeadTooLarge(phrase("the head of the request has more than {most} bytes", most=self.limits.head_bytes))
            )
        elif self._head_since is None and self in self._sweeper.idle:
            self._head_since = time.monotonic()

    def on_headers_complete(self) -> None:
        """Serve the request of a complete head, or queue it behind those before it.

        Raises:
            ValueError: the head exceeds the limits; the parser stops, and ``send_400_response`` says why.
        """
        many = len(self.headers) > self.limits.head_fields
        # The count may include bytes of the body that came with the head: measure exactly only when it is too high.
        if many or (self._outside > self.limits.head_bytes and self._head_bytes() > self.limits.head_bytes):
            what = f"{self.limits.head_fields} headers" if many else f"{self.limits.head_bytes} bytes"
            self._rejection = HeadTooLarge(phrase("the head of the request has more than {what}", what=what))
            raise ValueError(what)
        if len(self.pipeline) >= self.limits.pipelined:
            self._rejection = BadRequest("too many requests were sent before the first was answered")
            raise ValueError(self.limits.pipelined)
        self._outside, self._head_since = 0, None
        self._sweeper.idle.pop(self, None)
        super().on_headers_complete()

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        """Pass on a part of a body."""
        self._outside = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a complete body."""
        self._outside = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Let the connection wait for its next request after an answer."""
        super().on_response_complete()
        if self.transport.is_closing() or not self.cycle.response_complete:
            return
        self._sweeper.idle[self] = None
        # Read an unwanted body for as long as a head may take: else the client would not see the answer.
        self._head_since = time.monotonic() if self.cycle.more_body else None

    def pause_writing(self) -> None:
        """Start the clock for a client that reads too slowly."""
        self._unread_since = time.monotonic()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Stop the clock of the slow client, and start its next request if one is waiting."""
        self._unread_since = None
        super().resume_writing()
        deferred, self._deferred = self._deferred, None
        if deferred is not None:
            super()._start_asgi_task(*deferred)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if self._unread_since is None:
            super()._start_asgi_task(cycle, app)
        else:
            self._deferred = (cycle, app)  # it would occupy a slot while the client reads the last answer

    def send_400_response(self, msg: str) -> None:
        """Reject a request that is not HTTP, or that exceeds the limits."""
        rejection, self._rejection = self._rejection, None
        self._reject(rejection or BadRequest(msg))

    def end_if_late(self, moment: float) -> None:
        """Close the connection if it is late."""
        if self.transport.is_closing():
            if self._closing_since is None:
                self._closing_since = moment
            elif moment - self._closing_since > self.limits.linger_seconds:
                self.transport.abort()  # closing waits until the client reads the rest, which it may never do
        elif self._unread_since is not None and moment - self._unread_since > self.limits.write_seconds:
            self.logger.warning("a client did not read its answer for %d s", self.limits.write_seconds)
            self.transport.abort()
        elif self._head_since is not None and moment - self._head_since > self.limits.head_seconds:
            if self._outside:
                self._reject(RequestTimeout("the head of the request did not come in time"))
            else:
                self.transport.close()

    def _reject(self, error: AppError) -> None:
        """Answer an error in place of the application, and close the connection.

        If an earlier request is being answered, only close: the client would take the error for its answer.
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
