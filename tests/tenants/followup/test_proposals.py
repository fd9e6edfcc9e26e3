"""Deaths and transfers: heard of by one person, verified by another, and then in the records and the status."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from core.clock import today
from core.database import tenant_session
from core.identity.keys import create_key
from tests.keyed import KeyedClient

ZONE = "Africa/Lagos"


@pytest.fixture(scope="module")
def partner(application, make_tenant):
    """A tenant, a client of a tracker and one of a clinician, and a maker of patients."""
    owner = make_tenant()

    def client_of(key):
        return KeyedClient(application, headers={"Authorization": f"Bearer {key}"})

    tracker, second = client_of(owner.api_key), client_of(create_key(owner.ref, name="second").plaintext)
    datim_id = f"V{uuid4().hex[:10]}"
    tracker.post("/v1/facilities", json={"datim_id": datim_id, "name": "Clinic"})

    def patient():
        body = {"facility": datim_id, "hospital_number": uuid4().hex[:10], "art_start_date": "2026-01-10"}
        return tracker.post("/v1/patients", json=body).headers["location"].rsplit("/", 1)[1]

    return owner.ref, tracker, second, patient


def attempt(client, patient, outcome):
    body = {"id": str(uuid4()), "patient_id": patient, "outcome": outcome}
    assert client.post("/v1/attempts", json=body).status_code == 201
    return body["id"]


def proposals_of(client, patient):
    listed = client.get("/v1/status-proposals", params={"page_size": 500}).json()["items"]
    return [item for item in listed if item["patient_id"] == patient]


def transitions(tenant, patient):
    with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
        return cursor.execute(
            "SELECT to_status, date FROM status_transitions WHERE patient_uuid = %s ORDER BY seq", (UUID(patient),)
        ).fetchall()


@pytest.mark.parametrize("state", ["died", "transferred_out"])
def test_what_a_second_person_verifies_changes_the_status(partner, state):
    tenant, tracker, second, patient_of = partner
    patient = patient_of()
    attempt(tracker, patient, state)
    [proposal] = proposals_of(tracker, patient)
    assert (proposal["state"], proposal["decision"]) == (state, "proposed")
    before = transitions(tenant, patient)
    assert state not in dict(before)
    day = today(ZONE) - timedelta(days=3)
    path = f"/v1/status-proposals/{proposal['id']}/verify"
    assert tracker.post(path, json={}).status_code == 403
    assert transitions(tenant, patient) == before
    first, again = (second.post(path, json={"happened_on": str(day)}) for _ in range(2))
    assert (first.status_code, first.json()) == (200, again.json())
    assert transitions(tenant, patient)[-1] == (state, day)
    assert second.post(path.replace("verify", "reject")).status_code == 409


def test_what_is_rejected_changes_no_status(partner):
    tenant, tracker, second, patient_of = partner
    patient = patient_of()
    body = {"patient_id": patient, "state": "died", "happened_on": str(today(ZONE))}
    first, again = (tracker.post("/v1/status-proposals", json=body).json() for _ in range(2))
    assert first == again
    before = transitions(tenant, patient)
    assert second.post(f"/v1/status-proposals/{first['id']}/reject").json()["decision"] == "rejected"
    assert transitions(tenant, patient) == before


def test_an_undone_attempt_takes_its_proposal_with_it(partner):
    _, tracker, _, patient_of = partner
    patient = patient_of()
    uuid = attempt(tracker, patient, "died")
    assert len(proposals_of(tracker, patient)) == 1
    tracker.delete(f"/v1/attempts/{uuid}")
    assert proposals_of(tracker, patient) == []


def test_a_death_that_was_decided_and_undone_can_be_recorded_again(partner):
    _, tracker, second, patient_of = partner
    patient, plan = patient_of(), str(uuid4())
    body = {"id": plan, "patient_id": patient, "kind": "phone_call"}
    assert tracker.post("/v1/interventions", json=body).status_code == 201
    path = f"/v1/interventions/{plan}/complete"
    assert tracker.post(path, json={"outcome": "died"}).status_code == 200
    first = proposals_of(tracker, patient)[0]["id"]
    assert second.post(f"/v1/status-proposals/{first}/reject").status_code == 200
    assert tracker.delete(f"/v1/attempts/{plan}").status_code == 204
    assert tracker.post(path, json={"outcome": "died"}).status_code == 200
    assert sorted(item["decision"] for item in proposals_of(tracker, patient)) == ["proposed", "rejected"]


def test_the_audit_keeps_the_proposed_day_beside_the_verified_one(partner):
    tenant, tracker, second, patient_of = partner
    patient, day = patient_of(), today(ZONE)
    body = {"patient_id": patient, "state": "died", "happened_on": str(day)}
    proposal = tracker.post("/v1/status-proposals", json=body).json()["id"]
    path = f"/v1/status-proposals/{proposal}/verify"
    before = {"happened_on": "2026-01-09"}  # the patient's start of ART is a day later
    assert tracker.post("/v1/status-proposals", json={**body, **before}).status_code == 422
    assert second.post(path, json=before).status_code == 422
    other = str(day - timedelta(days=4))
    assert second.post(path, json={"happened_on": other}).status_code == 200
    with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
        query = "SELECT detail FROM audit_events WHERE subject_uuid = %s ORDER BY event_id"
        proposed, decided = (row[0] for row in cursor.execute(query, (proposal,)).fetchall())
    assert proposed["happened_on"] == decided["proposed_day"] == str(day)
    assert decided["happened_on"] == other


def test_a_day_in_the_future_is_rejected(partner):
    _, tracker, second, patient_of = partner
    patient, ahead = patient_of(), str(today(ZONE) + timedelta(days=1))
    body = {"patient_id": patient, "state": "died", "happened_on": ahead}
    assert tracker.post("/v1/status-proposals", json=body).status_code == 422
    attempt(tracker, patient, "died")
    path = f"/v1/status-proposals/{proposals_of(tracker, patient)[0]['id']}/verify"
    assert second.post(path, json={"happened_on": ahead}).status_code == 422
