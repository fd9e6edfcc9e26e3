"""A plugin's listener gets the public events that it wants, each until it is sent, and no other tenant's."""

from __future__ import annotations

import json

import pytest

from core.database import node_session, tenant_session
from core.events.catalogue import type_of
from core.events.outbox import publish_after_commit
from core.jobs.worker import drain
from core.plugins import instances
from plugins.sdk import HttpRequest
from tests.core.outgoing.receivers import Receiver
from tests.core.plugins.offers import Channel, offered


class Listener(Channel):
    """Forwards events of scoring."""

    name, events = "forwarder", ("risk.scored",)

    def requests(self, event, settings):
        body = {"id": event.id, "type": event.type, "sequence": event.sequence, "data": dict(event.data)}
        return [HttpRequest("POST", settings["url"], json=body)]


@pytest.fixture
def receiver():
    server = Receiver()
    yield server
    server.close()


def publish(tenant, event):
    with tenant_session(tenant, actor="test:1") as session:
        return str(publish_after_commit(session, event, subject="s", payload=type_of(event).example))


def test_a_listener_gets_its_events_until_they_are_sent(tenant, receiver):
    receiver.answers.append((503, {}, b""))
    with offered("event-listener", Listener()):
        with tenant_session(tenant, actor="test:1") as session:
            draft = instances.InstanceIn("Warehouse", {"url": receiver.url, "token": "t"})
            row = instances.add_instance(session, "event-listener", "forwarder", draft, source="cli")
        event_id = publish(tenant, "risk.scored")
        publish(tenant, "imports.completed")
        drain(tenant)
        with node_session(tenant.database) as session:
            again = "UPDATE node.jobs SET run_after = now() WHERE state = 'queued' AND tenant_role = %s"
            session.connection().exec_driver_sql(again, (tenant.role_name,))
        drain(tenant)
        assert [json.loads(body)["id"] for _, _, body in receiver.requests] == [event_id, event_id]
        first = json.loads(receiver.requests[0][2])
        assert (first["type"], first["sequence"] > 0) == ("risk.scored", True)
        with tenant_session(tenant, actor="test:1") as session:
            instances.set_enabled(session, row.id, enabled=False, source="cli")
        publish(tenant, "risk.scored")
        drain(tenant)
    assert len(receiver.requests) == 2
