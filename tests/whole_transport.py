"""How a test's client calls the application: once, in its event loop, for the whole answer.

Starlette's own transport changes between the test's thread and the loop seven times for each request, so that a test
can read an answer while it is written. Few tests do; the others pay for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import anyio
import httpx2

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from anyio.from_thread import BlockingPortal
    from starlette.types import ASGIApp, Message


class WholeTransport(httpx2.BaseTransport):
    """Calls the application for each request, and returns its answer when all of it is there.

    Args:
        app: the application.
        portal: gives the event loop that it runs in.
        raising: whether an error that it does not answer is raised to the test.
        client: the caller's address and port.
        state: of the application's lifespan.
    """

    def __init__(
        self,
        app: ASGIApp,
        portal: Callable[[], AbstractContextManager[BlockingPortal]],
        *,
        raising: bool,
        client: tuple[str, int],
        state: dict[str, Any],
    ) -> None:
        self._app, self._portal, self._raising, self._client, self._state = app, portal, raising, client, state

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the application's answer."""
        messages: list[Message] = []
        body = request.read()
        try:
            with self._portal() as portal:
                portal.call(self._call, self._scope(request), body, messages)
        except Exception:
            if self._raising:
                raise
        begin = next((each for each in messages if each["type"] == "http.response.start"), None)
        if begin is None:
            if self._raising:
                message = "the application did not answer"
                raise AssertionError(message)
            return httpx2.Response(500, request=request)
        content = b"".join(bytes(each.get("body", b"")) for each in messages if each["type"] == "http.response.body")
        return httpx2.Response(
            begin["status"],
            headers=[(name.decode(), value.decode()) for name, value in begin.get("headers", [])],
            stream=httpx2.ByteStream(b"" if request.method == "HEAD" else content),
            request=request,
        )

    async def _call(self, scope: dict[str, Any], body: bytes, messages: list[Message]) -> None:
        answered, asked = anyio.Event(), False

        async def receive() -> Message:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": body}
            await answered.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            messages.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                answered.set()

        await self._app(scope, receive, send)

    def _scope(self, request: httpx2.Request) -> dict[str, Any]:
        url = request.url
        return {
            "type": "http",
            "http_version": "1.1",
            "method": request.method,
            "path": unquote(url.path),
            "raw_path": url.raw_path.split(b"?", 1)[0],
            "root_path": "",
            "scheme": url.scheme,
            "query_string": url.query,
            "headers": [(name.lower().encode(), value.encode()) for name, value in request.headers.multi_items()],
            "client": self._client,
            "server": [url.host, url.port or {"http": 80, "https": 443}[url.scheme]],
            "extensions": {},
            "state": self._state.copy(),
        }
