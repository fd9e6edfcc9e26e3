"""What a tenant stores is measured once a day: its tables and its files, and nobody else's."""

from threading import Event

import pytest
from sqlalchemy import text

from core import blobs, metering
from core.clock import today
from core.database import tenant_session
from core.metering.storage import METER, measure
from core.retention import run_due
from core.tenancy import rounds
from tests.ledger import unguarded


def events(tenant):
    with tenant_session(tenant, actor="test:1", readonly=True) as session:
        rows = session.execute(text("SELECT key, value::bigint FROM node.usage_events WHERE meter = 'storage_bytes'"))
        return dict(tuple(row) for row in rows)


def backdate(tenant):
    """Make today's measurement yesterday's, past the guard of the ledger."""
    with unguarded() as session:
        session.execute(
            text(
                "UPDATE node.usage_events SET key = 'before ' || id, recorded_at = recorded_at - interval '1 day'"
                " WHERE tenant_role = :role"
            ),
            {"role": tenant.role_name},
        )


def test_it_is_recorded_once_a_day(tenant):
    size = measure(tenant)
    assert measure(tenant) is None
    assert events(tenant) == {today(tenant.time_zone).isoformat(): size}


def test_files_and_rows_count_and_those_of_others_do_not(two_tenants):
    tenant, other = two_tenants
    first = measure(tenant)
    blobs.put(other, "a", b"x" * 500_000)
    backdate(tenant)
    assert measure(tenant) == first
    blobs.put(tenant, "a", b"x" * 500_000)
    with tenant_session(tenant, actor="test:1") as session:
        session.execute(
            text(
                "INSERT INTO tenant_settings (key, value, updated_at, updated_by)"
                " SELECT 'k' || n, '{}', now(), 't' FROM generate_series(1, 5000) AS n"
            )
        )
    backdate(tenant)
    assert measure(tenant) > first + 500_000 + 200_000


def test_the_latest_measurement_is_the_total_not_the_sum(tenant):
    measure(tenant)
    backdate(tenant)
    latest = measure(tenant)
    with tenant_session(tenant, actor="test:1", readonly=True) as session:
        assert metering.totals(session)[METER] == latest


@pytest.mark.parametrize("state", ["active", "suspended"])
def test_the_daily_upkeep_measures_every_tenant(make_tenant, monkeypatch, state):
    from core.tenancy import describe_tenant, suspend_tenant

    slug = make_tenant().ref.slug
    if state == "suspended":
        suspend_tenant(slug)
    tenant = describe_tenant(slug).ref()
    monkeypatch.setattr(rounds, "list_tenants", lambda: [tenant])
    for _ in range(2):
        assert run_due(Event()) == {}
    assert list(events(tenant)) == [today(tenant.time_zone).isoformat()]


def test_every_meter_that_is_declared_is_recorded_somewhere():
    """A meter that nothing records would be billed as never used."""
    from core.settings import CHECKOUT

    text_of_all = "\n".join(
        path.read_text(encoding="utf-8")
        for room in ("core", "tenants")
        for path in (CHECKOUT / room).rglob("*.py")
        if path.name != "service.py" or path.parent.name != "metering"
    )
    silent = [
        name
        for name in metering.meters()
        if f'metering.record(session, "{name}"' not in text_of_all and f': Final = "{name}"' not in text_of_all
    ]
    assert silent == []
