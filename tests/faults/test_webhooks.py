"""Each event reaches its receiver, with one id, whoever is killed between the relay and the record of the answer."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from sqlalchemy import text

from core.database import node_session, tenant_session
from core.events.catalogue import type_of
from core.events.outbox import publish_after_commit
from core.jobs.worker import drain
from core.tenancy import create_tenant
from core.webhooks import service
from tests import zygote
from tests.core.outgoing.receivers import Receiver
from tests.faults.webhook_sender import PLACES

SENDER = Path(__file__).parent / "webhook_sender.py"
TIME_PASSES = (
    "UPDATE node.jobs SET run_after = now(), lease_until = CASE WHEN state = 'running' THEN now() - interval '1 s' END"
    " WHERE state IN ('queued', 'sent', 'running')"
)


@pytest.fixture(scope="module")
def tenant(own_services):
    return create_tenant("webhook-faults", "Webhooks").ref


@pytest.fixture
def receiver():
    server = Receiver()
    yield server
    server.close()


@pytest.mark.parametrize("place", PLACES)
def test_a_kill_loses_no_event_and_changes_no_id(tenant, receiver, place):
    with tenant_session(tenant, actor="test:1") as session:
        service.add_endpoint(session, receiver.url, ["risk.scored"], source="cli")
        payload = type_of("risk.scored").example
        ids = {str(publish_after_commit(session, "risk.scored", subject="s", payload=payload)) for _ in range(3)}
    killed = zygote.start(SENDER, tenant.slug, place)
    killed.wait()
    assert killed.returncode == -signal.SIGKILL
    for _ in range(3):  # the job is found to be orphaned, runs, and leaves a successor
        with node_session() as session:
            session.execute(text(TIME_PASSES))
        drain(tenant)
    assert {headers["webhook-id"] for _, headers, _ in receiver.requests} == ids
    assert len(receiver.requests) <= len(ids) + 1, "only the request whose record was lost comes twice"
    with tenant_session(tenant, actor="test:1") as session:
        states = set(session.scalars(text("SELECT state FROM webhook_deliveries")))
        session.execute(text("DELETE FROM webhook_endpoints"))
    assert states == {"delivered"}
