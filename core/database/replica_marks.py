"""How far each tenant has written, so that nobody misses an own write on the replica.

After each commit a mark in Redis says that the tenant has written, for as long as the replica may be behind. The first
read after it replaces the mark by the position of the database, which is at least that of the write. So a write costs
one short call to Redis and no query. Where Redis does not tell, reads go to the database.
"""

from __future__ import annotations

import math
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final, cast

from core import telemetry
from core.database.committed import write_listeners
from core.database.engines import DEFAULT_DATABASE
from core.database.sessions import look_up
from core.errors import Unavailable
from core.resilience.dependencies import REDIS_CACHE
from core.services.quick_redis import NoAnswer, quick_call
from core.settings import get_settings

if TYPE_CHECKING:
    from uuid import UUID

    from core.database.scope import TenantRef

MOST: Final = 10_000
"""Tenants whose last write this process remembers."""

_RESOLVE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1
"""
_WRITTEN: Final = "SELECT pg_current_wal_insert_lsn()::text AS lsn"
_UNRESOLVED: Final = b"?"

log = telemetry.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _OwnWrites:
    """Until when the writes of this process count, by its clock; those of which Redis may know nothing apart."""

    until: float
    unshared_until: float


_NEVER: Final = _OwnWrites(0.0, 0.0)
_own: OrderedDict[UUID, _OwnWrites] = OrderedDict()
_lock = Lock()


class MarksUnknown(Exception):  # noqa: N818 - says what is the case, as our errors do
    """Redis or the database does not tell how far the tenant has written."""


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
    seconds, shared = get_settings().database_replica_lag, True
    try:
        with quick_call(REDIS_CACHE) as client:
            client.set(_key(tenant.id), _UNRESOLVED + secrets.token_bytes(12), px=math.ceil(seconds * 1000))
    except NoAnswer:  # the commit stands, whatever happens now
        log.warning("an own write may be missing on the replica for a moment: Redis does not answer")
        shared = False
    until = time.monotonic() + seconds
    with _lock:
        before = _own.pop(tenant.id, _NEVER)
        _own[tenant.id] = _OwnWrites(until, before.unshared_until if shared else until)
        while len(_own) > MOST:
            _own.popitem(last=False)


def needed(tenant: UUID) -> int:
    """Return the position that the replica must have reached for the tenant's reads; 0 if any will do.

    The first read after a write asks the database how far it is by then, and stores it for those that follow.

    Raises:
        MarksUnknown: Redis or the database does not answer.
    """
    key, present = _key(tenant), time.monotonic()
    with _lock:
        own = _own.get(tenant, _NEVER)
    try:
        with quick_call(REDIS_CACHE) as client:
            mark = cast("bytes | None", client.get(key))
            unresolved = mark is not None and mark.startswith(_UNRESOLVED)
            position = 0 if mark is None or unresolved else int(mark)
        if own.unshared_until <= present and not unresolved and (position or own.until <= present):
            return position
        position = _position()
        with quick_call(REDIS_CACHE) as client:
            if mark is None:  # Redis was emptied
                client.set(key, position, nx=True, px=math.ceil((own.until - present) * 1000))
            elif unresolved:  # the mark of a later write is another one, and stays
                client.register_script(_RESOLVE)([key], [mark, position])
    except (NoAnswer, Unavailable) as error:
        raise MarksUnknown from error
    return position


def _position() -> int:
    row = look_up(_WRITTEN, ())
    return number_of(row["lsn"] if row is not None else "0/0")


def _key(tenant: UUID) -> str:
    return f"iit:written:{tenant}"


write_listeners.append(note_write)
