"""An instance of a plugin that keeps failing raises an alert, which ends when the instance works or is not used."""

from __future__ import annotations

import json

import pytest
from sqlmodel import select

from core.clock import now
from core.database import tenant_session
from core.plugins import instances, sending
from core.plugins.instances import InstanceIn
from core.plugins.testing_instances import send_test
from core.web.etag import ANY_VERSION
from plugins.sdk import Alert as Message
from tenants.alerts.models import Alert
from tests.vendors.pagerduty import PagerDuty

SUBJECT = "On call (pagerduty, alert-channel)"


@pytest.fixture
def vendor():
    with PagerDuty() as vendor:
        yield vendor


@pytest.fixture
def channel(module_tenant, vendor):
    with tenant_session(module_tenant, actor="test:1") as session:
        for row in instances.list_instances(session):
            instances.remove_instance(session, row.id, ANY_VERSION, source="cli")
        for alert in session.exec(select(Alert)).all():
            session.delete(alert)
        draft = InstanceIn("On call", vendor.settings)
        return instances.add_instance(session, "alert-channel", "pagerduty", draft, source="cli").id


def send(tenant, channel, times=1):
    facts = {
        "severity": "high",
        "title": "Viral load",
        "text": "",
        "url": "https://iit.example/a1",
        "stream": "clinical",
    }
    message = Message(id="a1", act="trigger", key="k1", facility="", count=1, occurred_at=now(), facts={}, **facts)
    return [sending.send_alert(tenant, channel, message).state for _ in range(times)]


def alerts(tenant):
    with tenant_session(tenant, actor="test:1") as session:
        rows = session.exec(select(Alert).where(Alert.alert_type == "plugin_failing").order_by(Alert.created_at)).all()
        return [(row.subject, row.status, row.count) for row in rows]


def state(tenant, channel):
    with tenant_session(tenant, actor="test:1") as session:
        return instances.state_of(instances.get_instance(session, channel), tenant)


def test_three_failures_in_a_row_raise_an_alert_that_ends_with_the_first_success(module_tenant, vendor, channel):
    vendor.fail(400, times=2)
    assert send(module_tenant, channel, 3) == ["failed", "failed", "sent"]
    vendor.fail(400, times=3)
    send(module_tenant, channel, 2)
    assert alerts(module_tenant) == []
    assert state(module_tenant, channel) == "ready"
    send(module_tenant, channel)
    assert alerts(module_tenant) == [(SUBJECT, "open", 3)]
    assert state(module_tenant, channel) == "failing"
    assert send(module_tenant, channel) == ["sent"]
    assert alerts(module_tenant) == [(SUBJECT, "resolved", 3)]
    assert state(module_tenant, channel) == "ready"


def test_the_row_says_when_the_instance_last_worked_and_why_it_last_failed(module_tenant, vendor, channel):
    began = now()
    send(module_tenant, channel)
    vendor.fail(400)
    send(module_tenant, channel)
    with tenant_session(module_tenant, actor="test:1") as session:
        row = instances.get_instance(session, channel)
        assert began <= row.last_success_at <= row.last_failure_at <= now()
        assert row.last_failure_reason == "invalid_event"


def test_an_alert_follows_a_new_name_and_outlives_new_settings(module_tenant, vendor, channel):
    vendor.fail(400, times=3)
    send(module_tenant, channel, 3)
    with tenant_session(module_tenant, actor="test:1") as session:
        draft = InstanceIn("Nights", vendor.settings)
        instances.change_instance(session, channel, draft, ANY_VERSION, source="cli")
    renamed = SUBJECT.replace("On call", "Nights")
    assert alerts(module_tenant) == [(SUBJECT, "resolved", 3), (renamed, "open", 3)]
    assert send_test(module_tenant, channel, "alert-channel").state == "sent"
    assert [status for _, status, _ in alerts(module_tenant)] == ["resolved", "resolved"]


@pytest.mark.parametrize("end", ["disable", "change", "remove"])
def test_an_instance_that_is_not_used_fails_no_longer(module_tenant, vendor, channel, end):
    vendor.fail(400, times=3)
    send(module_tenant, channel, 3)
    with tenant_session(module_tenant, actor="test:1") as session:
        if end == "disable":
            instances.set_enabled(session, channel, enabled=False, source="cli")
        elif end == "change":
            draft = InstanceIn("On call", vendor.settings, enabled=False)
            instances.change_instance(session, channel, draft, ANY_VERSION, source="cli")
        else:
            instances.remove_instance(session, channel, ANY_VERSION, source="cli")
    assert alerts(module_tenant) == [(SUBJECT, "resolved", 3)]


def test_what_the_platform_did_not_try_counts_for_nothing(module_tenant, vendor, channel, monkeypatch):
    monkeypatch.setattr(sending, "send_ready", lambda *_: sending.retry("rate_limited_here"))
    assert send(module_tenant, channel, 4) == ["retry"] * 4
    assert (alerts(module_tenant), state(module_tenant, channel)) == ([], "ready")


@pytest.mark.parametrize("reason", ["disabled", "invalid_number"])
def test_what_a_vendor_says_hides_no_failure_of_a_channel(module_tenant, vendor, channel, monkeypatch, reason):
    monkeypatch.setattr(sending, "send_ready", lambda *_: sending.failed(reason))
    send(module_tenant, channel, 3)
    assert (alerts(module_tenant), state(module_tenant, channel)) == ([(SUBJECT, "open", 3)], "failing")


def test_an_open_breaker_raises_the_alert_at_once(module_tenant, vendor, channel):
    for status in (503, 202, 503, 202, 503):  # it opens though no three failures follow one another
        if status == 503:
            vendor.fail(status)
        send(module_tenant, channel)
    assert alerts(module_tenant) == []
    arrived = len(vendor.calls)
    assert send(module_tenant, channel) == ["retry"]
    assert len(vendor.calls) == arrived, "nothing leaves while the breaker is open"
    with tenant_session(module_tenant, actor="test:1") as session:
        assert instances.get_instance(session, channel).last_failure_reason == "BreakerOpen"
    assert alerts(module_tenant) == [(SUBJECT, "open", 2)]


def test_the_api_shows_what_fails(module_tenant, vendor, channel, application, client_for):
    from core.identity.keys import create_key

    vendor.fail(400, times=3)
    send(module_tenant, channel, 3)
    api = client_for(application, create_key(module_tenant, name="x", permissions=["plugins.read"]).plaintext)
    answer = api.get(f"/v1/plugin-instances/{channel}").json()
    assert (answer["state"], answer["last_failure_reason"], answer["last_success_at"]) == (
        "failing",
        "invalid_event",
        None,
    )
    assert answer["failing_since"] == answer["last_failure_at"]
    assert vendor.routing_key not in json.dumps(answer)
