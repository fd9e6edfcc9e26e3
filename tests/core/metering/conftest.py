"""Recording and rolling up for the tests of metering."""

from datetime import UTC, datetime, timedelta

import pytest

from core import metering
from core.database import platform_session, tenant_session
from core.metering import hours

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
END = datetime(2026, 4, 1, tzinfo=UTC)


def use(tenant, key, value=1, *, meter="import_rows", at=BEGIN, **dimensions):
    with tenant_session(tenant, actor="test:1") as session:
        return metering.record(session, meter, value, key=key, occurred_at=at, dimensions=dimensions)


def rolled_up(tenant, meter="import_rows", aggregation="sum", *, as_of=None, start=BEGIN, end=END):
    with platform_session() as session:
        newest = hours.newest_batch(session) if as_of is None else as_of
        return hours.quantity(session, tenant.id, meter, start, end, aggregation, as_of=newest)


@pytest.fixture
def hour():
    """``hour(n)``: a time in the n-th hour after the begin of the span."""
    return lambda number: BEGIN + timedelta(hours=number, minutes=17)
