"""Pools whose connections return to the tenants that they have served, and are replaced after a number of tenants.

A backend of PostgreSQL remembers each table that it has touched, and never forgets one (docs/benchmarks/connections.md
has the figures). So a pool gives a tenant a free connection that knows its tables, or else the one that knows the
fewest tenants. A connection that has served its share of tenants is closed.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import QueuePool
from sqlalchemy.util.queue import Queue, QueueCommon

from core.metrics import Histogram

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

logging.getLogger(__name__).setLevel(logging.WARNING)  # the pool logs each opening and closing under our name
_SERVED = "iit.served"
WAITS = Histogram(
    "iit_pool_wait_seconds", "Seconds that transactions waited for a connection, where they had to.", ("database",)
)
_wanted: ContextVar[UUID | None] = ContextVar("iit_wanted_tenant", default=None)


class _AffineQueue(Queue["ConnectionPoolEntry"]):
    """Queue of free connections; takes the best connection for the calling tenant first."""

    def _get(self) -> ConnectionPoolEntry:
        """Take one connection out of the queue. The caller holds the queue's lock."""
        tenant = _wanted.get()
        best, fewest = len(self.queue) - 1, None
        for place in range(len(self.queue) - 1, -1, -1):  # the newest first: it is most likely alive and warm
            served = self.queue[place].info.get(_SERVED, ())
            if tenant is not None and tenant in served:
                best = place
                break
            if fewest is None or len(served) < fewest:
                best, fewest = place, len(served)
        entry = self.queue[best]
        del self.queue[best]
        return entry


class AffinePool(QueuePool):
    """A pool whose queue knows which tenants each connection has served.

    Attributes:
        database: whose connections these are.
        waits: transactions that had to wait for a connection.
    """

    _queue_class: ClassVar[type[QueueCommon[Any]]] = _AffineQueue  # type: ignore[misc]  # SQLAlchemy's is no ClassVar
    database: str = ""
    waits: int = 0

    @property
    def most_overflow(self) -> int:
        """The most connections beyond the pool's size."""
        return self._max_overflow

    def _do_get(self) -> ConnectionPoolEntry:
        """Take or open a connection; count the wait if none is free and no more may be opened."""
        if self._overflow < self._max_overflow or not self._pool.empty():
            return super()._do_get()
        began = time.perf_counter()
        try:
            return super()._do_get()
        finally:
            self.waits += 1
            WAITS.observe(time.perf_counter() - began, self.database)


@contextmanager
def wanting(tenant: UUID) -> Iterator[None]:
    """Take connections for this tenant while the block runs."""
    before = _wanted.set(tenant)
    try:
        yield
    finally:
        _wanted.reset(before)


def remember(connection: PoolProxiedConnection, tenant: UUID) -> None:
    """Note on the connection that it serves this tenant."""
    connection.info.setdefault(_SERVED, set()).add(tenant)


def bound(limit: int) -> Any:  # noqa: ANN401 - SQLAlchemy's listener of "checkout"
    """Return a listener that replaces a connection which served ``limit`` tenants, when another tenant needs it."""

    def check(_driver: object, record: ConnectionPoolEntry, _proxy: object) -> None:
        served = record.info.get(_SERVED, ())
        if len(served) >= limit and _wanted.get() not in served:
            record.info.pop(_SERVED, None)
            message = "the connection has served its share of tenants"
            raise DisconnectionError(message)  # the pool closes it and opens another

    return check
