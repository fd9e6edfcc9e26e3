"""A write with a key has one effect, and its repetition the first answer."""

from uuid import uuid4

from fastapi.testclient import TestClient

KEY = "Idempotency-Key"
REPLAYED = "idempotency-replayed"


def facility(name="Clinic"):
    return {"datim_id": f"Fac{uuid4().hex[:8]}", "name": name}


def test_a_repeated_write_gets_the_first_answer(api):
    body, key = facility(), {KEY: str(uuid4())}
    first = api.post("/v1/facilities", json=body, headers=key)
    again = api.post("/v1/facilities", json=body, headers=key)
    assert (first.status_code, REPLAYED in first.headers) == (201, False), first.text
    assert (again.status_code, again.json(), again.headers[REPLAYED]) == (201, first.json(), "true")
    assert again.headers["location"] == first.headers["location"]
    assert again.headers.get("etag") == first.headers.get("etag")
    assert api.get("/v1/facilities").json()["total"] == 1


def test_one_key_serves_one_request(api):
    key = {KEY: '"one"'}
    assert api.post("/v1/facilities", json=facility("A"), headers=key).status_code == 201
    assert api.post("/v1/facilities", json=facility("B"), headers=key).status_code == 422
    assert api.post("/v1/facilities", json=facility("B"), headers={KEY: "one"}).status_code == 422


def test_a_rejected_write_leaves_its_key_free(api):
    key = {KEY: str(uuid4())}
    assert api.post("/v1/facilities", json={"name": "A"}, headers=key).status_code == 422
    body = facility()
    assert api.post("/v1/facilities", json=body).status_code == 201
    assert api.post("/v1/facilities", json=body, headers=key).status_code == 409
    assert api.post("/v1/facilities", json=facility(), headers=key).status_code == 201


def test_a_write_that_creates_needs_a_key(api):
    bare = TestClient(api.app, headers=api.headers)
    answer = bare.post("/v1/facilities", json=facility())
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "header.idempotency-key")
    assert api.get("/v1/facilities").json()["total"] == 0
    assert bare.put("/v1/origins", json={"origins": []}).status_code == 200, "not needed where nothing is created"


def test_keys_are_created_once(api):
    body, key = {"name": "export", "permissions": ["facilities.read"]}, {KEY: str(uuid4())}
    first = api.post("/v1/keys", json=body, headers=key)
    again = api.post("/v1/keys", json=body, headers=key)
    assert first.status_code == 201, first.text
    assert (again.status_code, again.json(), again.headers[REPLAYED]) == (201, first.json(), "true")


def test_roles_are_created_once(api):
    body, key = {"name": "counter", "meaning": "Counts.", "permissions": ["facilities.read"]}, {KEY: str(uuid4())}
    first = api.post("/v1/roles", json=body, headers=key)
    again = api.post("/v1/roles", json=body, headers=key)
    assert first.status_code == 201, first.text
    assert (again.status_code, again.json(), again.headers[REPLAYED]) == (201, first.json(), "true")


def test_uploads_are_imported_once(api):
    files, key = {"files": ("a.csv", b"x,y\n1,2\n")}, {KEY: str(uuid4())}
    first = api.post("/v1/imports", files=files, headers=key)
    again = api.post("/v1/imports", files=files, headers=key)
    assert first.status_code == 202, first.text
    assert (again.status_code, again.json(), again.headers[REPLAYED]) == (202, first.json(), "true")
    assert api.get("/v1/imports").json()["total"] == 1
