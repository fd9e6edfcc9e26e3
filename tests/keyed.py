"""A client that sends a fresh Idempotency-Key with each write under /v1, as callers of the API do."""

from __future__ import annotations

import atexit
import contextlib
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi.testclient import TestClient

from tests.whole_transport import WholeTransport

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
HEADER = "Idempotency-Key"


@cache
def _portal() -> BlockingPortal:
    """The event loop of clients that have not started their application, in a thread until the process ends.

    Starlette's client makes a thread and a loop for each request of theirs.
    """
    open_until_the_end = contextlib.ExitStack()
    atexit.register(open_until_the_end.close)
    return open_until_the_end.enter_context(start_blocking_portal())


class KeyedClient(TestClient):
    """A test client that adds a key where the test names none, and reads each answer whole but a stream's."""

    def __init__(self, app: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(app, *arguments, **options)
        self._parts = self._transport
        self._whole = WholeTransport(
            self.app,
            self._portal_factory,
            raising=options.get("raise_server_exceptions", True),
            client=options.get("client", ("testclient", 50000)),
            state=self.app_state,
        )

    def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
        """Send a request that is ready."""
        self._transport = self._parts if stream else self._whole
        return super().send(request, stream=stream, **options)

    @contextlib.contextmanager
    def _portal_factory(self) -> Iterator[BlockingPortal]:
        yield self.portal or _portal()

    def request(self, method: str, url: Any, **options: Any) -> httpx.Response:
        """Send a request."""
        if method.upper() in WRITES and str(url).removeprefix(str(self.base_url)).startswith("/v1/"):
            headers = dict(options.get("headers") or {})
            if not any(name.lower() == HEADER.lower() for name in headers):
                options["headers"] = {**headers, HEADER: str(uuid4())}
        return super().request(method, url, **options)
