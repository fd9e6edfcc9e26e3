"""A transaction in one round trip is a transaction of its tenant like any other, or it is left to a session."""

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from core.database import RoundTripError, at_once, tenant_session
from core.database.engines import application_engine
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
