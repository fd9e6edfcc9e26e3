"""In a running worker, a channel's plugin that hangs, exits or gives garbage delays nobody but itself."""

from __future__ import annotations

import pytest
from sqlmodel import select

from core.database import tenant_session
from core.events import publish
from core.jobs.worker import working
from core.plugins import catalogue, hosts, instances, permissions
from core.plugins.instances import InstanceIn
from core.tenancy import create_tenant
from tenants.alerts.models import AlertDelivery
from tests.core.plugins.conftest import SAMPLES, installed, site
from tests.tenants.alerts.conftest import awake
from tests.vendors.pagerduty import PagerDuty
from tests.waiting import wait_until

ACTS = ("hang", "exit", "garbage")


@pytest.fixture(scope="module")
def tenants(own_services):
    """Two tenants on servers where a worker finds no other job."""
    return [create_tenant(slug, "Partner").ref for slug in ("bad-plugin", "neighbour")]


@pytest.fixture(scope="module")
def bad(own_services):
    """The plugin is installed."""
    with site() as folder, installed(folder) as install:
        install(bad_channel=(SAMPLES / "bad_channel.py").read_text())
        catalogue.reload()
        catalogue.installed()
        yield
        hosts.end_all()
    catalogue.reload()


def add(tenant, plugin, name, settings):
    with tenant_session(tenant, actor="test:1") as session:
        return instances.add_instance(session, "alert-channel", plugin, InstanceIn(name, settings), source="cli").id


def states(tenant):
    """The states of the deliveries to each channel, the first one first."""
    by_channel = {}
    with tenant_session(tenant, actor="test:1") as session:
        for row in session.exec(select(AlertDelivery).order_by(AlertDelivery.id)).all():
            by_channel.setdefault(row.channel_id, []).append(row.state)
    return by_channel


def failures(tenant, instance_id):
    with tenant_session(tenant, actor="test:1") as session:
        return instances.get_instance(session, instance_id).consecutive_failures


def test_a_bad_plugin_is_counted_and_delays_no_other_channel_and_no_other_tenant(bad, tenants, monkeypatch):
    monkeypatch.setattr(hosts, "CALL_SECONDS", 0.5)
    monkeypatch.setattr(hosts, "START_SECONDS", 1.5)
    first, second = tenants
    permissions.allow("bad_channel", [first], actor="test:1")
    with PagerDuty() as vendor:
        ids = [add(first, "bad", act, {"act": act}) for act in ACTS]
        healthy = add(first, "pagerduty", "On call", vendor.settings)
        other = add(second, "pagerduty", "On call", vendor.settings)
        for tenant in tenants:
            awake(tenant)
            with tenant_session(tenant, actor="test:1") as session:
                publish(session, "models.drift", {"subject": "additive-3", "value": 1, "ended": False})
        with working(4, grace_seconds=0.1):
            wait_until(lambda: states(first)[healthy][0] == states(second)[other][0] == "sent")
            wait_until(lambda: all(failures(first, each) for each in ids))
        assert set(vendor.triggers.values()) == {1}
    assert all("sent" not in states(first)[each] for each in ids)
    with tenant_session(first, actor="test:1") as session:
        rows = {row.name: row for row in instances.list_instances(session)}
    assert [rows[act].last_failure_reason for act in ACTS] == ["plugin_failed"] * 3
    assert rows["On call"].last_failure_reason is None
