"""Benchmark of a tenant's transaction, compared with a bare one: role, path, session and pool."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import psycopg
from sqlalchemy import text

from benchmarks.measure import Ratio, Way, compare
from core.database import TenantRef, replica_marks, tenant_session
from core.services import ensure
from core.settings import get_settings
from core.tenancy import create_tenant

_CALLS = 20


def run() -> Iterator[Ratio]:
    """Compare on a new tenant."""
    tenant = create_tenant(f"bench-{secrets.token_hex(4)}", "Benchmark").ref
    query = "SELECT 1"
    with psycopg.connect(ensure().database_url, autocommit=True) as link:

        def bare() -> None:
            with link.transaction():
                link.execute(query).fetchone()

        def scoped() -> None:
            with link.transaction():
                link.execute(
                    "SELECT set_config('role', %s, true), set_config('search_path', %s, true)",
                    [tenant.role_name, f"{tenant.schema_name}, extensions"],
                )
                link.execute(query).fetchone()

        yield compare("role and path set, over a bare transaction", scoped, bare, calls=_CALLS)
        yield compare("tenant_session with a cursor, over a bare transaction", _cursor(tenant), bare, calls=_CALLS)
        yield compare("tenant_session with the ORM, over a bare transaction", _orm(tenant), bare, calls=_CALLS)
        yield from _marks(tenant, bare)


def _marks(tenant: TenantRef, bare: Way) -> Iterator[Ratio]:
    """What the commit of a write adds for reads on a replica."""

    def mark() -> None:
        replica_marks.note_write(tenant)

    alone = compare("no mark", mark, lambda: None, calls=1000).ours
    yield Ratio("the end of a write where no replica is set, over its limit of 5 µs", alone, 5e-6, target=1.0)
    os.environ["DATABASE_REPLICA_URL"] = ensure().database_url  # a mark does not ask the replica
    get_settings.cache_clear()
    try:
        yield compare("the mark of a write where a replica is set, over a bare transaction", mark, bare, calls=_CALLS)
    finally:
        del os.environ["DATABASE_REPLICA_URL"]
        get_settings.cache_clear()


def _cursor(tenant: TenantRef) -> Way:
    def way() -> None:
        with tenant_session(tenant, actor="cli:benchmark") as session:
            session.cursor().execute("SELECT 1").fetchone()

    return way


def _orm(tenant: TenantRef) -> Way:
    statement = text("SELECT 1")

    def way() -> None:
        with tenant_session(tenant, actor="cli:benchmark") as session:
            session.execute(statement).one()

    return way
