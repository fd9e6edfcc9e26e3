"""A data database that was restored to an earlier time: the roll-up stops, and goes on without counting a use twice."""

from datetime import timedelta
from threading import Event
from uuid import uuid4

import pytest
from sqlalchemy import text

from core import metering
from core.clock import frozen, now
from core.database import DEFAULT_DATABASE, owner_engine, platform_session, tenant_session
from core.errors import Conflict
from core.metering import hours, restores, rollup, usage
from core.metering.restores import LedgerRollback
from core.tenancy import create_tenant
from tests.core.metering.conftest import BEGIN, rolled_up, use
from tests.ledger import roll_up, unguarded, uses_after, wait_for_older_transactions


@pytest.fixture
def tenant(own_services):
    """A tenant on servers of this module's own: the ledger is of the whole database."""
    return create_tenant(f"ledger-{uuid4().hex[:8]}", "Partner").ref


def execute(statement, **values):
    with owner_engine().begin() as connection:
        connection.execute(text(statement), values)


@pytest.fixture
def restored(tenant):
    """A use is counted, another is counted and lost, and the server is far behind the position."""
    use(tenant, "counted", 5)
    use(tenant, "lost", 7)
    roll_up()
    with unguarded() as session:
        lost = text("DELETE FROM node.usage_events WHERE key = 'lost' AND tenant_id = :id")
        session.execute(lost, {"id": tenant.id})
    ahead = "UPDATE platform.usage_ledgers SET transaction_id = transaction_id + 1000000 WHERE database = :name"
    execute(ahead, name=DEFAULT_DATABASE)


def use_later(tenant, key, value):
    """Record a use a minute after the last batch was sealed."""
    with frozen(now() + timedelta(minutes=1)), tenant_session(tenant, actor="test:1") as session:
        metering.record(session, "import_rows", value, key=key, occurred_at=BEGIN)


@pytest.mark.parametrize("ids", ["behind the position", "past the position"])
def test_a_restored_ledger_waits_for_an_operator_and_counts_each_use_once(tenant, restored, ids):
    for number in range(3):
        use_later(tenant, f"new {number}", 10)
    if ids == "past the position":
        wait_for_older_transactions()
        execute(
            "UPDATE platform.usage_ledgers SET transaction_id ="
            " (SELECT transaction_id FROM node.usage_events WHERE tenant_id = :id AND key = 'new 1')"
            " WHERE database = :name",
            id=tenant.id,
            name=DEFAULT_DATABASE,
        )
    for _ in range(2):
        with pytest.raises(LedgerRollback) as rejected:
            rollup.roll_up(DEFAULT_DATABASE)
        assert f"iit usage resume {DEFAULT_DATABASE}" in rejected.value.command
    rollup.look(Event())
    [state] = [each for each in usage.ledgers() if each.database == DEFAULT_DATABASE]
    assert "was restored to an earlier time" in state.error
    restores.resume(DEFAULT_DATABASE, actor="test:1")
    roll_up()
    assert rolled_up(tenant) == 5 + 7 + 30  # the lost use was used, and stays counted


def test_a_use_that_moved_here_is_counted_by_its_id(tenant, restored):
    use_later(tenant, "new", 10)
    use(tenant, "moved, uncounted", 100)
    use(tenant, "moved, counted", 1000)
    execute(
        "INSERT INTO platform.moved_uses (use_id, tenant_id, counts_in, recorded_at)"
        " SELECT id, tenant_id, CASE key WHEN 'moved, uncounted' THEN :name END, recorded_at"
        " FROM node.usage_events WHERE tenant_id = :id AND key LIKE 'moved%'",
        id=tenant.id,
        name=DEFAULT_DATABASE,
    )
    restores.resume(DEFAULT_DATABASE, actor="test:1")
    roll_up()
    assert rolled_up(tenant) == 5 + 7 + 10 + 100


def test_a_ledger_that_was_not_restored_is_not_set_anew(tenant):
    use(tenant, "a", 5)
    roll_up()
    with platform_session() as session:
        before = session.execute(text("SELECT transaction_id, last_id FROM platform.usage_ledgers")).all()
    with pytest.raises(Conflict, match="was not restored"):
        restores.resume(DEFAULT_DATABASE, actor="test:1")
    with platform_session() as session:
        assert session.execute(text("SELECT transaction_id, last_id FROM platform.usage_ledgers")).all() == before
    assert roll_up() == []


def test_usage_is_complete_until_the_oldest_open_transaction_began(tenant):
    roll_up()
    with platform_session() as session:
        before = hours.complete_until(session)
    with tenant_session(tenant, actor="test:1") as session:
        metering.record(session, "imports", 1, key="open")
        rollup.roll_up(DEFAULT_DATABASE)
        rollup.roll_up(DEFAULT_DATABASE)
        with platform_session() as shared:
            meanwhile = hours.complete_until(shared)
        recorded = metering.recorded(session, "imports", "open")
    assert recorded
    roll_up()
    uses = [each for each in uses_after() if each.tenant_id == tenant.id]
    assert before <= meanwhile < uses[0].occurred_at
