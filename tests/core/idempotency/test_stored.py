"""What is stored of an answer, for whom, and for how long."""

from threading import Event
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from core.database import tenant_session
from core.idempotency import clearing
from core.idempotency.answers import key_digest_of
from core.identity.keys import create_key

KEY, REPLAYED = "Idempotency-Key", "idempotency-replayed"


def facility(name="Clinic"):
    return {"datim_id": f"Fac{uuid4().hex[:8]}", "name": name}


@pytest.fixture
def stored(owner):
    """Reads or changes the tenant's stored answers: ``stored("SELECT ...")``."""

    def ask(query, **values):
        with tenant_session(owner.ref, actor="test:1") as session:
            answer = session.execute(text(query), values)
            return answer.mappings().all() if answer.returns_rows else []

    return ask


def test_neither_the_key_nor_the_answer_can_be_read_in_the_table(api, stored):
    key = str(uuid4())
    name = "A clinic by the river"
    assert api.post("/v1/facilities", json=facility(name), headers={KEY: key}).status_code == 201
    (row,) = stored("SELECT * FROM idempotency_answers")
    assert key not in str(row)
    assert name.encode() not in bytes(row["answer"])
    assert (row["operation"], row["status"]) == ("create_facility", 201)
    assert 47 < (row["expires_at"] - row["created_at"]).total_seconds() / 3600 < 49


def test_two_principals_with_one_key_never_meet(api, owner):
    other = create_key(owner.ref, name="other").plaintext
    body, key = facility(), {KEY: str(uuid4())}
    assert api.post("/v1/facilities", json=body, headers=key).status_code == 201
    second = api.post("/v1/facilities", json=body, headers={**key, "Authorization": f"Bearer {other}"})
    assert (second.status_code, REPLAYED in second.headers) == (409, False)


def test_a_lost_permission_rejects_the_repetition(api, owner):
    key = {KEY: str(uuid4())}
    body = facility()
    assert api.post("/v1/facilities", json=body, headers=key).status_code == 201
    bare = create_key(owner.ref, name="bare", permissions=()).plaintext
    assert api.post("/v1/facilities", json=body, headers={**key, "Authorization": f"Bearer {bare}"}).status_code == 403


def test_a_large_answer_is_read_at_its_address(api, owner, settings_of):
    settings_of(idempotency_answer_max_bytes=1024)
    long = {"name": "N" * 190, "state_province": "S" * 190, "county_district": "é" * 190}
    body, key = facility() | long, {KEY: str(uuid4())}
    first = api.post("/v1/facilities", json=body, headers=key)
    assert first.status_code == 201, first.text
    assert len(first.content) > 1024
    again = api.post("/v1/facilities", json=body, headers=key, follow_redirects=False)
    assert (again.status_code, again.headers["location"]) == (303, first.headers["location"])
    assert api.get(again.headers["location"]).json() == first.json()


def test_an_erasure_removes_the_bodies_and_no_effect_comes_twice(api, owner, stored):
    body, key = facility(), {KEY: str(uuid4())}
    first = api.post("/v1/facilities", json=body, headers=key)
    with tenant_session(owner.ref, actor="test:1") as session:
        clearing.forget_bodies(session, {})
    assert stored("SELECT count(*) AS bodies FROM idempotency_answers WHERE answer IS NOT NULL") == [{"bodies": 0}]
    again = api.post("/v1/facilities", json=body, headers=key, follow_redirects=False)
    assert (again.status_code, again.headers["location"]) == (303, first.headers["location"])


def test_expired_answers_are_ignored_and_removed_in_steps(api, stored, monkeypatch):
    keys = [str(uuid4()) for _ in range(5)]
    for key in keys:
        assert api.post("/v1/facilities", json=facility(), headers={KEY: key}).status_code == 201
    stored("UPDATE idempotency_answers SET expires_at = now() - interval '1 s'")
    assert api.post("/v1/facilities", json=facility(), headers={KEY: keys[0]}).status_code == 201
    monkeypatch.setattr(clearing, "STEP", 2)
    clearing.remove_expired(Event())
    assert stored("SELECT count(*) AS rows FROM idempotency_answers") == [{"rows": 1}]


def test_a_rolled_back_effect_leaves_no_answer(api, stored):
    body = facility()
    assert api.post("/v1/facilities", json=body).status_code == 201
    assert api.post("/v1/facilities", json=body, headers={KEY: "other"}).status_code == 409
    assert len(stored("SELECT 1 AS one FROM idempotency_answers")) == 1


def test_a_write_without_a_key_stores_nothing(api, stored):
    bare = TestClient(api.app, headers=api.headers)
    assert bare.put("/v1/origins", json={"origins": []}).status_code == 200
    assert stored("SELECT 1 FROM idempotency_answers") == []


def test_a_person_with_one_key_in_two_tenants_never_meets():
    digests = {key_digest_of(tenant, "person:1", "key") for tenant in (uuid4(), uuid4(), None)}
    assert len(digests) == 3


def test_an_answer_of_another_row_is_not_given(api, stored):
    first, second = {KEY: str(uuid4())}, {KEY: str(uuid4())}
    body = facility("First")
    address = api.post("/v1/facilities", json=body, headers=first).headers["location"]
    assert api.post("/v1/facilities", json=facility("Second"), headers=second).status_code == 201
    stored(
        "UPDATE idempotency_answers a SET answer = b.answer FROM idempotency_answers b WHERE a.location <> b.location"
    )
    again = api.post("/v1/facilities", json=body, headers=first, follow_redirects=False)
    assert (again.status_code, again.headers["location"]) == (303, address)
