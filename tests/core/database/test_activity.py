"""What a database is busy with: statements without values, open transactions, and nothing of it for tenants."""

import pytest
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from core.database import activity, tenant_session
from core.database.activity import open_transactions, slowest_statements


def test_a_statement_is_counted_over_all_tenants_and_its_values_are_left_out(make_tenant, monkeypatch):
    # Made before, and asked often: the server forgets rare statements when many new ones come.
    for tenant in [make_tenant().ref for _ in range(2)]:
        with tenant_session(tenant, actor="test:1") as session:
            for _ in range(50):
                session.execute(text("SELECT key AS counted_here FROM tenant_settings WHERE key = 'Personal 080300'"))
    monkeypatch.setattr(activity, "MOST", 100_000)
    statements = slowest_statements("default")
    assert "080300" not in str(statements)
    (counted,) = [one for one in statements if "counted_here" in one.statement]
    assert (counted.calls, counted.rows) == (100, 0)
    seconds = [one.total_seconds for one in statements]
    assert seconds == sorted(seconds, reverse=True)


def test_an_open_transaction_is_listed_with_its_age_and_without_its_statement(tenant):
    with tenant_session(tenant, actor="test:1") as session:
        number = session.scalar(text("SELECT pg_backend_pid()"))
        (shown,) = [one for one in open_transactions("default") if one.pid == number]
    assert (shown.state, shown.blocked_by) == ("idle in transaction", [])
    assert shown.seconds >= 0
    assert number not in [one.pid for one in open_transactions("default")]


@pytest.mark.parametrize("view", ["pg_stat_statements", "pg_stat_statements_info", "pg_stat_statements(true)"])
def test_a_tenant_cannot_read_what_others_ask(tenant, view):
    with tenant_session(tenant, actor="test:1") as session:
        with pytest.raises(ProgrammingError) as error:
            session.execute(text(f"SELECT * FROM extensions.{view}"))  # noqa: S608 - constants
        assert isinstance(error.value.orig, InsufficientPrivilege)
        session.rollback()
