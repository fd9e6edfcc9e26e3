"""A wrong number takes the right one, which stays when imports repeat the wrong one, and which an undo takes back."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from core.clock import today
from core.database import tenant_session
from core.privacy import vault
from tenants.followup import repository
from tenants.records import erasing, personal
from tenants.records.ids import entity_uuid, new_uuid
from tenants.records.models import Patient
from tenants.records.repository import find_facility
from tenants.records.upsert import staging, upsert

ZONE = "Africa/Lagos"
WRONG, RIGHT, OTHER = "0803 000 0001", "0803 000 0002", "0803 000 0003"


@pytest.fixture
def clinic(api):
    datim_id = f"F{uuid4().hex[:10]}"
    api.post("/v1/facilities", json={"datim_id": datim_id, "name": "Clinic"})
    return datim_id


@pytest.fixture
def bring(owner, clinic):
    """Imports a list that has the person with this phone: ``bring(phone, days)``, of so many days from today."""

    def imported(phone, days=0):
        with tenant_session(owner.ref, actor="test:1") as session:
            facility = find_facility(session, clinic)
            key = vault(session).blind_index("source:patients", f"{clinic} row 1")
            uuid = entity_uuid("patients", facility.uuid, "csv:a", key)
            vault(session).ensure_patient_keys([uuid])
            with staging(session, Patient, source="csv:a") as stage:
                sealed = personal.seal_patient(session, uuid, {"phone": phone, "given_name": "Amina"})
                stage.add(facility.uuid, key, {"datim_id": clinic} | sealed)
            upsert(session, stage, import_uuid=new_uuid(), data_date=today(ZONE) + timedelta(days=days))
        return str(uuid)

    return imported


def wrong_number(patient, **facts):
    return {"id": str(uuid4()), "patient_id": patient, "outcome": "wrong_number", "new_phone": RIGHT, **facts}


def phone_of(api, patient):
    return api.get(f"/v1/patients/{patient}").json()["phone"]


def test_the_new_number_is_the_patients_phone_and_finds_them(api, bring):
    patient = bring(WRONG)
    body = wrong_number(patient)
    first, second = api.post("/v1/attempts", json=body), api.post("/v1/attempts", json=body)
    assert (first.status_code, second.json()) == (201, first.json())
    assert first.json()["new_phone"] is True
    assert phone_of(api, patient) == RIGHT
    hits = api.post("/v1/patients/search", json={"phone": "+234 803 000 0002"}).json()["items"]
    assert [hit["id"] for hit in hits] == [patient]
    assert api.get(f"/v1/patients/{patient}").json()["changed_by"].startswith("api_key:")


@pytest.mark.parametrize(
    ("phone", "left"),
    [(WRONG, RIGHT), ("+234 803 000 0001", RIGHT), ("", RIGHT), (OTHER, OTHER)],
    ids=["the wrong one", "the wrong one, written otherwise", "none", "another"],
)
def test_a_later_import_changes_it_only_by_a_number_that_is_new(api, bring, phone, left):
    patient = bring(WRONG, -20)
    api.post("/v1/attempts", json=wrong_number(patient))
    bring(phone, 10)
    assert phone_of(api, patient) == left
    bring(WRONG, 20)
    assert phone_of(api, patient) == left


def test_a_list_of_before_that_comes_later_changes_nothing(api, bring):
    patient = bring(WRONG, -20)
    api.post("/v1/attempts", json=wrong_number(patient))
    bring(OTHER, -10)
    assert phone_of(api, patient) == RIGHT


def test_an_undo_brings_the_number_of_before_back_and_imports_count_again(api, bring):
    patient = bring(WRONG, -20)
    body = wrong_number(patient)
    api.post("/v1/attempts", json=body)
    assert [api.delete(f"/v1/attempts/{body['id']}").status_code for _ in range(2)] == [204, 204]
    assert phone_of(api, patient) == WRONG
    bring("", 10)
    assert phone_of(api, patient) is None


def test_an_undo_leaves_a_number_that_somebody_changed_since(api, bring):
    patient = bring(WRONG)
    body = wrong_number(patient)
    api.post("/v1/attempts", json=body)
    api.patch(f"/v1/patients/{patient}", json={"phone": OTHER}, headers={"If-Match": "*"})
    api.delete(f"/v1/attempts/{body['id']}")
    assert phone_of(api, patient) == OTHER


def test_who_had_no_number_keeps_the_one_that_was_learnt(api, bring):
    patient = bring("", -20)
    api.post("/v1/attempts", json=wrong_number(patient))
    bring("", 10)
    assert phone_of(api, patient) == RIGHT


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"outcome": "not_reached"}, "body.new_phone"),
        ({"new_phone": "12345"}, "body.new_phone"),
        ({"new_phone": "no number"}, "body.new_phone"),
        ({"new_phone": "+2348030000001"}, "body.new_phone"),
        ({"reason": "a reason of one's own"}, "body.reason"),
    ],
    ids=["another outcome", "too short", "no number", "the wrong one again", "no reason of the vocabulary"],
)
def test_what_does_not_fit_is_rejected_by_field_and_nothing_is_changed(api, bring, facts, field):
    patient = bring(WRONG)
    answer = api.post("/v1/attempts", json=wrong_number(patient, **facts))
    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (422, [field])
    assert phone_of(api, patient) == WRONG


def test_a_wrong_number_is_marked_until_another_one_comes(api, owner, bring):
    patient = UUID(bring(WRONG, -20))

    def marked():
        with tenant_session(owner.ref, actor="test:1") as session:
            return repository.wrong_phones(session, [patient])

    assert marked() == {}
    attempt = wrong_number(str(patient), new_phone=None)
    assert api.post("/v1/attempts", json=attempt).status_code == 201
    assert marked() == {patient: today(ZONE)}
    api.delete(f"/v1/attempts/{attempt['id']}")
    assert marked() == {}
    api.post("/v1/attempts", json=wrong_number(str(patient), new_phone=None))
    bring(WRONG, 10)
    assert marked() == {patient: today(ZONE)}
    api.post("/v1/attempts", json=wrong_number(str(patient)))
    assert (marked(), phone_of(api, str(patient))) == ({}, RIGHT)
    api.post("/v1/attempts", json=wrong_number(str(patient), new_phone=None))
    assert marked() == {patient: today(ZONE)}
    bring(OTHER, 20)
    assert (marked(), phone_of(api, str(patient))) == ({}, OTHER)


def test_erasing_leaves_neither_number(api, owner, bring):
    patient = bring(WRONG)
    api.post("/v1/attempts", json=wrong_number(patient))
    with tenant_session(owner.ref, actor="test:1") as session:
        erasing.erase_person(session, UUID(patient), reason="asked for")
        with session.cursor() as cursor:
            rows = cursor.execute(
                "SELECT i.new_phone_enc, i.wrong_phone_enc, s.wrong_phone_bidx, s.phone_bidx FROM interventions i"
                " JOIN patient_statements s USING (patient_uuid) WHERE i.patient_uuid = %s",
                (patient,),
            ).fetchall()
    assert set(rows) == {(None, None, None, None)}


def test_neither_number_is_in_the_audit(api, owner, bring):
    patient = bring(WRONG)
    api.post("/v1/attempts", json=wrong_number(patient))
    with tenant_session(owner.ref, actor="test:1") as session, session.cursor() as cursor:
        rows = cursor.execute("SELECT action, detail::text FROM audit_events").fetchall()
    assert "followup:phone:correct" in {action for action, _ in rows}
    assert "0803" not in "".join(detail or "" for _, detail in rows)
