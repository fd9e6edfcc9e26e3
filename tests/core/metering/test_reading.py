"""Whoever reads the ledger onward from a cursor gets every use, however late its transaction commits."""

from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy import text

from core import metering
from core.database import DEFAULT_DATABASE, node_session, tenant_session
from tests.waiting import wait_until

WHEN = datetime(2026, 5, 12, 9, 30, tzinfo=UTC)


def wait_for_older_transactions():
    """Wait until all transactions that run now have ended: other tests on this server hold back the ledger's end."""

    def bound(name):
        with node_session(DEFAULT_DATABASE) as session:
            return session.execute(text(f"SELECT {name}(pg_current_snapshot())::text::bigint")).scalar_one()

    newest = bound("pg_snapshot_xmax")
    wait_until(lambda: bound("pg_snapshot_xmin") >= newest)


def read(after, tenant, **options):
    """The uses of a tenant after a cursor, and the cursor after all of them."""
    wait_for_older_transactions()
    uses = metering.read_usage(after, database=DEFAULT_DATABASE, **options)
    return [use for use in uses if use.tenant_id == tenant.id], uses[-1].cursor if uses else after


def keys(uses):
    return [use.key for use in uses]


def test_a_use_says_when_how_much_and_of_which_dimension(tenant):
    with tenant_session(tenant, actor="test:1") as session:
        metering.record(session, "patients_scored", 7, key="a", occurred_at=WHEN, dimensions={"model": "naive-1"})
    (use,), _ = read(metering.BEGINNING, tenant)
    assert (use.meter, use.value, use.occurred_at, use.dimensions) == (
        "patients_scored",
        Decimal(7),
        WHEN,
        {"model": "naive-1"},
    )


def test_a_transaction_that_commits_late_is_not_skipped(two_tenants):
    late, early = two_tenants
    seen, cursor = [], metering.BEGINNING
    with tenant_session(late, actor="test:1") as slow:
        metering.record(slow, "imports", 1, key="late")
        with tenant_session(early, actor="test:1") as session:
            metering.record(session, "imports", 1, key="early")
        for _ in range(2):
            uses = metering.read_usage(cursor, database=DEFAULT_DATABASE)
            seen += keys(uses)
            cursor = uses[-1].cursor if uses else cursor
        assert "late" not in seen
    wait_for_older_transactions()
    uses = metering.read_usage(cursor, database=DEFAULT_DATABASE)
    seen += keys(uses)
    assert seen.count("late") == seen.count("early") == 1


def test_pages_give_each_use_one_time(tenant):
    with tenant_session(tenant, actor="test:1") as session:
        for key in "abc":
            metering.record(session, "imports", 1, key=key)
    with tenant_session(tenant, actor="test:1") as session:
        metering.record(session, "imports", 1, key="d")
    wait_for_older_transactions()
    seen, cursor = [], metering.BEGINNING
    while page := metering.read_usage(cursor, database=DEFAULT_DATABASE, limit=1):
        seen += keys(use for use in page if use.tenant_id == tenant.id)
        cursor = page[-1].cursor
    assert seen == ["a", "b", "c", "d"]
