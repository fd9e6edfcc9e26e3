"""The stored answers in Redis: read, write, locks, counts. Every call gives up quickly where Redis fails.

What Redis returns is never trusted: an answer is sealed with the tenant's key for the key under which it is stored, so
one that was altered, moved from another tenant or cut short does not open.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import ResponseError

from core import telemetry
from core.resilience.dependencies import REDIS_CACHE
from core.services.quick_redis import NoAnswer, quick_call

if TYPE_CHECKING:
    from uuid import UUID

    from core.cache.declaration import Cache

PREFIX: Final = "iit:cache"
LOCK_SECONDS: Final = 30
"""Seconds after which another reader may compute an answer, because the first one has vanished."""

_GET: Final = """
local value = redis.call('GET', KEYS[1])
redis.call('HINCRBY', KEYS[2], value and 'hits' or 'misses', 1)
return value
"""
_PUT: Final = """
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local clock = redis.call('TIME')
redis.call('ZADD', KEYS[2], clock[1] * 1000 + math.floor(clock[2] / 1000), KEYS[1])
local longest = math.max(redis.call('PTTL', KEYS[2]), tonumber(ARGV[2]))
redis.call('PEXPIRE', KEYS[2], longest)
local over = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[3])
if over > 0 then
  for _, key in ipairs(redis.call('ZRANGE', KEYS[2], 0, over - 1)) do redis.call('DEL', key) end
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, over - 1)
end
return 1
"""
_UNLOCK: Final = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
_EMPTY: Final = """
local gone = 0
for _, key in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do gone = gone + redis.call('DEL', key) end
redis.call('DEL', KEYS[1])
return gone
"""

log = telemetry.get_logger(__name__)


class StoreAway(Exception):  # noqa: N818 - says what is the case, as our errors do
    """Redis does not answer, or its breaker is open."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What Redis knows of a cache.

    Attributes:
        answers: stored answers, those of earlier generations too.
        tenants: tenants that have stored answers.
        hits: reads that found an answer, since Redis was last emptied; ``misses`` are the others.
    """

    answers: int
    tenants: int
    hits: int
    misses: int


def index_of(tenant: UUID, cache: str) -> str:
    """Return the key of the set of a tenant's stored answers."""
    return f"{PREFIX}:{tenant}:{cache}:keys"


def key_of(tenant: UUID, cache: str, digest: str) -> str:
    """Return the key of one stored answer."""
    return f"{PREFIX}:{tenant}:{cache}:{digest}"


def get(cache: Cache[Any], key: str) -> bytes | None:
    """Return the sealed answer; None if there is none.

    Raises:
        StoreAway: Redis does not answer.
    """
    value = _run(lambda client: client.register_script(_GET)([key, f"{PREFIX}:counts:{cache.name}"]))
    return value if isinstance(value, bytes) else None


def put(cache: Cache[Any], tenant: UUID, key: str, sealed: bytes, seconds: float) -> None:
    """Store a sealed answer.

    Raises:
        StoreAway: Redis does not answer.
    """
    keys = [key, index_of(tenant, cache.name)]
    arguments = [sealed, max(1, round(seconds * 1000)), cache.most_values]
    _run(lambda client: client.register_script(_PUT)(keys, arguments))


def lock(key: str) -> str | None:
    """Take the right to compute an answer; return its token, None if another reader has it.

    Raises:
        StoreAway: Redis does not answer.
    """
    token = secrets.token_hex(16)
    taken = _run(lambda client: client.set(f"{key}:lock", token, nx=True, ex=LOCK_SECONDS))
    return token if taken else None


def unlock(key: str, token: str) -> None:
    """Give the right back.

    Raises:
        StoreAway: Redis does not answer; the lock ends by itself.
    """
    _run(lambda client: client.register_script(_UNLOCK)([f"{key}:lock"], [token]))


def empty(cache: str, tenant: UUID | None = None) -> int:
    """Drop the stored answers of a cache, of one tenant or of all; return how many there were.

    Raises:
        StoreAway: Redis does not answer.
    """
    return sum(_empty(index) for index in ([index_of(tenant, cache)] if tenant else _indexes(cache)))


def _empty(index: str | bytes) -> int:
    return int(_run(lambda client: client.register_script(_EMPTY)([index])))


def counts(cache: str) -> Counts:
    """Return what Redis knows of a cache.

    Raises:
        StoreAway: Redis does not answer.
    """
    sizes = [int(_run(lambda client, index=index: client.zcard(index))) for index in _indexes(cache)]
    totals: dict[bytes, bytes] = _run(lambda client: client.hgetall(f"{PREFIX}:counts:{cache}"))
    return Counts(sum(sizes), len(sizes), int(totals.get(b"hits", 0)), int(totals.get(b"misses", 0)))


def _indexes(cache: str) -> list[bytes]:
    place, indexes = 0, []
    while True:
        place, part = _run(lambda client, at=place: client.scan(at, match=f"{PREFIX}:*:{cache}:keys", count=1000))
        indexes += part
        if not place:
            return indexes


def _run(call: Any) -> Any:  # noqa: ANN401 - redis's answers are as varied as its commands
    try:
        with quick_call(REDIS_CACHE, harmless=(ResponseError,)) as client:
            return call(client)
    except ResponseError as error:  # Redis answers: it is full, or a key has a value of another kind
        log.warning("the cache is not used: Redis rejects the command", error=type(error).__name__)
        raise StoreAway from error
    except NoAnswer as error:
        if error.called:
            log.warning("the cache is not used: Redis does not answer", error=error.reason)
        raise StoreAway from error
