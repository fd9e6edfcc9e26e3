"""A setting that a plugin calls a secret later is not shown; two at the same time do not pass the bound."""

from __future__ import annotations

from threading import Thread

import pytest
from sqlmodel import select

from core.audit.models import AuditEvent
from core.database import tenant_session
from core.errors import Conflict
from core.plugins import instances
from core.plugins.instances import InstanceIn
from core.plugins.schemas import PluginInstanceOut
from core.plugins.usable_instances import open_instance
from core.web.etag import ANY_VERSION
from plugins.sdk import secret
from tests.core.plugins.offers import Channel, offered

DRAFT = {"url": "https://example.org/", "token": "very-secret-token", "room": "behind the stairs"}


class Careful(Channel):
    """The same channel in its next version, for which the room is a secret."""

    def settings_schema(self):
        schema = super().settings_schema()
        schema["properties"]["room"] = {"type": "string", "writeOnly": True, "title": "Room"}
        return schema


@pytest.fixture
def instance_id(module_tenant):
    with tenant_session(module_tenant, actor="test:1") as session:
        for row in instances.list_instances(session):
            session.delete(row)
    with offered("alert-channel", Channel()), tenant_session(module_tenant, actor="test:1") as session:
        return instances.add_instance(session, "alert-channel", "sample", InstanceIn("Nights", DRAFT), source="cli").id


def test_a_setting_that_becomes_a_secret_is_neither_shown_nor_lost(module_tenant, instance_id, monkeypatch):
    with offered("alert-channel", Careful()):
        with tenant_session(module_tenant, actor="test:1") as session:
            shown = PluginInstanceOut.of(instances.get_instance(session, instance_id), module_tenant)
        assert (shown.settings, shown.secrets_set) == ({"url": DRAFT["url"]}, ["room", "token"])
        opened = open_instance(module_tenant, instance_id, "alert-channel")
        assert (opened.settings["room"], opened.secrets["room"]) == (secret("room"), DRAFT["room"])
        times, unseal = [], instances.unseal
        monkeypatch.setattr(instances, "unseal", lambda *values: times.append(values[1]) or unseal(*values))
        with tenant_session(module_tenant, actor="test:1") as session:
            draft = InstanceIn("Days", {"url": DRAFT["url"]})
            row = instances.change_instance(session, instance_id, draft, ANY_VERSION, source="cli")
            assert times == ["plugin-secrets"]
            assert (row.settings, row.secrets_set) == ({"url": DRAFT["url"]}, ["room", "token"])
            assert instances.secrets_of(session, row) == {name: DRAFT[name] for name in ("room", "token")}
    with tenant_session(module_tenant, actor="test:1") as session:
        change = AuditEvent.subject_uuid == instance_id, AuditEvent.action == "cli:plugin:change"
        event = session.exec(select(AuditEvent).where(*change)).one()
    assert event.detail == {"changed": ["name", "settings", "secrets"]}


def test_two_who_add_an_instance_at_the_same_time_do_not_pass_the_bound(module_tenant, instance_id, monkeypatch):
    monkeypatch.setattr(instances, "MOST_INSTANCES", 2)
    ends = []

    def add(name):
        try:
            with tenant_session(module_tenant, actor="test:1") as session:
                instances.add_instance(session, "alert-channel", "sample", InstanceIn(name, DRAFT), source="cli")
            ends.append("added")
        except Conflict:
            ends.append("full")

    with offered("alert-channel", Channel()):
        with tenant_session(module_tenant, actor="test:1") as session:
            instances.add_instance(session, "alert-channel", "sample", InstanceIn("second", DRAFT), source="cli")
            other = Thread(target=add, args=("third",))
            other.start()
            other.join(0.3)
        other.join()
    assert ends == ["full"]
