"""The caller by /v1/me, and API keys that are managed over the API."""

from datetime import UTC, datetime, timedelta

import pytest

from core.clock import now
from core.identity import all_permissions
from core.identity.keys import create_key

RIGHTS = frozenset({"keys.read", "keys.write", "audit.read"})


@pytest.fixture
def owned(toy_app, client_for, owner):
    """A client with a key of some permissions, which expires if ``expires_at`` says so."""

    def make(permissions=RIGHTS, expires_at=None):
        key = create_key(owner.ref, name="office", permissions=permissions, expires_at=expires_at)
        return client_for(toy_app, key.plaintext)

    return make


def test_me_is_the_key_its_tenant_and_what_it_may_do(owned, owner):
    expiry = datetime(2199, 1, 1, tzinfo=UTC)
    me = owned(expires_at=expiry).get("/v1/me").json()
    assert me["kind"] == "api_key"
    assert me["name"] == "office"
    assert me["tenant"] == {
        "id": str(owner.ref.id),
        "slug": owner.ref.slug,
        "name": owner.ref.name,
        "time_zone": owner.ref.time_zone,
    }
    assert me["permissions"] == sorted(RIGHTS)
    assert me["scope"] == {"facilities": None, "states": None, "assigned_only": False}
    assert datetime.fromisoformat(me["expires_at"]) == expiry


def test_me_needs_no_permission(owned):
    assert owned(permissions=()).get("/v1/me").json()["permissions"] == []


def test_a_new_key_is_shown_once_and_works(owned, toy_app, client_for):
    client = owned()
    answer = client.post("/v1/keys", json={"name": " server ", "permissions": ["audit.read"]})
    assert answer.status_code == 201
    created = answer.json()
    assert answer.headers["location"] == f"/v1/keys/{created['id']}"
    assert answer.headers["cache-control"] == "no-store"
    assert created["name"] == "server"
    assert client_for(toy_app, created["api_key"]).get("/v1/me").json()["permissions"] == ["audit.read"]
    shown = client.get(answer.headers["location"]).json()
    assert shown == {name: value for name, value in created.items() if name != "api_key"} | {
        "last_used_at": shown["last_used_at"]
    }
    assert created["api_key"] not in client.get("/v1/keys").text


def test_keys_are_listed_in_pages_newest_first(owned):
    client = owned()
    ids = [client.post("/v1/keys", json={"name": str(n)}).json()["id"] for n in range(3)]
    page = client.get("/v1/keys", params={"page_size": 2}).json()
    assert [key["id"] for key in page["items"]] == [ids[2], ids[1]]
    assert page["total"] >= 4
    named = client.get("/v1/keys", params={"sort": "-name"}).json()
    assert [key["name"] for key in named["items"]] == sorted((key["name"] for key in named["items"]), reverse=True)
    assert client.get("/v1/keys", params={"sort": "api_key"}).status_code == 422


def test_a_key_has_at_most_the_permissions_of_who_creates_it(owned):
    client = owned()
    assert set(client.post("/v1/keys", json={"name": "same"}).json()["permissions"]) == RIGHTS
    more = client.post("/v1/keys", json={"name": "more", "permissions": ["audit.read", "settings.write"]})
    assert more.status_code == 403
    assert "settings.write" in more.json()["detail"]
    assert "settings.write" in all_permissions()


def test_a_permission_that_does_not_exist_is_422_and_not_repeated(owned):
    answer = owned().post("/v1/keys", json={"name": "x", "permissions": ["audit.read", "Givenname"]})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "body.permissions.1"
    assert "Givenname" not in answer.text


def test_a_misspelt_permission_has_the_nearest_one_beside_it(owned):
    answer = owned().post("/v1/keys", json={"name": "x", "permissions": ["audit.raed"]})
    assert answer.json()["errors"][0]["remedy"] == "Send audit.read, or leave it out."


def test_a_key_lasts_no_longer_than_who_creates_it(owned):
    end = now() + timedelta(days=1)
    client = owned(expires_at=end)
    assert datetime.fromisoformat(client.post("/v1/keys", json={"name": "a"}).json()["expires_at"]) == end
    later = (end + timedelta(seconds=1)).isoformat()
    rejected = client.post("/v1/keys", json={"name": "b", "expires_at": later})
    assert (rejected.status_code, rejected.json()["errors"][0]["field"]) == (422, "body.expires_at")
    past = (now() - timedelta(days=1)).isoformat()
    assert client.post("/v1/keys", json={"name": "c", "expires_at": past}).status_code == 422


def test_a_revoked_key_stops_at_once_and_stays_in_the_list(owned, toy_app, client_for):
    client = owned()
    created = client.post("/v1/keys", json={"name": "old"}).json()
    old = client_for(toy_app, created["api_key"])
    assert old.get("/v1/me").status_code == 200
    assert client.delete(f"/v1/keys/{created['id']}").status_code == 204
    assert old.get("/v1/me").status_code == 401
    first = client.get(f"/v1/keys/{created['id']}").json()["revoked_at"]
    assert client.delete(f"/v1/keys/{created['id']}").status_code == 204
    assert client.get(f"/v1/keys/{created['id']}").json()["revoked_at"] == first


def test_creating_and_revoking_are_in_the_audit_with_the_caller(owned, owner, open_session):
    client = owned()
    created = client.post("/v1/keys", json={"name": "audited"}).json()
    client.delete(f"/v1/keys/{created['id']}")
    with open_session(owner.ref) as session:
        events = "SELECT action, actor FROM audit_events WHERE subject_uuid = %s ORDER BY event_id"
        rows = session.cursor().execute(events, (created["id"],)).fetchall()
    actor = f"api_key:{client.get('/v1/me').json()['id']}"
    assert rows == [("api:api_key:create", actor), ("api:api_key:revoke", actor)]


@pytest.mark.parametrize(
    ("permissions", "statuses"), [((), [403, 403]), (["keys.read"], [200, 403]), (["keys.write"], [403, 201])]
)
def test_reading_and_writing_take_a_permission_each(owned, permissions, statuses):
    client = owned(permissions)
    assert [client.get("/v1/keys").status_code, client.post("/v1/keys", json={"name": "x"}).status_code] == statuses
