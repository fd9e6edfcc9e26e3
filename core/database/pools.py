"""The pools of this process: how many connections are in use, and how long transactions waited for one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.database.affinity import AffinePool
from core.database.engines import open_pools
from core.metrics import Reading, Sample, register

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class PoolState:
    """The pool of the application's login to one data database.

    Attributes:
        in_use: connections that a transaction has.
        idle: connections that are open and free.
        overflow: open connections beyond ``size``.
        waits: transactions that had to wait for a connection.
    """

    database: str
    size: int
    most_overflow: int
    in_use: int
    idle: int
    overflow: int
    waits: int


def pool_states() -> list[PoolState]:
    """Return the state of each pool that this process has opened."""
    return [_state(database, pool) for database, pool in open_pools() if isinstance(pool, AffinePool)]


def _state(database: str, pool: AffinePool) -> PoolState:
    return PoolState(
        database,
        pool.size(),
        pool.most_overflow,
        pool.checkedout(),
        pool.checkedin(),
        max(0, pool.overflow()),
        pool.waits,
    )


def _read() -> Iterator[Reading]:
    states = sorted(pool_states(), key=lambda state: state.database)
    yield Reading(
        "iit_pool_connections",
        "Connections to PostgreSQL by state; overflow is a part of the others.",
        "gauge",
        ("database", "state"),
        [
            Sample((state.database, name), getattr(state, name))
            for state in states
            for name in ("in_use", "idle", "overflow")
        ],
    )


register(_read)
