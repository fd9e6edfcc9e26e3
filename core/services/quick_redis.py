"""A client of Redis for calls that nobody may wait for: it gives up after a quarter of a second, and tries once."""

from __future__ import annotations

from typing import Final

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from core.services.manager import ensure

SECONDS: Final = 0.25
_clients: dict[str, Redis] = {}


def quick_client() -> Redis:
    """Return the client of this process. Call ``forget_quick_client`` after an error.

    Raises:
        Unavailable: no Redis is configured, and the embedded one cannot be started.
    """
    client = _clients.get("")
    if client is None:
        client = _clients[""] = Redis.from_url(
            ensure().redis_url,
            socket_timeout=SECONDS,
            socket_connect_timeout=SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
    return client


def forget_quick_client() -> None:
    """Let the next call look for Redis again: the embedded server may come back at another port."""
    _clients.clear()
