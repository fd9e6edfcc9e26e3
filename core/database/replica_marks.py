"""How far each tenant has written, so that nobody misses an own write on the replica.

After each commit the position of the database is stored in this process and in Redis, for as long as the replica may be
behind. Where Redis does not tell, reads go to the database.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisError

from core import telemetry
from core.database.committed import write_listeners
from core.database.engines import DEFAULT_DATABASE
from core.database.sessions import look_up
from core.errors import Unavailable
from core.resilience import guarded
from core.resilience.dependencies import REDIS_CACHE
from core.resilience.errors import NOT_CALLED
from core.services.quick_redis import forget_quick_client, quick_client
from core.settings import get_settings

if TYPE_CHECKING:
    from uuid import UUID

    from core.database.scope import TenantRef

MOST: Final = 10_000
"""Tenants whose position this process remembers."""

_RAISE: Final = """
if tonumber(redis.call('GET', KEYS[1]) or '0') < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
_WRITTEN: Final = "SELECT pg_current_wal_insert_lsn()::text AS lsn"

log = telemetry.get_logger(__name__)
_own: OrderedDict[UUID, tuple[float, int]] = OrderedDict()
_lock = Lock()


class MarksUnknown(Exception):  # noqa: N818 - says what is the case, as our errors do
    """Redis does not tell how far the tenant has written."""


def number_of(lsn: str) -> int:
    """Return a position such as ``16/B374D848`` as bytes from the beginning.

    >>> number_of("1/A")
    4294967306
    """
    high, _, low = lsn.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def has_replica(database: str = DEFAULT_DATABASE) -> bool:
    """Return whether a database has a replica: only the first one may have."""
    return database == DEFAULT_DATABASE and get_settings().database_replica_url is not None


def note_write(tenant: TenantRef) -> None:
    """Note that a transaction of the tenant has just committed. Does nothing where there is no replica."""
    if not has_replica(tenant.database):
        return
    try:
        row = look_up(_WRITTEN, ())
    except Unavailable:  # the commit stands, whatever happens now
        log.warning("an own write may be missing on the replica for a moment: the database does not answer")
        return
    position, seconds = number_of(row["lsn"] if row is not None else "0/0"), get_settings().database_replica_lag
    with _lock:
        _own[tenant.id] = (time.monotonic() + seconds, position)
        _own.move_to_end(tenant.id)
        while len(_own) > MOST:
            _own.popitem(last=False)
    try:
        _run(lambda client: client.register_script(_RAISE)([_key(tenant.id)], [position, math.ceil(seconds * 1000)]))
    except MarksUnknown:
        log.warning("an own write may be missing on the replica for a moment: Redis does not answer")


def needed(tenant: UUID) -> int:
    """Return the position that the replica must have reached for the tenant's reads; 0 if any will do.

    Raises:
        MarksUnknown: Redis does not answer.
    """
    try:
        shared = int(_run(lambda client: client.get(_key(tenant))) or 0)
    except ValueError as error:
        raise MarksUnknown from error
    with _lock:
        until, position = _own.get(tenant, (0.0, 0))
    return max(shared, position if until > time.monotonic() else 0)


def _key(tenant: UUID) -> str:
    return f"iit:written:{tenant}"


def _run(call: Any) -> Any:  # noqa: ANN401 - redis's answers are as varied as its commands
    try:
        with guarded(REDIS_CACHE):
            return call(quick_client())
    except NOT_CALLED as error:
        raise MarksUnknown from error
    except (RedisError, OSError) as error:
        forget_quick_client()
        raise MarksUnknown from error


write_listeners.append(note_write)
