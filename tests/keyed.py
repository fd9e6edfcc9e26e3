"""A client that sends a fresh Idempotency-Key with each write under /v1, as callers of the API do."""

from __future__ import annotations

import atexit
import contextlib
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi.testclient import TestClient

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
    """A test client that adds a key where the test names none."""

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
