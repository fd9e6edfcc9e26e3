"""The stream of live alerts says nothing of another tenant's alerts, nor of a facility out of reach."""

import re
from uuid import UUID, uuid4

import pytest

from core.database import platform_session, tenant_session
from core.identity.people import members, sessions
from tenants.alerts import acts
from tenants.alerts.rules import get_rule
from tenants.alerts.signals import Signal, apply_signals
from tests.keyed import KeyedClient


@pytest.fixture(scope="module")
def stage(application, two):
    """The owner's two facilities and the stranger's, each with an alert: name -> (tenant, code, alert)."""
    staged = {}
    for name, partner in (("here", two[0]), ("elsewhere", two[0]), ("stranger", two[1])):
        code = f"V{uuid4().hex[:10]}"
        with KeyedClient(application, headers={"X-API-Key": partner.api_key}) as api:
            place = UUID(api.post("/v1/facilities", json={"datim_id": code, "name": name}).json()["id"])
        with tenant_session(partner.ref, actor="test:1") as session:
            (alert,) = apply_signals(
                session, get_rule(session, "no_data"), [Signal(facility=place, count=1)], whole=False
            )
            staged[name] = (partner.ref, code, alert.uuid)
    return staged


@pytest.fixture(scope="module")
def officer(application, stage):
    """A client of an officer who reaches the owner's first facility."""
    tenant, code, _ = stage["here"]
    grant = members.Grant(["tracking_officer"], [code])
    person = members.add_member(tenant, f"{uuid4().hex}@example.org", "Officer", grant, actor="test:1")
    with platform_session() as session:
        members.accept(session, person, tenant.id)
        begun = sessions.begin(session, person, tenant.id, signed_in_by="password")
    with KeyedClient(application) as client:
        client.cookies.set("iit_session", begun.secret)
        yield client


@pytest.mark.parametrize(("name", "expected"), [("here", True), ("elsewhere", False), ("stranger", False)])
def test_a_change_reaches_the_stream_of_who_may_see_it(stage, officer, name, expected):
    seen = re.search(r'data-seen="([^"]+)"', officer.get("/alerts").text)[1]
    tenant, _, alert = stage[name]
    with tenant_session(tenant, actor="test:1") as session:
        acts.snooze(session, alert, 30, source="api")
    answer = officer.get("/alerts/stream", params={"seen": seen})
    assert answer.status_code == 200
    assert ("alerts.changed" in answer.text) is expected
