"""Request bodies: reads small ones before the request gets its slot, and ends those that arrive too slowly."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio

from core.errors import RequestTimeout, TooLarge, phrase

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope

BUFFER = 65_536
"""Bytes of a body that are read before the slot. The application reads a longer body part by part."""

IDLE = 30.0
"""Seconds within which the next part of a body must come."""

RATE = 1024
"""Slowest accepted rate of a body, in bytes per second. It is measured again after each ``IDLE`` seconds of waiting, so
a fast beginning does not excuse a slow rest.
"""

_LATE = "the body of the request did not come in time"


class Body:
    """The body of one request, as the application receives it.

    Attributes:
        whole: whether the body has come completely.
        late: the error to answer with, if the body did not come in time.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        self._length = int(length) if length.isdigit() else 0
        self._receive = receive
        self._buffer: list[Message] = []
        self._bytes = 0
        self._waiting_seconds = 0.0  # since the last check of the rate
        self._bytes_since_check = 0
        self.whole = not self._length and b"transfer-encoding" not in headers
        self.late: RequestTimeout | None = None

    async def take_in(self) -> None:
        """Read the body into memory if it is small.

        Raises:
            RequestTimeout: the body did not come in time (408).
        """
        while not self.whole and self._length <= BUFFER and self._bytes <= BUFFER:
            self._buffer.append(await self._next())

    async def take_whole(self, most: int, seconds: float) -> None:
        """Read the whole body into memory.

        Raises:
            TooLarge: the body has more than ``most`` bytes (413).
            RequestTimeout: the body did not come within ``seconds`` (408).
        """
        try:
            with anyio.fail_after(seconds):
                self._reject_more_than(most)
                while not self.whole:
                    self._buffer.append(await self._next())
                    self._reject_more_than(most)
        except TimeoutError:
            raise RequestTimeout(_LATE) from None

    def _reject_more_than(self, most: int) -> None:
        if max(self._length, self._bytes) > most:
            detail = phrase("the body of the request is larger than {most} bytes", most=most)
            raise TooLarge(detail)

    async def receive(self) -> Message:
        """Return the next message for the application.

        If the body came too late, the message reports a broken connection.
        """
        if self._buffer:
            return self._buffer.pop(0)
        if self.whole:
            return await self._receive()
        try:
            return await self._next()
        except RequestTimeout as error:
            self.late = error
            return {"type": "http.disconnect"}

    async def _next(self) -> Message:
        began = time.monotonic()
        try:
            with anyio.fail_after(IDLE):
                message = await self._receive()
        except TimeoutError:
            raise RequestTimeout(_LATE) from None
        size = len(message.get("body", b""))
        self._bytes += size
        self._bytes_since_check += size
        self._waiting_seconds += time.monotonic() - began
        if self._waiting_seconds >= IDLE:
            if self._bytes_since_check < self._waiting_seconds * RATE:
                raise RequestTimeout(_LATE)
            self._waiting_seconds, self._bytes_since_check = 0.0, 0
        self.whole = message["type"] != "http.request" or not message.get("more_body", False)
        return message
