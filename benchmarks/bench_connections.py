"""Benchmark of the memory of one PostgreSQL backend that serves one tenant after the other.

Bare is one connection for all tenants, as in a pool without bounds. Ours is the pool that replaces a connection which
has served its share. Every table of every tenant is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from uuid import uuid4

from benchmarks.measure import Ratio, memory_of

TENANTS = {"small": 60, "full": 1000}


def run() -> Iterator[Ratio]:
    """Visit every tenant over one connection, with and without its bound."""
    from sqlalchemy import text

    from core.database import TenantBase, TenantRef, dispose, tenant_session
    from core.feature_registry import load_tables
    from core.settings import get_settings
    from core.tenancy import create_tenant

    load_tables()
    count = TENANTS[os.environ.get("IIT_BENCH_SCALE", "small")]
    tenants = [create_tenant(f"bench-{uuid4().hex[:10]}", name="Benchmark").ref for _ in range(count)]
    reads = [text(f"SELECT FROM {name} LIMIT 1") for name in sorted(TenantBase.metadata.tables)]

    def visit(tenant: TenantRef) -> int:
        with tenant_session(tenant, actor="bench:1", readonly=True) as session:
            for read in reads:
                session.execute(read)
            return own_memory(session.execute(text("SELECT pg_backend_pid()")).scalar_one())

    def peak(share: int) -> float:
        os.environ.update(
            IIT_DATABASE_POOL_SIZE="1", IIT_DATABASE_POOL_OVERFLOW="0", IIT_DATABASE_CONNECTION_TENANTS=str(share)
        )
        get_settings.cache_clear()
        dispose()
        return max(visit(tenant) for tenant in tenants) / 2**20

    before = {name: os.environ.get(name) for name in ("IIT_DATABASE_POOL_SIZE", "IIT_DATABASE_POOL_OVERFLOW")}
    try:
        bare = peak(count + 1)
        os.environ.pop("IIT_DATABASE_CONNECTION_TENANTS")
        get_settings.cache_clear()
        ours = peak(get_settings().database_connection_tenants)
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        os.environ.pop("IIT_DATABASE_CONNECTION_TENANTS", None)
        get_settings.cache_clear()
        dispose()
    yield Ratio(f"memory of a backend that visits {count} tenants, all {len(reads)} tables (MB)", ours, bare, unit="MB")


def own_memory(pid: int) -> int:
    """Return the bytes of memory that a process shares with no other process (Linux)."""
    return memory_of(pid, "RssAnon")
