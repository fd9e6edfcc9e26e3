"""Whoever reads the ledger onward from a cursor gets every use, however late its transaction commits."""

from datetime import UTC, datetime
from decimal import Decimal

from core import metering
from core.database import DEFAULT_DATABASE, tenant_session
from tests.ledger import end_of_ledger, uses_after, wait_for_older_transactions

WHEN = datetime(2026, 5, 12, 9, 30, tzinfo=UTC)


def read(after, tenant):
    """The uses of a tenant after a cursor, and the cursor after all of them."""
    wait_for_older_transactions()
    uses = uses_after(after)
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
    seen, cursor = [], end_of_ledger()
    with tenant_session(late, actor="test:1") as slow:
        metering.record(slow, "imports", 1, key="late")
        with tenant_session(early, actor="test:1") as session:
            metering.record(session, "imports", 1, key="early")
        for _ in range(2):
            uses = uses_after(cursor)
            seen += keys(use for use in uses if use.tenant_id in {late.id, early.id})
            cursor = uses[-1].cursor if uses else cursor
        assert "late" not in seen
    wait_for_older_transactions()
    seen += keys(use for use in uses_after(cursor) if use.tenant_id in {late.id, early.id})
    assert seen.count("late") == seen.count("early") == 1


def test_pages_give_each_use_one_time(tenant):
    cursor = end_of_ledger()
    with tenant_session(tenant, actor="test:1") as session:
        for key in "abc":
            metering.record(session, "imports", 1, key=key)
    with tenant_session(tenant, actor="test:1") as session:
        metering.record(session, "imports", 1, key="d")
    wait_for_older_transactions()
    seen = []
    while page := metering.read_usage(cursor, database=DEFAULT_DATABASE, limit=1):
        seen += keys(use for use in page if use.tenant_id == tenant.id)
        cursor = page[-1].cursor
    assert seen == ["a", "b", "c", "d"]
