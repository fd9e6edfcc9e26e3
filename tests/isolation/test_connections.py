"""One pooled connection serves one tenant after the other, and nothing of the first is left for the second.

Each test asserts first that it is the same backend: without that it would prove nothing. The canary leaves the scope on
the connection, as a session-level SET would, and must leak.
"""

from dataclasses import replace

import psycopg
import pytest
from psycopg.errors import UniqueViolation
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from core.database import (
    RoundTripError,
    TenantBase,
    TenantMoving,
    TenantRequired,
    at_once,
    node_session,
    scope,
    sessions,
    tenant_session,
)
from core.database.engines import application_engine
from core.feature_registry import load_tables

NO_SUCH_TABLE, NOT_ALLOWED = "42P01", "42501"
TABLES_AT_MOST = 84
"""Alerts, messages, plugins and the team brought twenty, guidelines and models seven. Each table costs files and
catalogue rows in every tenant's schema, so a room adds one only for rows that have a life of their own."""


@pytest.fixture
def one_connection(database, settings_of):
    """A pool of one connection, so that whoever comes next gets the one that was used before."""
    settings_of(database_pool_size=1, database_pool_overflow=0)


def pid(session):
    return session.scalar(text("SELECT pg_backend_pid()"))


def remember(session, value):
    session.execute(
        text("INSERT INTO tenant_settings (key, value, updated_at, updated_by) VALUES (:key, '{}', now(), 'test:1')"),
        {"key": value},
    )


def remembered(session):
    return set(session.scalars(text("SELECT key FROM tenant_settings")))


def state_of(error):
    return error.value.orig.sqlstate


def forgotten_scope():
    """What a transaction sees that was begun on the pool without saying whose it is: backend, role, rows."""
    with application_engine().connect() as connection:
        backend = connection.scalar(text("SELECT pg_backend_pid()"))
        role = connection.scalar(text("SELECT current_user"))
        return backend, role, set(connection.scalars(text("SELECT key FROM tenant_settings")))


def test_two_tenants_on_one_connection_see_only_their_own_rows(one_connection, two_tenants):
    first, second = two_tenants
    with tenant_session(first, actor="test:1") as session:
        backend = pid(session)
        remember(session, "of the first")
    with tenant_session(second, actor="test:1") as session:
        assert pid(session) == backend
        assert remembered(session) == set()
        remember(session, "of the second")
    with tenant_session(first, actor="test:1") as session:
        assert pid(session) == backend
        assert remembered(session) == {"of the first"}


def test_a_transaction_without_scope_finds_no_tenants_table(one_connection, tenant):
    with tenant_session(tenant, actor="test:1") as session:
        backend = pid(session)
        remember(session, "secret")
    with application_engine().connect() as connection:
        assert connection.scalar(text("SELECT pg_backend_pid()")) == backend
        assert connection.scalar(text("SELECT current_user")) == "iit_app"
    with pytest.raises(ProgrammingError) as error:
        forgotten_scope()
    assert state_of(error) == NO_SUCH_TABLE


def test_the_canary_leaks(one_connection, tenant, monkeypatch):
    """The known-bad way, settings that outlast the transaction, shows the tenant's rows to whoever comes next."""
    monkeypatch.setattr(scope, "_SCOPE", scope._SCOPE.replace("true", "false"))
    with tenant_session(tenant, actor="test:1") as session:
        backend = pid(session)
        remember(session, "secret")
    assert forgotten_scope() == (backend, tenant.role_name, {"secret"})


def test_a_session_level_set_within_one_tenants_transaction_does_not_reach_the_next(one_connection, two_tenants):
    first, second = two_tenants
    with tenant_session(first, actor="test:1") as session:
        backend = pid(session)
        remember(session, "of the first")
        session.execute(text(f'SET SESSION search_path TO "{first.schema_name}"'))
    with tenant_session(second, actor="test:1") as session:
        assert pid(session) == backend
        assert remembered(session) == set()
    with node_session() as session:
        assert pid(session) == backend
        with pytest.raises(ProgrammingError) as error:
            remembered(session)
    assert state_of(error) == NO_SUCH_TABLE


def test_a_temporary_table_of_one_tenant_does_not_hide_a_table_of_the_next(one_connection, two_tenants):
    first, second = two_tenants
    with tenant_session(first, actor="test:1") as session:
        backend = pid(session)
        session.execute(text("CREATE TEMPORARY TABLE tenant_settings (key text)"))
    with tenant_session(second, actor="test:1") as session:
        assert pid(session) == backend
        assert remembered(session) == set()


def test_a_failed_transaction_leaves_no_scope(one_connection, tenant):
    with pytest.raises(ZeroDivisionError), tenant_session(tenant, actor="test:1") as session:
        backend = pid(session)
        raise ZeroDivisionError
    with node_session() as session:
        assert pid(session) == backend
        assert session.scalar(text("SELECT current_user")) == "iit_app"
        assert session.scalar(text("SHOW search_path")) in ("", '""')


@pytest.mark.parametrize("nobody", [None, "partner-a", object()])
def test_a_session_without_tenant_is_rejected(nobody):
    with pytest.raises(TenantRequired), tenant_session(nobody, actor="test:1"):
        pytest.fail("a session was opened for nobody")


def test_a_tenant_cannot_read_or_write_another_by_naming_its_schema(two_tenants):
    first, second = two_tenants
    for statement in ("SELECT * FROM {}.patients", "DELETE FROM {}.tenant_settings", "SELECT * FROM {}.tenant_keys"):
        with pytest.raises(ProgrammingError) as error, tenant_session(second, actor="test:1") as session:
            session.execute(text(statement.format(f'"{first.schema_name}"')))
        assert state_of(error) == NOT_ALLOWED


def test_reset_role_leads_nowhere(tenant):
    for table in (f'"{tenant.schema_name}".patients', "patients"):
        with pytest.raises(ProgrammingError) as error, tenant_session(tenant, actor="test:1") as session:
            session.execute(text("RESET ROLE"))
            assert session.scalar(text("SELECT current_user")) == "iit_app"
            session.execute(text(f"SELECT * FROM {table}"))  # noqa: S608 - a fixed list
        assert state_of(error) in {NOT_ALLOWED, NO_SUCH_TABLE}


def test_the_application_itself_has_no_right_on_tenants_tables(tenant):
    with node_session() as session:
        allowed = session.scalars(
            text(
                "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE n.nspname = :schema AND c.relkind = 'r'"
                " AND has_table_privilege('iit_app', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES')"
            ),
            {"schema": tenant.schema_name},
        )
        assert list(allowed) == []
        assert not session.scalar(
            text("SELECT has_schema_privilege('iit_app', :schema, 'USAGE')"), {"schema": tenant.schema_name}
        )


def test_nobody_can_log_in_as_a_tenant(services, tenant):
    address = services.database_url.split("@", 1)[1]
    for password in ("", "x"):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(f"postgresql://{tenant.role_name}:{password}@{address}", connect_timeout=5)


def test_a_tenant_cannot_become_owner_superuser_or_another_tenant_as_which_it_could_stay(two_tenants):
    first, _ = two_tenants
    with tenant_session(first, actor="test:1") as session:
        rights = session.execute(
            text(
                "SELECT rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication FROM pg_roles"
                " WHERE rolname = current_user"
            )
        ).one()
        members = set(
            session.scalars(
                text(
                    "SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid"
                    " JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = current_user"
                )
            )
        )
    assert tuple(rights) == (False,) * 5
    assert members == {"iit_tenant"}


def test_the_audit_can_be_added_to_and_not_changed(tenant):
    for statement in ("UPDATE audit_events SET actor = 'x'", "DELETE FROM audit_events", "TRUNCATE audit_events"):
        with pytest.raises(ProgrammingError) as error, tenant_session(tenant, actor="test:1") as session:
            session.execute(text(statement))
        assert state_of(error) == NOT_ALLOWED


def test_a_tenant_sees_and_adds_only_its_own_rows_in_node(two_tenants):
    first, second = two_tenants
    add = text(
        "INSERT INTO node.usage_events (id, tenant_id, tenant_role, meter, value, key)"
        " VALUES (gen_random_uuid(), :id, :role, 'imports', 1, 'a')"
    )
    with tenant_session(first, actor="test:1") as session:
        session.execute(add, {"id": first.id, "role": first.role_name})
    with tenant_session(second, actor="test:1") as session:
        assert session.scalar(text("SELECT count(*) FROM node.usage_events")) == 0
    with pytest.raises(ProgrammingError) as error, tenant_session(second, actor="test:1") as session:
        session.execute(add, {"id": first.id, "role": first.role_name})
    assert state_of(error) == NOT_ALLOWED


@pytest.mark.parametrize("table", ["platform.tenants", "platform.api_keys", "node.dead_letters", "node.tenant_schemas"])
def test_a_tenant_cannot_reach_what_belongs_to_the_platform(tenant, table):
    with pytest.raises(ProgrammingError) as error, tenant_session(tenant, actor="test:1") as session:
        session.execute(text(f"SELECT * FROM {table}"))  # noqa: S608 - a fixed list
    assert state_of(error) == NOT_ALLOWED


def test_every_table_of_node_that_tenants_reach_has_row_policies(tenant):
    with node_session() as session:
        bare = session.scalars(
            text(
                "SELECT c.relname FROM pg_class c"
                " WHERE c.relnamespace = 'node'::regnamespace AND c.relkind IN ('r', 'v')"
                " AND has_any_column_privilege(:role, c.oid, 'SELECT, INSERT, UPDATE') AND NOT c.relrowsecurity"
            ),
            {"role": tenant.role_name},
        )
        assert list(bare) == []


def test_a_tenant_has_few_tables(tenant):
    load_tables()
    with node_session() as session:
        count = session.scalar(
            text("SELECT count(*) FROM pg_class WHERE relnamespace = CAST(:schema AS regnamespace) AND relkind = 'r'"),
            {"schema": tenant.schema_name},
        )
    assert count == len(TenantBase.metadata.tables) + 1, "one more for the version of the schema"
    assert count <= TABLES_AT_MOST


def test_scope_is_set_in_one_statement_per_transaction(database, tenant, monkeypatch):
    entered, enter = [], sessions.enter

    def counted(connection, **values):
        entered.append(values["role"])
        enter(connection, **values)

    monkeypatch.setattr(sessions, "enter", counted)
    with tenant_session(tenant, actor="test:1") as session:
        session.execute(text("SELECT 1"))
        with session.begin_nested():
            session.execute(text("SELECT 2"))
        session.commit()
        session.execute(text("SELECT 3"))
    assert entered == [tenant.role_name] * 2


def test_a_scope_that_cannot_be_entered_leaves_nothing_on_the_connection(one_connection, two_tenants):
    """The transaction was begun in the same string as the scope: it must end with the failure."""
    tenant, other = two_tenants
    with tenant_session(tenant, actor="test:1") as session:
        backend = pid(session)
    nobody = replace(tenant, role_name="t_00000000000000000000")
    with pytest.raises((DBAPIError, TenantMoving)), tenant_session(nobody, actor="test:1"):
        pytest.fail("a scope of no role was entered")
    with tenant_session(other, actor="test:1") as session:
        assert pid(session) == backend
        assert session.scalar(text("SELECT current_user")) == other.role_name
        assert remembered(session) == set()


def test_every_transaction_of_a_session_has_its_scope_again(one_connection, two_tenants):
    tenant, other = two_tenants
    with tenant_session(tenant, actor="test:1") as session:
        remember(session, "first")
        session.commit()
        remember(session, "second")
        session.rollback()
        assert remembered(session) == {"first"}
        with session.begin_nested() as savepoint:
            remember(session, "third")
            savepoint.rollback()
        assert session.scalar(text("SELECT current_user")) == tenant.role_name
        remember(session, "fourth")
    with tenant_session(other, actor="test:1") as session:
        assert remembered(session) == set()
    with tenant_session(tenant, actor="test:1") as session:
        assert remembered(session) == {"first", "fourth"}


def test_what_goes_with_the_commit_goes_in_the_scope_and_not_without_it(one_connection, two_tenants):
    tenant, other = two_tenants
    query = "INSERT INTO tenant_settings (key, value, updated_at, updated_by) VALUES (%s, '{}', now(), 'test:1')"
    with tenant_session(tenant, actor="test:1") as session:
        session.at_commit(query, ("kept",))
    with pytest.raises(ZeroDivisionError), tenant_session(tenant, actor="test:1") as session:
        session.at_commit(query, ("not kept",))
        raise ZeroDivisionError
    with tenant_session(tenant, actor="test:1") as session:
        session.at_commit(query, ("rolled back",))
        session.rollback()
    with pytest.raises(UniqueViolation), tenant_session(tenant, actor="test:1") as session:
        remember(session, "beside one that fails")
        session.at_commit(query, ("kept",))
    with tenant_session(other, actor="test:1") as session:
        assert remembered(session) == set()
    with tenant_session(tenant, actor="test:1") as session:
        assert remembered(session) == {"kept"}


def test_a_connection_that_died_since_it_was_used_is_replaced(one_connection, database, tenant):
    """The pool does not try connections out: one that died is replaced when the scope is entered."""
    with tenant_session(tenant, actor="test:1") as session:
        backend = pid(session)
    with psycopg.connect(database.database_url, autocommit=True) as beside:
        beside.execute("SELECT pg_terminate_backend(%s, 5000)", (backend,))
    with tenant_session(tenant, actor="test:1") as session:
        assert pid(session) != backend
        assert remembered(session) == set()


def test_a_transaction_at_once_leaves_neither_role_nor_rows_to_the_next(one_connection, two_tenants):
    """It has no BEGIN of its own: the server begins it with the first statement and commits it with the last."""
    first, second = two_tenants
    add = "INSERT INTO tenant_settings (key, value, updated_at, updated_by) VALUES (%(key)s, '{}', now(), 'test:1')"
    asked = ("SELECT pg_backend_pid(), current_user::text, (SELECT count(*) FROM tenant_settings)", {})
    (((backend, role, rows),),) = at_once(first, (add, {"key": "of the first"}), asked)
    assert (role, rows) == (first.role_name, 1)
    assert at_once(second, asked) == [[(backend, second.role_name, 0)]]
    with node_session() as session:
        assert pid(session) == backend
        assert session.scalar(text("SELECT current_user")) == "iit_app"
        assert session.scalar(text("SHOW search_path")) in ("", '""')


def test_a_transaction_at_once_that_fails_keeps_nothing_and_leaves_no_role(one_connection, tenant):
    add = "INSERT INTO tenant_settings (key, value, updated_at, updated_by) VALUES (%(key)s, '{}', now(), 'test:1')"
    with tenant_session(tenant, actor="test:1") as session:
        backend = pid(session)
    with pytest.raises(RoundTripError):
        at_once(tenant, (add, {"key": "not kept"}), ("SELECT 1 / 0", {}))
    with node_session() as session:
        assert pid(session) == backend
        assert session.scalar(text("SELECT current_user")) == "iit_app"
    with tenant_session(tenant, actor="test:1") as session:
        assert remembered(session) == set()
