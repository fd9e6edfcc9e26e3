"""A client that sends a fresh Idempotency-Key with each write under /v1, as callers of the API do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from fastapi.testclient import TestClient

if TYPE_CHECKING:
    import httpx

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
HEADER = "Idempotency-Key"


class KeyedClient(TestClient):
    """A test client that adds a key where the test names none."""

    def request(self, method: str, url: Any, **options: Any) -> httpx.Response:
        """Send a request."""
        if method.upper() in WRITES and str(url).removeprefix(str(self.base_url)).startswith("/v1/"):
            headers = dict(options.get("headers") or {})
            if not any(name.lower() == HEADER.lower() for name in headers):
                options["headers"] = {**headers, HEADER: str(uuid4())}
        return super().request(method, url, **options)
