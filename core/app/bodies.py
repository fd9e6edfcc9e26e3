"""Bodies of requests: small ones are taken in before the request gets its turn, and none may be sent for ever."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio

from core.errors import RequestTimeout, TooLarge

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope

BUFFER = 65_536
"""Bytes of a body that are taken in before the turn; what is longer is read as the application asks for it."""

IDLE = 30.0
"""Seconds that the next part of a body may take."""

RATE = 1024
"""Bytes a second that a body must come at, in each ``IDLE`` seconds that were waited for it: what came fast before
earns nobody the right to trickle."""

_LATE = "the body of the request did not come in time"


class Body:
    """What the application receives.

    Attributes:
        whole: nothing of the body is still to come.
        late: what to answer with, when the body did not come in time.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        self._length = int(length) if length.isdigit() else 0
        self._receive = receive
        self._kept: list[Message] = []
        self._got = 0
        self._waited = 0.0  # since the rate was last looked at
        self._came = 0
        self.whole = not self._length and b"transfer-encoding" not in headers
        self.late: RequestTimeout | None = None

    async def take_in(self) -> None:
        """Take in the body if it is small.

        Raises:
            RequestTimeout: it did not come in time (408).
        """
        while not self.whole and self._length <= BUFFER and self._got <= BUFFER:
            self._kept.append(await self._next())

    async def take_whole(self, most: int, seconds: float) -> None:
        """Take in the whole body, which has at most ``most`` bytes.

        Raises:
            TooLarge: it is longer (413).
            RequestTimeout: it did not come in ``seconds`` (408).
        """
        try:
            with anyio.fail_after(seconds):
                self._refuse_more_than(most)
                while not self.whole:
                    self._kept.append(await self._next())
                    self._refuse_more_than(most)
        except TimeoutError:
            raise RequestTimeout(_LATE) from None

    def _refuse_more_than(self, most: int) -> None:
        if max(self._length, self._got) > most:
            detail = f"the body of the request is larger than {most} bytes"
            raise TooLarge(detail)

    async def receive(self) -> Message:
        """The next message, for the application. A body that is late ends as a connection that broke."""
        if self._kept:
            return self._kept.pop(0)
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
        self._got += size
        self._came += size
        self._waited += time.monotonic() - began
        if self._waited >= IDLE:
            if self._came < self._waited * RATE:
                raise RequestTimeout(_LATE)
            self._waited, self._came = 0.0, 0
        self.whole = message["type"] != "http.request" or not message.get("more_body", False)
        return message
