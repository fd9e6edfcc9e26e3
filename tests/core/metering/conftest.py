"""Recording and rolling up for the tests of metering."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from core import metering
from core.database import DEFAULT_DATABASE, node_session, platform_session, tenant_session
from core.metering import hours, rollup
from tests.waiting import wait_until

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
END = datetime(2026, 4, 1, tzinfo=UTC)


def wait_for_older_transactions(database=DEFAULT_DATABASE):
    """Wait until all transactions that run now have ended: other tests on this server hold back the ledger's end."""

    def bound(name):
        with node_session(database) as session:
            return session.execute(text(f"SELECT {name}(pg_current_snapshot())::text::bigint")).scalar_one()

    newest = bound("pg_snapshot_xmax")
    wait_until(lambda: bound("pg_snapshot_xmin") >= newest)


def use(tenant, key, value=1, *, meter="import_rows", at=BEGIN, **dimensions):
    with tenant_session(tenant, actor="test:1") as session:
        return metering.record(session, meter, value, key=key, occurred_at=at, dimensions=dimensions)


def roll_up(database=DEFAULT_DATABASE, **options):
    """Roll everything up; return the batches."""
    wait_for_older_transactions(database)
    batches = []
    while batch := rollup.roll_up(database, **options):
        batches.append(batch)
    return batches


def rolled_up(tenant, meter="import_rows", aggregation="sum", *, as_of=None, start=BEGIN, end=END):
    with platform_session() as session:
        newest = hours.newest_batch(session) if as_of is None else as_of
        return hours.quantity(session, tenant.id, meter, start, end, aggregation, as_of=newest)


@pytest.fixture
def hour():
    """``hour(n)``: a time in the n-th hour after the begin of the span."""
    return lambda number: BEGIN + timedelta(hours=number, minutes=17)
