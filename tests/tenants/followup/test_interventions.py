"""Interventions: planned once, done or ended once, for the list and the prediction of the patient."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from core.clock import today
from core.database import tenant_session
from tenants.followup.models import Intervention
from tenants.risk.models import Prediction, WorklistEntry
from tests.keyed import KeyedClient
from tests.tenants.followup.scored import ZONE, scored


@pytest.fixture(scope="module")
def world(application, make_tenant):
    """A tenant with issued lists of six people at risk and two to trace."""
    owner = make_tenant()
    client = KeyedClient(application, headers={"Authorization": f"Bearer {owner.api_key}"})
    people = scored(owner.ref, client, at_risk=6)
    for kind in people:
        client.post("/v1/worklists", json={"kind": kind, "as_of": str(today(ZONE))})
    return owner.ref, client, people


def plan(client, patient, **facts):
    body = {"id": str(uuid4()), "patient_id": patient, "kind": "home_visit", **facts}
    return client.post("/v1/interventions", json=body)


def test_a_plan_sent_twice_is_one_intervention_and_another_content_is_a_conflict(world):
    _, client, people = world
    body = {"id": str(uuid4()), "patient_id": people["at_risk"][0], "kind": "peer_support", "note": "with Amina"}
    first, second = (client.post("/v1/interventions", json=body) for _ in range(2))
    assert (first.status_code, first.json()) == (201, second.json())
    shown = first.json()
    assert (shown["state"], shown["due"], shown["note"]) == ("planned", str(today(ZONE)), "with Amina")
    assert client.post("/v1/interventions", json=body | {"kind": "sms"}).status_code == 409
    assert (
        client.post(
            "/v1/attempts", json={"id": body["id"], "patient_id": body["patient_id"], "outcome": "died"}
        ).status_code
        == 409
    )
    listed = client.get("/v1/interventions", params={"patient_id": body["patient_id"], "state": "planned"}).json()
    assert [item["id"] for item in listed["items"]] == [body["id"]]


def test_a_plan_knows_its_list_prediction_and_expected_contact(world):
    tenant, client, people = world
    patient = people["to_trace"][0]
    shown = plan(client, patient).json()
    with tenant_session(tenant, actor="test:1") as session:
        row = session.get(Intervention, UUID(shown["id"]))
        entry = session.get(WorklistEntry, UUID(shown["worklist_entry_id"]))
        prediction = session.get(Prediction, UUID(shown["prediction_id"]))
        assert {entry.patient_uuid, prediction.patient_uuid} == {UUID(patient)}
        assert row.expected_date == entry.expected_date == prediction.expected_date


def test_a_done_plan_is_an_attempt_and_its_undo_makes_it_a_plan_again(world):
    _, client, people = world
    patient = people["at_risk"][1]
    uuid = plan(client, patient, note="after work").json()["id"]
    body = {"outcome": "promised", "note": "spoke with her"}
    done, again = (client.post(f"/v1/interventions/{uuid}/complete", json=body) for _ in range(2))
    assert done.json() == again.json()
    assert (done.json()["state"], done.json()["note"]) == ("done", "after work\nspoke with her")
    attempt = client.get(f"/v1/attempts/{uuid}").json()
    assert (attempt["outcome"], attempt["medium"]) == ("promised", "home_visit")
    assert client.post(f"/v1/interventions/{uuid}/complete", json={"outcome": "died"}).status_code == 409
    assert client.post(f"/v1/interventions/{uuid}/end", json={"state": "failed"}).status_code == 409
    assert client.delete(f"/v1/attempts/{uuid}").status_code == 204
    assert client.get(f"/v1/attempts/{uuid}").status_code == 404
    shown = client.get(f"/v1/interventions/{uuid}").json()
    assert (shown["state"], shown["outcome"], shown["ended_by"]) == ("planned", None, None)


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_plan_that_nobody_does_ends_with_a_note_and_is_no_attempt(world, state):
    _, client, people = world
    uuid = plan(client, people["at_risk"][2], kind="transport_support").json()["id"]
    body = {"state": state, "note": "no vehicle"}
    ended, again = (client.post(f"/v1/interventions/{uuid}/end", json=body) for _ in range(2))
    assert ended.json() == again.json()
    assert (ended.json()["state"], ended.json()["note"], ended.json()["outcome"]) == (state, "no vehicle", None)
    assert client.get(f"/v1/attempts/{uuid}").status_code == 404
    assert client.post(f"/v1/interventions/{uuid}/complete", json={"outcome": "reached"}).status_code == 409


@pytest.mark.parametrize(
    "wrong", [{"due": str(today(ZONE) - timedelta(days=1))}, {"person_id": str(uuid4())}, {"patient_id": str(uuid4())}]
)
def test_an_impossible_plan_is_rejected(world, wrong):
    _, client, people = world
    assert plan(client, people["at_risk"][3], **wrong).status_code == 422


def test_what_was_done_and_ended_is_in_the_audit(world, open_session):
    tenant, client, people = world
    uuid = plan(client, people["at_risk"][4]).json()["id"]
    client.post(f"/v1/interventions/{uuid}/end", json={"state": "cancelled"})
    with open_session(tenant) as session, session.cursor() as cursor:
        rows = cursor.execute("SELECT action FROM audit_events WHERE subject_uuid = %s", (uuid,)).fetchall()
    assert {row[0] for row in rows} == {"followup:intervention:plan", "followup:intervention:end"}
