"""A client of Redis for calls that nobody may wait for: it gives up after a quarter of a second, and tries once."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import RedisError
from redis.retry import Retry

from core.errors import AppError
from core.resilience import guarded
from core.resilience.errors import NOT_CALLED
from core.services.manager import recorded_redis_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.resilience.dependency import Dependency

SECONDS: Final = 0.25
_clients: dict[str, Redis] = {}


class NoAnswer(Exception):  # noqa: N818 - says what is the case, as our errors do
    """Redis does not answer, its answer cannot be read, or it was not called.

    Attributes:
        reason: the name of the error.
        called: whether it was called. Its breaker may be open, or no time is left.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(type(error).__name__)
        self.reason = type(error).__name__
        self.called = not isinstance(error, NOT_CALLED)


@contextmanager
def quick_call(dependency: Dependency, harmless: tuple[type[RedisError], ...] = ()) -> Iterator[Redis]:
    """Yield the client of this process within the guard of ``dependency``.

    Args:
        dependency: what Redis is used for.
        harmless: errors with which Redis answers; they leave the block as they are.

    Raises:
        NoAnswer: Redis does not answer, or was not called.
    """
    try:
        with guarded(dependency, harmless=harmless):
            yield quick_client()
    except harmless:
        raise
    except NOT_CALLED as error:
        raise NoAnswer(error) from error
    except (RedisError, OSError, ValueError, TypeError) as error:
        forget_quick_client()
        raise NoAnswer(error) from error


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
