"""A receiver, and a tenant that sends to it."""

import pytest

from core.database import tenant_session
from core.events.catalogue import type_of
from core.events.outbox import publish_after_commit
from core.webhooks import service
from tests.core.outgoing.receivers import Receiver


@pytest.fixture(scope="module")
def server():
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def receiver(server):
    server.requests.clear()
    server.answers.clear()
    return server


@pytest.fixture
def tenant(module_tenant):
    """One tenant for a file: its endpoints are removed before each test."""
    with tenant_session(module_tenant, actor="test:1") as session:
        for row in service.list_endpoints(session):
            session.delete(row)
    return module_tenant


@pytest.fixture
def add(tenant):
    """``add(url, *events)`` adds an endpoint; gives its id and its secret."""

    def add_(url, *events):
        with tenant_session(tenant, actor="test:1") as session:
            created = service.add_endpoint(session, url, events, source="cli")
            return created.endpoint.id, created.secret

    return add_


@pytest.fixture
def publish(tenant):
    """``publish(event)`` publishes the event's example; gives its id."""

    def publish_(event="risk.scored"):
        with tenant_session(tenant, actor="test:1") as session:
            return publish_after_commit(session, event, subject="s", payload=type_of(event).example)

    return publish_


@pytest.fixture
def read(tenant):
    """``read(query, values)`` gives the rows of a query in the tenant's schema, as dictionaries."""

    def read_(query, values=()):
        with tenant_session(tenant, actor="test:1") as session:
            cursor = session.cursor().execute(query, values)
            names = [column.name for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    return read_


@pytest.fixture
def change(tenant):
    """``change(statement, values)`` changes rows, as time would."""

    def change_(statement, values=()):
        with tenant_session(tenant, actor="test:1") as session:
            session.cursor().execute(statement, values)

    return change_
