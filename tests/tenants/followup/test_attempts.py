"""Attempts to reach patients: recorded one time, undone by who recorded them, written to the lists."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from core.clock import now, today
from tenants.followup.outcomes import OUTCOMES
from tenants.followup.service import RECORDED
from tenants.records.ids import new_uuid
from tenants.risk.models import Worklist, WorklistEntry

ZONE = "Africa/Lagos"


@pytest.fixture
def patient(api):
    datim_id = f"F{uuid4().hex[:10]}"
    api.post("/v1/facilities", json={"datim_id": datim_id, "name": "Clinic"})
    answer = api.post("/v1/patients", json={"facility": datim_id, "hospital_number": uuid4().hex[:10]})
    return answer.headers["location"].rsplit("/", 1)[1]


def attempt(patient, **facts):
    return {"id": str(uuid4()), "patient_id": patient, "outcome": "reached", **facts}


def test_an_attempt_sent_twice_is_recorded_one_time(api, patient):
    body = attempt(patient, outcome="promised", promised_for=str(today(ZONE) + timedelta(days=2)), note="by bus")
    before = RECORDED.value("promised")
    first, second = api.post("/v1/attempts", json=body), api.post("/v1/attempts", json=body)
    assert RECORDED.value("promised") == before + 1
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert first.json()["note"] == "by bus"
    listed = api.get("/v1/attempts", params={"patient_id": patient}).json()
    assert [item["id"] for item in listed["items"]] == [body["id"]]


@pytest.mark.parametrize(
    "other", [{"outcome": "died"}, {"note": "other"}, {"medium": "home_visit"}], ids=["outcome", "note", "medium"]
)
def test_another_attempt_with_the_same_id_is_a_conflict(api, patient, other):
    body = attempt(patient)
    api.post("/v1/attempts", json=body)
    assert api.post("/v1/attempts", json=body | other).status_code == 409


def test_who_recorded_an_attempt_undoes_it_and_its_id_is_spent(api, patient):
    body = attempt(patient)
    api.post("/v1/attempts", json=body)
    assert [api.delete(f"/v1/attempts/{body['id']}").status_code for _ in range(2)] == [204, 204]
    assert api.get(f"/v1/attempts/{body['id']}").status_code == 404
    assert api.get("/v1/attempts", params={"patient_id": patient}).json()["total"] == 0
    assert api.post("/v1/attempts", json=body).status_code == 409


def test_nobody_undoes_the_attempt_of_somebody_else(api, application, client_for, owner, patient):
    from core.identity.keys import create_key

    body = attempt(patient)
    api.post("/v1/attempts", json=body)
    other = client_for(application, create_key(owner.ref, name="other").plaintext)
    assert other.delete(f"/v1/attempts/{body['id']}").status_code == 403
    assert api.get(f"/v1/attempts/{body['id']}").status_code == 200


def test_an_attempt_of_yesterday_is_not_undone(api, owner, open_session, patient):
    body = attempt(patient)
    api.post("/v1/attempts", json=body)
    with open_session(owner.ref) as session, session.cursor() as cursor:
        cursor.execute(
            "UPDATE interventions SET created_at = created_at - interval '25 hours' WHERE uuid = %s", (body["id"],)
        )
    assert api.delete(f"/v1/attempts/{body['id']}").status_code == 403


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"day": "2999-01-01"}, "body.day"),
        ({"outcome": "reached", "promised_for": "2999-01-01"}, "body.promised_for"),
        ({"outcome": "promised", "promised_for": "2020-01-01"}, "body.promised_for"),
        ({"outcome": "reached", "returned_on": "2020-01-01"}, "body.returned_on"),
        ({"outcome": "returned", "returned_on": "2999-01-01"}, "body.returned_on"),
        ({"outcome": "lost"}, "body.outcome"),
    ],
)
def test_days_and_outcomes_that_do_not_fit_are_rejected_by_field(api, patient, facts, field):
    answer = api.post("/v1/attempts", json=attempt(patient, **facts))
    assert answer.status_code == 422
    assert field in [error["field"] for error in answer.json()["errors"]]


def test_every_outcome_of_the_vocabulary_is_recorded(api, patient):
    names = [outcome["name"] for outcome in api.get("/v1/attempts/outcomes").json()]
    assert names == list(OUTCOMES)
    assert [api.post("/v1/attempts", json=attempt(patient, outcome=name)).status_code for name in names] == [201] * 9


def test_the_newest_list_shows_the_latest_attempt_until_it_is_undone(api, owner, open_session, patient):
    day = today(ZONE)
    with open_session(owner.ref) as session, session.cursor() as cursor:
        facility = cursor.execute(
            "SELECT facility_uuid FROM patients WHERE uuid = %s AND known_to IS NULL", (patient,)
        ).fetchone()[0]
    entries = {}
    for as_of in (day - timedelta(days=7), day):
        listed = Worklist(
            uuid=new_uuid(), kind="at_risk", as_of=as_of, capacity=5, candidates=1, entries=1, model_version="m",
            scored_at=now(), facilities=[], issued_by="test:1", issued_at=now(),
        )  # fmt: skip
        entry = WorklistEntry(
            uuid=new_uuid(), worklist_uuid=listed.uuid, patient_uuid=UUID(patient), facility_uuid=facility, rank=1,
            score=0.5, risk_level="high",
        )  # fmt: skip
        with open_session(owner.ref) as session:
            session.add(listed)
            session.flush()
            session.add(entry)
            entries[as_of] = entry.uuid

    def outcomes():
        with open_session(owner.ref) as session:
            return {as_of: session.get(WorklistEntry, uuid).outcome for as_of, uuid in entries.items()}

    first, second = attempt(patient, outcome="not_reached"), attempt(patient, outcome="promised")
    api.post("/v1/attempts", json=first)
    api.post("/v1/attempts", json=second)
    assert outcomes() == {day - timedelta(days=7): None, day: "promised"}
    api.delete(f"/v1/attempts/{second['id']}")
    assert outcomes()[day] == "not_reached"
    api.delete(f"/v1/attempts/{first['id']}")
    assert outcomes()[day] is None
