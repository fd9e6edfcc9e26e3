"""A text that reaches a tenant's statement unquoted is an expression: it reaches nobody else's data, and adds nothing.

Each test has its canary: the same text does its harm where the right or the protocol is given back.
"""

from __future__ import annotations

from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from core.database import RoundTripError, at_once, node_session, set_local, tenant_session
from core.database.engines import application_engine
from core.database.statements import several_statements
from core.services import bootstrap, state
from core.services.manager import superuser_url
from core.settings import get_settings
from tests.architecture.lints import texts

NOT_ALLOWED, SYNTAX = "42501", "42601"


def state_of(error):
    cause = error.value
    return getattr(cause, "orig", cause).sqlstate


def remember(tenant, value):
    with tenant_session(tenant, actor="test:1") as session:
        session.execute(
            text("INSERT INTO tenant_settings (key, value, updated_at, updated_by) VALUES (:key, '{}', now(), 't:1')"),
            {"key": value},
        )


@contextmanager
def given_back(*statements, afterwards):
    """While the block lasts, a superuser has given everybody what was taken away."""
    address = superuser_url(state.read(get_settings().state_dir), bootstrap.DATABASE)
    with psycopg.connect(address, autocommit=True) as link:
        for statement in statements:
            link.execute(statement)
        try:
            yield
        finally:
            link.execute(afterwards)


def injected(tenant, expression):
    """What a statement gives that takes a text of its caller unquoted."""
    with tenant_session(tenant, actor="test:1") as session:
        return session.execute(text(f"SELECT '' || {expression}")).scalar()


@pytest.mark.parametrize("name", ["role", "search_path", "session_authorization", "transaction_read_only"])
def test_an_expression_sets_nothing(two_tenants, name):
    mine, other = two_tenants
    with pytest.raises(ProgrammingError) as error:
        injected(mine, f"set_config('{name}', '{other.role_name}', true)")
    assert state_of(error) == NOT_ALLOWED


def attack(mine, other):
    """Become another tenant by an expression, and read what is theirs with the next statement."""
    with tenant_session(mine, actor="test:1") as session:
        session.execute(text(f"SELECT '' || set_config('role', '{other.role_name}', true)"))
        theirs = session.scalars(text(f'SELECT key FROM "{other.schema_name}".tenant_settings')).all()  # noqa: S608
        session.rollback()
    return theirs


def test_an_expression_does_not_become_another_tenant(two_tenants):
    mine, other = two_tenants
    remember(other, "secret")
    with pytest.raises(ProgrammingError) as error:
        attack(mine, other)
    assert state_of(error) == NOT_ALLOWED


def test_the_canary_reads_another_tenant_where_everybody_may_set(two_tenants):
    mine, other = two_tenants
    remember(other, "secret")
    with given_back(
        "GRANT EXECUTE ON FUNCTION set_config TO PUBLIC",
        afterwards="REVOKE EXECUTE ON FUNCTION set_config FROM PUBLIC",
    ):
        assert attack(mine, other) == ["secret"]


def test_neither_pg_settings_nor_a_query_within_xml_sets_anything(two_tenants):
    mine, other = two_tenants
    for statement in (
        f"UPDATE pg_settings SET setting = '{other.role_name}' WHERE name = 'role'",  # noqa: S608 - as above
        f"SELECT query_to_xml('SELECT set_config(''role'', ''{other.role_name}'', true)', true, true, '')",
        f"SELECT query_to_xml('SET ROLE {other.role_name}', true, true, '')",
    ):
        with pytest.raises(DBAPIError), tenant_session(mine, actor="test:1") as session:
            session.execute(text(statement))


@pytest.mark.parametrize("form", ["text", "driver", "cursor", "with parameters"])
def test_a_second_statement_is_not_run(two_tenants, form):
    mine, other = two_tenants
    appended = f"SELECT 1; SET ROLE {other.role_name}"
    with pytest.raises((ProgrammingError, psycopg.Error)) as error, tenant_session(mine, actor="test:1") as session:
        if form == "text":
            session.execute(text(appended))
        elif form == "driver":
            session.connection().exec_driver_sql(appended)
        elif form == "cursor":
            session.cursor().execute(appended.encode())
        else:
            session.execute(text(f"SELECT :one; SET ROLE {other.role_name}"), {"one": 1})
    assert state_of(error) == SYNTAX


def test_the_canary_runs_a_second_statement_by_the_simple_protocol(two_tenants):
    mine, other = two_tenants
    with tenant_session(mine, actor="test:1") as session:
        cursor = session.cursor()
        with several_statements(cursor.connection):
            session.connection().exec_driver_sql(f"SELECT 1; SET ROLE {other.role_name}")
        assert session.scalar(text("SELECT current_user")) == other.role_name
        session.rollback()


def test_copies_and_named_cursors_run_one_statement_too(two_tenants):
    mine, other = two_tenants
    appended = f"COPY (SELECT 1) TO STDOUT; SET ROLE {other.role_name}"
    with (
        pytest.raises(psycopg.Error) as error,
        tenant_session(mine, actor="test:1") as session,
        session.cursor() as cursor,
        cursor.copy(appended.encode()) as copy,
    ):
        list(copy)
    assert state_of(error) == SYNTAX
    with (
        pytest.raises(psycopg.Error) as error,
        tenant_session(mine, actor="test:1") as session,
        session.cursor().connection.cursor(name="own") as named,
    ):
        named.execute(f"SELECT 1; SET ROLE {other.role_name}".encode())
    assert state_of(error) == SYNTAX


def test_a_whole_transaction_at_once_has_one_statement_each_and_no_second_role(two_tenants):
    mine, other = two_tenants
    remember(mine, "mine")
    assert at_once(mine, ("SELECT key FROM tenant_settings", {})) == [[("mine",)]]
    for query in (f"SELECT 1; SET ROLE {other.role_name}", f"SELECT set_config('role', '{other.role_name}', true)"):
        with pytest.raises(RoundTripError):
            at_once(mine, (query, {}))


def test_without_a_tenant_nothing_can_be_appended_either(database):
    with pytest.raises(ProgrammingError) as error, node_session() as session:
        session.execute(text("SELECT 1; SELECT 2"))
    assert state_of(error) == SYNTAX


def test_parameters_are_set_by_name_and_end_with_the_transaction(tenant):
    with tenant_session(tenant, actor="test:1") as session:
        session.set_local(work_mem="3MB", enable_sort="off")
        set_local(session.cursor(), lock_timeout="7s")
        shown = [session.scalar(text(f"SHOW {name}")) for name in ("work_mem", "enable_sort", "lock_timeout")]
        assert shown == ["3MB", "off", "7s"]
        session.commit()
        assert session.scalar(text("SHOW work_mem")) != "3MB"


@pytest.mark.parametrize("name", ["role", "search_path", "session_authorization", "temp_file_limit", "work_mem; x"])
def test_role_path_and_what_is_not_listed_are_never_set(tenant, name):
    with tenant_session(tenant, actor="test:1") as session, pytest.raises(ValueError, match="cannot be set"):
        session.set_local(**{name: "x"})


def test_a_value_is_quoted(two_tenants):
    mine, other = two_tenants
    with pytest.raises(psycopg.Error), tenant_session(mine, actor="test:1") as session:
        session.set_local(work_mem=f"'1MB'; SET ROLE {other.role_name}")


def test_temporary_files_of_a_session_have_a_limit_that_it_cannot_lift(tenant):
    with tenant_session(tenant, actor="test:1") as session:
        assert session.scalar(text("SHOW temp_file_limit")) == "8GB"
    with pytest.raises(ProgrammingError) as error, tenant_session(tenant, actor="test:1") as session:
        session.execute(text("SET LOCAL temp_file_limit = -1"))
    assert state_of(error) == NOT_ALLOWED


@pytest.mark.parametrize(
    "query",
    [
        "SELECT n_live_tup FROM pg_stat_all_tables",
        "SELECT n_live_tup FROM pg_stat_user_tables",
        "SELECT seq_scan FROM pg_stat_user_tables",
        "SELECT idx_scan FROM pg_stat_all_indexes",
        "SELECT heap_blks_read FROM pg_statio_user_tables",
        "SELECT reltuples FROM pg_class",
        "SELECT relpages FROM pg_class",
        "SELECT pg_relation_size(oid) FROM pg_class",
        "SELECT pg_total_relation_size(oid::regclass) FROM pg_class",
        "SELECT pg_stat_get_live_tuples(oid) FROM pg_class",
        "SELECT pg_stat_get_tuples_inserted(oid) FROM pg_class",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_try_advisory_xact_lock_shared(1, 2)",
        "SELECT lo_create(0)",
        "SELECT pg_notify('channel', 'text')",
        "SELECT pg_logical_emit_message(false, 'prefix', repeat('a', 1000))",
    ],
)
def test_a_tenant_reads_no_counts_of_others_and_takes_no_lock_by_number(tenant, query):
    with pytest.raises(ProgrammingError) as error, tenant_session(tenant, actor="test:1") as session:
        session.execute(text(query))
    assert state_of(error) == NOT_ALLOWED


def test_the_application_itself_still_reads_the_counts(database):
    with application_engine().connect() as connection:
        for query in ("SELECT sum(n_live_tup) FROM pg_stat_user_tables", "SELECT sum(reltuples) FROM pg_class"):
            assert connection.scalar(text(query)) is not None


def test_what_pg_stats_tells_a_tenant_is_of_its_own_tables(two_tenants):
    mine, other = two_tenants
    with tenant_session(mine, actor="test:1") as session:
        query = text("SELECT count(*) FROM pg_stats WHERE schemaname = :schema")
        assert session.scalar(query, {"schema": other.schema_name}) == 0


NOT_IN_A_TENANTS_ROLE = (
    *(
        "core/database/",
        "core/services/",
        "core/jobs/next_lease.py",
        "core/jobs/relay.py",
        "core/tenancy/moved_uses.py",
        "core/tenancy/placing.py",
        "core/tenancy/tenant_lock.py",
    ),
    *("core/tenancy/provisioning.py", "core/tenancy/backup/dump.py", "core/audit/sealer.py"),
)
"""Where locks are taken by number and parameters set by function: as the login or the owner."""


def test_nothing_asks_in_a_tenants_role_for_what_it_may_not_do():
    for path, source in texts(".py"):
        if path.startswith(("core/", "tenants/", "plugins/")) and not path.startswith(NOT_IN_A_TENANTS_ROLE):
            assert "set_config(" not in source, f"{path}: use session.set_local"
            assert "advisory_" not in source, f"{path}: use core.database.lock_own"
