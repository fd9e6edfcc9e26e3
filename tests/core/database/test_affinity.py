"""Connections prefer the tenants they have served, and end when they have served their share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from sqlalchemy import text

from core.database import pool_states, tenant_session
from core.errors import Unavailable


def backend(tenant):
    with tenant_session(tenant, actor="test:1") as session:
        return session.scalar(text("SELECT pg_backend_pid()"))


def pool_of(tenant):
    return next(pool for pool in pool_states() if pool.database == tenant.database)


def both_at_once(first, second):
    with ExitStack() as stack:
        sessions = [stack.enter_context(tenant_session(tenant, actor="test:1")) for tenant in (first, second)]
        return [session.scalar(text("SELECT pg_backend_pid()")) for session in sessions]


def test_a_tenant_gets_the_connection_that_knows_its_tables(database, two_tenants, settings_of):
    settings_of(database_pool_size=2, database_pool_overflow=0)
    first, second = two_tenants
    mine, theirs = both_at_once(first, second)
    assert mine != theirs
    for _ in range(5):
        assert [backend(first), backend(second), backend(second)] == [mine, theirs, theirs]


def test_a_tenant_that_none_knows_gets_the_one_that_knows_the_fewest(database, make_tenant, settings_of):
    settings_of(database_pool_size=2, database_pool_overflow=0)
    tenants = [make_tenant().ref for _ in range(4)]
    heavy, light = both_at_once(tenants[0], tenants[1])
    with tenant_session(tenants[1], actor="test:1"):  # the light one is away
        assert backend(tenants[2]) == heavy
    assert backend(tenants[3]) == light


@pytest.mark.parametrize("limit", [1, 2])
def test_a_connection_is_replaced_when_it_has_served_its_share(database, make_tenant, settings_of, limit):
    settings_of(database_pool_size=1, database_pool_overflow=0, database_connection_tenants=limit)
    tenants = [make_tenant().ref for _ in range(limit + 1)]
    first = {backend(tenant) for tenant in tenants[:limit]}
    assert len(first) == 1
    assert backend(tenants[0]) in first, "one that it knows is still welcome"
    assert backend(tenants[limit]) not in first


def test_threads_that_ask_at_once_each_get_their_own_tenants_rows(database, make_tenant, settings_of):
    settings_of(database_pool_size=3, database_pool_overflow=0, database_connection_tenants=2)
    tenants = [make_tenant().ref for _ in range(5)]

    def role(number):
        tenant = tenants[number % 5]
        with tenant_session(tenant, actor="test:1") as session:
            return session.scalar(text("SELECT current_user")) == tenant.role_name

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(role, range(100)))


def test_a_wait_for_a_connection_is_counted(database, tenant, settings_of):
    settings_of(database_pool_size=1, database_pool_overflow=0, database_pool_timeout=0.01)
    backend(tenant)
    assert (pool_of(tenant).waits, pool_of(tenant).idle) == (0, 1)
    with tenant_session(tenant, actor="test:1") as session:
        session.execute(text("SELECT 1"))
        assert (pool_of(tenant).in_use, pool_of(tenant).idle) == (1, 0)
        with ThreadPoolExecutor(1) as threads, pytest.raises(Unavailable):
            threads.submit(backend, tenant).result()
    assert (pool_of(tenant).waits, pool_of(tenant).in_use) == (1, 0)
