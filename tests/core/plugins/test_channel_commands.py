from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from core.database import tenant_session
from core.plugins import instances
from core.plugins.channel_commands import channel
from core.plugins.instances import InstanceIn
from tests.vendors.pagerduty import PagerDuty


def run(*arguments, code=0):
    result = CliRunner().invoke(channel, arguments, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def vendor(module_tenant):
    with PagerDuty() as vendor:
        with tenant_session(module_tenant, actor="test:1") as session:
            for row in instances.list_instances(session):
                session.delete(row)
            session.flush()
            wanted = InstanceIn("On call", vendor.settings)
            instances.add_instance(session, "alert-channel", "pagerduty", wanted, source="cli")
        yield vendor


def test_a_channel_is_tested_by_its_name(module_tenant, vendor):
    assert run("test", module_tenant.slug, "On call").strip() == "sent"
    assert list(vendor.incidents.values()) == ["resolved"]
    vendor.fail(400)
    answer = json.loads(run("test", module_tenant.slug, "On call", "--json", code=1))
    assert answer == {"state": "failed", "reason": "invalid_event"}
    assert "On call" in run("test", module_tenant.slug, "Off call", code=1)


def test_the_channels_of_a_tenant_are_listed_without_secrets(module_tenant, vendor):
    output = run("list", module_tenant.slug, "--json")

    (row,) = json.loads(output)["channels"]
    assert (row["name"], row["plugin"], row["state"]) == ("On call", "pagerduty", "ready")
    assert vendor.routing_key not in output


def test_the_address_for_a_vendor_is_the_instance_s_own(module_tenant, vendor):
    with tenant_session(module_tenant, actor="test:1") as session:
        (row,) = instances.list_instances(session)
        path = instances.incoming_path(session, row)

    assert run("address", module_tenant.slug, "On call").strip().endswith(path)
