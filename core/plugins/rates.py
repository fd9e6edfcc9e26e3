"""How many requests a minute the platform sends for one instance of a plugin, counted in Redis."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Final

from redis import Redis
from redis.exceptions import RedisError

from core import telemetry
from core.resilience import BreakerOpen, BulkheadFull, DeadlinePassed, fallback, guarded
from core.resilience.dependencies import REDIS_QUOTAS
from core.services import ensure
from core.services.gcra import count, stored_as

if TYPE_CHECKING:
    from uuid import UUID

WINDOW: Final = 60
"""Seconds in which as many may be sent at once as in a minute."""
NOT_COUNTED: Final = "plugin-requests-not-counted"

log = telemetry.get_logger(__name__)
_lock = Lock()
_client: Redis | None = None


def wait_before(instance_id: UUID, per_minute: int) -> float:
    """Count one request of an instance. Return 0 if it may be sent, or the seconds to wait; then it does not count.

    While Redis does not answer, nothing is counted: the vendor's own limit is then the only one.
    """
    global _client  # noqa: PLW0603 - one connection pool per process
    if per_minute <= 0:
        return 0.0
    try:
        with guarded(REDIS_QUOTAS):
            with _lock:
                if _client is None:
                    seconds = REDIS_QUOTAS.timeout
                    _client = Redis.from_url(ensure().redis_url, socket_timeout=seconds, socket_connect_timeout=seconds)
                client = _client
            ((wait, _, _),) = count(client, [stored_as("plugin", str(instance_id))], [per_minute], WINDOW)
    except (BreakerOpen, BulkheadFull, DeadlinePassed):
        fallback(REDIS_QUOTAS, NOT_COUNTED)
        return 0.0
    except (RedisError, OSError) as error:
        with _lock:
            _client = None  # the embedded server may come back at another port
        log.warning("requests of plugins are not counted: Redis does not answer", error=type(error).__name__)
        fallback(REDIS_QUOTAS, NOT_COUNTED)
        return 0.0
    return int(wait) / 1e6
