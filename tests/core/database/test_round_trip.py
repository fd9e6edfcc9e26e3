"""A transaction in one round trip is a transaction of its tenant like any other, or it is left to a session."""

from threading import Event

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from core.database import RoundTripError, at_once, execute_prepared, node_at_once, statements, tenant_session
from core.database.engines import application_engine, application_role
from core.errors import Unavailable

PUT = "INSERT INTO tenant_settings VALUES (%(key)s, '{}', now(), 'test:1') RETURNING key"
KEYS = "SELECT key FROM tenant_settings ORDER BY key"


def keys(tenant):
    with tenant_session(tenant, actor="test:1") as session:
        return [row[0] for row in session.cursor().execute(KEYS).fetchall()]


def idle():
    """Whether the connection that the pool gives next is in no transaction and in nobody's role."""
    connection = application_engine().raw_connection()
    try:
        driver = connection.driver_connection
        status = driver.info.transaction_status
        role, path = driver.execute("SELECT current_setting('role'), current_setting('search_path')").fetchone()
        return status == TransactionStatus.IDLE and (role, path.strip('"')) == ("none", "")
    finally:
        connection.close()


def test_it_is_the_tenants_transaction_and_committed_when_it_returns(two_tenants):
    one, other = two_tenants
    rows = at_once(one, (PUT, {"key": "a"}), ("SELECT current_user, %(n)s::int AS n", {"n": 3}))
    assert rows == [[("a",)], [(one.role_name, 3)]]
    assert (keys(one), keys(other)) == (["a"], [])
    assert idle()


@pytest.mark.parametrize(
    "text", ["'); DROP TABLE tenant_settings; --", "a'b\\'c", "%(key)s %s %%", "; COMMIT; SELECT 1"]
)
def test_a_value_is_a_value_whatever_is_in_it(tenant, text):
    ((row,),) = at_once(tenant, (PUT, {"key": text}))
    assert row == (text,)
    assert keys(tenant) == [text]


def test_what_fails_keeps_nothing_and_is_left_to_a_session(tenant):
    with pytest.raises(RoundTripError):
        at_once(tenant, (PUT, {"key": "a"}), ("SELECT 1 / 0", {}))
    assert keys(tenant) == []
    assert idle()


def test_another_tenants_rows_are_out_of_reach(two_tenants):
    one, other = two_tenants
    at_once(other, (PUT, {"key": "theirs"}))
    with pytest.raises(RoundTripError) as rejection:
        at_once(one, (KEYS.replace("tenant_settings", f"{other.schema_name}.tenant_settings"), {}))
    assert isinstance(rejection.value.__cause__, psycopg.errors.InsufficientPrivilege)


def test_a_tenant_that_is_being_moved_is_left_to_a_session(tenant):
    from core.tenancy import placing

    with placing.fence(tenant, patience=5), pytest.raises(RoundTripError) as rejection:
        at_once(tenant, (PUT, {"key": "a"}))
    assert isinstance(rejection.value.__cause__, psycopg.errors.ReadOnlySqlTransaction)
    assert keys(tenant) == []


def test_a_connection_that_died_in_the_pool_is_left_to_a_session_and_thrown_away(tenant, settings_of):
    settings_of(database_pool_size="1", database_pool_overflow="0")
    at_once(tenant, (KEYS, {}))
    connection = application_engine().raw_connection()
    driver = connection.driver_connection
    connection.close()
    driver.close()  # as a server that was restarted
    with pytest.raises(RoundTripError) as rejection:
        at_once(tenant, (PUT, {"key": "a"}))
    assert isinstance(rejection.value.__cause__, psycopg.OperationalError)
    at_once(tenant, (PUT, {"key": "a"}))
    assert keys(tenant) == ["a"]


def test_no_free_connection_is_said_plainly(tenant, settings_of):
    settings_of(database_pool_size="1", database_pool_overflow="0", database_pool_timeout="0.1")
    with tenant_session(tenant, actor="test:1"), pytest.raises(Unavailable, match="every connection"):
        at_once(tenant, (KEYS, {}))


def test_a_statement_of_the_application_is_a_transaction_of_its_own_and_its_plan_stays(database):
    query = "SELECT current_user, %(n)s::int, set_config('work_mem', '1MB', true)"
    ((user, number, _),) = node_at_once("default", query, {"n": 3})
    assert (user, number) == (application_role(), 3)
    assert idle()
    connection = application_engine().raw_connection()
    try:
        driver = connection.driver_connection
        execute_prepared(driver, "SELECT %(n)s::int + 1", {"n": 1})
        plans = {row[0] for row in driver.execute("SELECT statement FROM pg_prepared_statements").fetchall()}
        assert "SELECT $1::int + 1" in plans
        assert driver.execute("SHOW work_mem").fetchone() != ("1MB",)
    finally:
        connection.close()
    with pytest.raises(RoundTripError):
        node_at_once("default", "SELECT 1 / %(n)s::int", {"n": 0})
    assert idle()


def test_where_a_pooler_loses_plans_none_are_made_any_more(database, monkeypatch):
    monkeypatch.setattr(statements, "_pooled", Event())
    connection = application_engine().raw_connection()
    try:
        driver, query = connection.driver_connection, "SELECT %(n)s::int + 2"
        execute_prepared(driver, query, {"n": 1})
        driver.execute("DEALLOCATE ALL")
        with pytest.raises(psycopg.errors.InvalidSqlStatementName):
            execute_prepared(driver, query, {"n": 1})
        assert execute_prepared(driver, query, {"n": 1}).fetchone() == (3,)
    finally:
        connection.invalidate()
