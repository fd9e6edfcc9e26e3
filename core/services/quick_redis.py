"""A client of Redis for calls that nobody may wait for: it gives up after a quarter of a second, and tries once."""

from __future__ import annotations

from typing import Final

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisAway
from redis.retry import Retry

from core.errors import AppError
from core.services.manager import recorded_redis_url

SECONDS: Final = 0.25
_clients: dict[str, Redis] = {}


def quick_client() -> Redis:
    """Return the client of this process. Call ``forget_quick_client`` after an error.

    It starts no server: a caller whose transaction has committed must neither wait nor fail.

    Raises:
        redis.exceptions.ConnectionError: no address of Redis is known.
    """
    client = _clients.get("")
    if client is None:
        client = _clients[""] = Redis.from_url(
            _address(),
            socket_timeout=SECONDS,
            socket_connect_timeout=SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
    return client


def _address() -> str:
    try:
        address = recorded_redis_url()
    except AppError as error:
        raise RedisAway(str(error)) from error
    if address is None:
        message = "the embedded Redis was never started"
        raise RedisAway(message)
    return address


def forget_quick_client() -> None:
    """Let the next call look for Redis again: the embedded server may come back at another port."""
    _clients.clear()
