"""A session is one transaction: committed at a clean exit, rolled back otherwise, plain about a database away."""

import re
import threading
from contextlib import suppress

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError, InternalError

from core import telemetry
from core.database import (
    DatabaseUnknown,
    TenantRef,
    node_session,
    owner_connection,
    platform_session,
    psycopg_connection,
    scope,
    tenant_session,
)
from core.database.joining import joined
from core.errors import Unavailable
from core.resilience import deadline
from core.tenancy.models import TenantSetting


def keys(tenant):
    with tenant_session(tenant, actor="test:1") as session:
        return set(session.scalars(text("SELECT key FROM tenant_settings")))


def setting(key):
    return TenantSetting(key=key, value={"a": 1}, updated_by="test:1")


def test_a_clean_exit_commits_what_orm_and_cursor_wrote_in_one_transaction(tenant):
    with tenant_session(tenant, actor="test:1") as session:
        session.add(setting("by orm"))
        with session.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM tenant_settings")
            assert cursor.fetchone() == (1,), "a cursor sees what the session holds"
            with cursor.copy("COPY tenant_settings (key, value, updated_at, updated_by) FROM STDIN") as copy:
                copy.write_row(("by copy", "{}", "2024-01-01T00:00:00Z", "test:1"))
    assert keys(tenant) == {"by orm", "by copy"}


def test_an_error_rolls_back_everything(tenant):
    with pytest.raises(ZeroDivisionError), tenant_session(tenant, actor="test:1") as session:
        session.add(setting("by orm"))
        with session.cursor() as cursor:
            cursor.execute("INSERT INTO tenant_settings VALUES ('by cursor', '{}', now(), 'test:1')")
        raise ZeroDivisionError
    assert keys(tenant) == set()


def test_a_statement_that_fails_keeps_its_own_error(tenant):
    with pytest.raises(DataError), tenant_session(tenant, actor="test:1") as session:
        session.execute(text("SELECT 1 / 0"))


def test_a_commit_in_the_middle_keeps_the_scope_for_what_follows(tenant):
    with tenant_session(tenant, actor="test:1") as session:
        session.add(setting("before"))
        session.commit()
        assert session.scalar(text("SELECT current_user")) == tenant.role_name
        session.add(setting("after"))
    assert keys(tenant) == {"before", "after"}


def test_a_readonly_session_cannot_write(tenant):
    with pytest.raises(InternalError, match="read-only"), tenant_session(tenant, actor="t", readonly=True) as session:
        session.add(setting("no"))
        session.flush()
    assert keys(tenant) == set()


def test_a_session_knows_tenant_actor_and_request(tenant):
    with tenant_session(tenant, actor="api_key:1", request_id="r-1") as session:
        assert (session.tenant, session.actor, session.request_id) == (tenant, "api_key:1", "r-1")
    with pytest.raises(ValueError, match="needs an actor"), tenant_session(tenant, actor=""):
        pytest.fail("opened for nobody")


def test_errors_carry_no_values_of_statements(tenant):
    with pytest.raises(Exception, match="tenant_settings") as error, tenant_session(tenant, actor="test:1") as session:
        session.execute(text("INSERT INTO tenant_settings (key, value) VALUES (:key, NULL)"), {"key": "0803 555 1234"})
    assert "[SQL parameters hidden" in str(error.value)


@pytest.mark.parametrize("name", ["public", "node", 't_0"; DROP SCHEMA node --', "t_0123"])
def test_a_reference_names_only_schemas_that_tenants_have(tenant, name):
    values = {field: getattr(tenant, field) for field in TenantRef.__slots__}
    for field in ("schema_name", "role_name"):
        with pytest.raises(ValueError, match="not a tenant's schema or role"):
            TenantRef(**{**values, field: name})


def test_an_unknown_database_is_named(tenant):
    with pytest.raises(DatabaseUnknown, match="elsewhere") as error, node_session("elsewhere"):
        pytest.fail("opened")
    assert "IIT_DATA_DATABASES" in error.value.remedy


def test_connections_are_bounded_and_waiting_for_one_ends_with_what_to_do(tenant, settings_of):
    settings_of(database_pool_size=1, database_pool_overflow=0, database_pool_timeout=0.05)
    with tenant_session(tenant, actor="test:1"):
        with pytest.raises(Unavailable, match="in use") as error, platform_session():
            pytest.fail("a second connection was opened")
        assert error.value.status == 503
        assert "IIT_DATABASE_POOL_SIZE" in error.value.command


def test_a_connection_is_replaced_at_the_end_of_its_life(tenant, settings_of):
    settings_of(database_pool_size=1, database_pool_overflow=0, database_connection_lifetime=1)

    def backend():
        with node_session() as session:
            return session.scalar(text("SELECT pg_backend_pid()"))

    first = backend()
    until = threading.Event()
    seen = {first}
    while seen == {first}:
        until.wait(0.2)
        seen.add(backend())
    assert len(seen) == 2


def test_statements_are_not_prepared_on_the_server(tenant, settings_of):
    settings_of(database_pool_size=1, database_pool_overflow=0)
    for _ in range(10):
        with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
            cursor.execute("SELECT value FROM tenant_settings WHERE key = %s", ("a",))
    with node_session() as session:
        assert session.scalar(text("SELECT count(*) FROM pg_prepared_statements")) == 0


def end_backend(session):
    """As a crash or an operator would: the server ends this session's connection."""
    number = session.scalar(text("SELECT pg_backend_pid()"))
    with owner_connection() as owner:
        assert owner.execute("SELECT usename FROM pg_stat_activity WHERE pid = %s", (number,)).fetchone()
    with psycopg.connect(
        psycopg_connection(session).info.dsn, password=psycopg_connection(session).info.password
    ) as own:
        own.execute("SELECT pg_terminate_backend(%s)", (number,))


@pytest.mark.parametrize("by_cursor", [True, False])
def test_a_connection_that_breaks_off_in_a_transaction_is_unavailable_and_keeps_nothing(tenant, by_cursor):
    with (
        pytest.raises(Unavailable, match="connection to the database") as error,
        tenant_session(tenant, actor="test:1") as session,
    ):
        session.add(setting("lost"))
        session.flush()
        end_backend(session)
        if by_cursor:
            with session.cursor() as cursor:
                cursor.execute("SELECT 1")
        else:
            session.execute(text("SELECT 1"))
    assert error.value.retry_after
    assert keys(tenant) == set()


def test_a_joined_session_whose_connection_breaks_off_leaves_an_outer_transaction_that_says_so(tenant):
    """As a write with an Idempotency-Key, which commits the sessions that ended well before the one that broke."""

    def outer():
        return tenant_session(tenant, actor="test:1")

    with (
        telemetry.bound(request_id="broken"),
        pytest.raises(Unavailable, match="connection to the database broke") as error,
        joined(tenant.id, outer),
    ):
        with tenant_session(tenant, actor="test:1") as session:
            session.add(setting("lost"))
        with suppress(Unavailable), tenant_session(tenant, actor="test:1") as session:
            end_backend(session)
            session.execute(text("SELECT 1"))
    assert error.value.retry_after
    assert keys(tenant) == set()


def test_a_connection_that_died_in_the_pool_is_replaced_unseen(tenant, settings_of):
    settings_of(database_pool_size=1, database_pool_overflow=0)
    with tenant_session(tenant, actor="test:1") as session:
        address, password = psycopg_connection(session).info.dsn, psycopg_connection(session).info.password
        number = session.scalar(text("SELECT pg_backend_pid()"))
    with psycopg.connect(address, password=password) as own:
        own.execute("SELECT pg_terminate_backend(%s, 5000)", (number,))
    assert keys(tenant) == set()


def test_statements_are_limited_by_the_deadline_and_by_the_shorter_limit_of_the_server(tenant):
    def limit():
        with tenant_session(tenant, actor="test:1") as session:
            return session.scalar(text("SHOW statement_timeout"))

    def limit_of_the_platform():
        with platform_session() as session:
            return session.scalar(text("SHOW statement_timeout"))

    before = limit()
    with deadline(90.0):
        assert 80_000 < milliseconds(limit()) <= 90_000
        assert 80_000 < milliseconds(limit_of_the_platform()) <= 90_000
    with deadline(0.5):
        assert limit() == "5s", "a statement has five seconds at least"
    with deadline(0.0):
        assert limit() == before, "what outlasts its deadline, such as a long stream, goes on"
    assert limit() == before


def milliseconds(shown):
    number, unit = re.fullmatch(r"([0-9]+)(ms|s|min)", shown).groups()
    return int(number) * {"ms": 1, "s": 1000, "min": 60_000}[unit]


@pytest.mark.parametrize(("default", "limit"), [("30s", "30s"), ("2min", "1min"), ("0", "1min")])
def test_the_shorter_limit_counts(tenant, default, limit):
    # The same statement within a transaction that has a default of its own.
    with owner_connection() as connection:
        connection.execute(f"SET LOCAL statement_timeout = '{default}'")
        shown = connection.execute("SELECT 1" + scope._TIMEOUT.format(milliseconds=60_000)).fetchone()
        assert shown is not None
        assert connection.execute("SHOW statement_timeout").fetchone() == (limit,)
