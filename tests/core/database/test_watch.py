"""What is over its limit is named with what to do; a database at rest is healthy."""

from __future__ import annotations

import json

import psycopg
import pytest

from core.cli.main import run
from core.database import tenant_session, watch


@pytest.fixture
def churned(new_schemas, tenant, monkeypatch):
    """A tenant with a table of whose rows most are dead, and limits that a test can pass."""
    monkeypatch.setattr(watch, "DEAD_ROWS", 50)
    with tenant_session(tenant, actor="test:1") as session:
        session.cursor().execute(
            "INSERT INTO tenant_settings (key, value, updated_at, updated_by)"
            " SELECT 'k' || n, '{}', now(), 'test:1' FROM generate_series(1, 300) AS n"
        )
    with tenant_session(tenant, actor="test:1") as session:
        session.cursor().execute("DELETE FROM tenant_settings WHERE key LIKE 'k%'")
        session.cursor().execute("SELECT pg_stat_force_next_flush()")
    return tenant


def test_a_table_of_dead_rows_is_named_with_the_statement_that_helps(churned):
    with tenant_session(churned, actor="test:1") as session:
        session.cursor().execute("SELECT pg_stat_force_next_flush()")
    (state,) = watch.watch(["default"])
    (churned_table,) = [table for table in state.tables if table.schema == churned.schema_name]
    assert (churned_table.table, churned_table.dead >= 300, churned_table.advice.startswith("VACUUM")) == (
        "tenant_settings",
        True,
        True,
    )
    assert not state.healthy


def test_sizes_are_told_by_table_over_all_tenants(two_tenants):
    (state,) = watch.watch(["default"])
    kinds = {kind.table: kind for kind in state.largest}
    assert any(kind.schemas >= 2 for kind in kinds.values())
    assert state.size > 0
    assert 0 < state.freeze_age < watch.FREEZE_AGE


def test_a_transaction_that_stays_open_is_told(database, tenant, monkeypatch):
    monkeypatch.setattr(watch, "HELD_TRANSACTIONS", 5)
    with psycopg.connect(database.database_url) as beside:
        beside.execute("SELECT pg_current_xact_id()")
        for number in range(10):
            with tenant_session(tenant, actor="test:1") as session:
                session.cursor().execute("SELECT pg_current_xact_id(), %s", (number,))
        (state,) = watch.watch(["default"])
    assert state.open_age > 5
    assert any("open" in advice for advice in state.advice)


def test_the_command_ends_with_3_when_something_is_over_its_limit(churned, capsys):
    assert run(["database", "bloat"]) == 3
    assert "VACUUM" in capsys.readouterr().err
    assert run(["database", "bloat", "--json"]) == 3
    report = json.loads(capsys.readouterr().out)["databases"][0]
    assert report["healthy"] is False
    assert run(["database", "bloat", "--database", "nowhere"]) == 2
