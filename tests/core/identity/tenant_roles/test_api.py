"""Roles over the API."""

import pytest

from core.identity.keys import create_key

BODY = {"name": "case-lead", "meaning": "Leads the case managers", "includes": ["case_manager"]}


@pytest.fixture
def client_with(application, client_for, owner):
    """A client with a key of some permissions."""
    return lambda *names: client_for(application, create_key(owner.ref, name="office", permissions=names).plaintext)


def test_a_role_is_created_read_given_changed_and_deleted(api):
    created = api.post("/v1/roles", json=BODY | {"permissions": ["jobs.read"]})
    assert created.status_code == 201
    assert created.headers["location"] == "/v1/roles/case-lead"
    role = api.get("/v1/roles/case-lead")
    assert role.json() == created.json()
    assert (role.json()["built_in"], role.json()["permissions"]) == (False, ["jobs.read"])
    assert {"jobs.read", "patients.read"} <= set(role.json()["effective_permissions"])
    assert [each["name"] for each in api.get("/v1/roles").json()["items"] if not each["built_in"]] == ["case-lead"]
    person = {"email": "case-lead@example.org", "name": "Case lead", "roles": ["case-lead"]}
    person_id = api.post("/v1/people", json=person).json()["id"]
    any_version = {"If-Match": "*"}
    assert api.delete("/v1/roles/case-lead", headers=any_version).status_code == 409
    fields = {"meaning": "Reads jobs", "permissions": ["jobs.read"]}
    assert api.put("/v1/roles/case-lead", json=fields).status_code == 428
    changed = api.put("/v1/roles/case-lead", json=fields, headers={"If-Match": role.headers["etag"]})
    assert (changed.status_code, changed.json()["effective_permissions"]) == (200, ["jobs.read"])
    stale = api.put("/v1/roles/case-lead", json=fields, headers={"If-Match": role.headers["etag"]})
    assert stale.status_code == 412
    api.put(f"/v1/people/{person_id}", json={"roles": ["viewer"]}, headers=any_version)
    assert api.delete("/v1/roles/case-lead").status_code == 428
    assert api.delete("/v1/roles/case-lead", headers={"If-Match": role.headers["etag"]}).status_code == 412
    assert api.delete("/v1/roles/case-lead", headers={"If-Match": changed.headers["etag"]}).status_code == 204
    assert api.get("/v1/roles/case-lead").status_code == 404


def test_roles_are_listed_in_pages_the_built_in_ones_first(api):
    for name in ("zone-lead", "aide"):
        api.post("/v1/roles", json=BODY | {"name": name})
    page = api.get("/v1/roles", params={"page_size": 3}).json()
    roles = page["items"]
    while page["next"]:
        page = api.get(page["next"]).json()
        roles += page["items"]
    assert len(roles) == page["total"]
    assert [role["name"] for role in roles if not role["built_in"]] == ["aide", "zone-lead"]
    assert [role["built_in"] for role in roles] == sorted((role["built_in"] for role in roles), reverse=True)
    names = [role["name"] for role in api.get("/v1/roles", params={"sort": "-name"}).json()["items"]]
    assert names == sorted((role["name"] for role in roles), reverse=True)


def test_a_caller_creates_no_role_beyond_their_own_permissions(client_with):
    client = client_with("people.read", "roles.write", "jobs.read")
    assert client.post("/v1/roles", json=BODY).status_code == 403
    reads = {"name": "reader", "meaning": "Reads jobs", "permissions": ["jobs.read"]}
    assert client.post("/v1/roles", json=reads).status_code == 201
    more = {"meaning": "Reads keys", "permissions": ["keys.read"]}
    assert client.put("/v1/roles/reader", json=more, headers={"If-Match": "*"}).status_code == 403


def test_a_caller_gives_no_own_role_beyond_their_own_permissions(api, client_with):
    api.post("/v1/roles", json=BODY)
    person = {"email": "given@example.org", "name": "Person", "roles": ["case-lead"]}
    assert client_with("people.write").post("/v1/people", json=person).status_code == 403


def test_changing_roles_takes_its_permission(client_with):
    client = client_with("people.read", "people.write")
    assert client.get("/v1/roles").status_code == 200
    assert client.post("/v1/roles", json=BODY).status_code == 403
    assert client.delete("/v1/roles/case-lead").status_code == 403
