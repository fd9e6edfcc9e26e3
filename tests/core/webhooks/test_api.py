"""Webhooks over the API."""

from __future__ import annotations

import pytest
from standardwebhooks import Webhook

from core.database import tenant_session
from core.identity.keys import create_key
from core.jobs.worker import drain
from core.webhooks import deliveries

ANY = {"If-Match": "*"}


@pytest.fixture
def client_with(application, client_for, module_tenant):
    """``client_with("webhooks.read")``: a client of the tenant, whose key has these permissions."""
    return lambda *names: client_for(application, create_key(module_tenant, name="x", permissions=names).plaintext)


@pytest.fixture
def api(client_with):
    return client_with("webhooks.read", "webhooks.write")


@pytest.fixture
def webhook(api, tenant, receiver):
    """A webhook of the receiver, with its secret, as its creation answered."""
    answer = api.post("/v1/webhooks", json={"url": receiver.url, "events": ["risk.scored"]})
    assert answer.status_code == 201
    return answer.json()


def test_only_its_creation_and_a_rotation_show_a_secret(api, webhook, tenant, publish, receiver):
    path = f"/v1/webhooks/{webhook['id']}"
    rotated = api.post(f"{path}/rotate-secret")
    assert rotated.status_code == 201
    new = rotated.json()["secret"]
    publish()
    drain(tenant)
    ((_, headers, body),) = receiver.requests
    assert Webhook(webhook["secret"]).verify(body, headers) == Webhook(new).verify(body, headers)
    shown = api.get(path).text + api.get("/v1/webhooks").text + api.get(f"{path}/deliveries").text
    assert "whsec_" not in shown
    assert api.get(path).json()["previous_until"] is not None


def test_a_repeated_creation_answers_with_the_first_secret_and_adds_nothing(api, tenant):
    key, body = {"Idempotency-Key": "once"}, {"url": "https://emr.example.org/hooks"}
    first, second = (api.post("/v1/webhooks", json=body, headers=key) for _ in range(2))
    assert second.json() == first.json()
    assert api.get("/v1/webhooks").json()["total"] == 1


def test_a_change_needs_the_version_that_was_read(api, webhook):
    path, body = f"/v1/webhooks/{webhook['id']}", {"url": "https://other.example.org/x", "events": []}
    etag = api.get(path).headers["etag"]
    assert api.put(path, json=body).status_code == 428
    changed = api.put(path, json=body, headers={"If-Match": etag})
    assert (changed.status_code, changed.json()["url"], changed.json()["events"]) == (200, body["url"], [])
    assert api.put(path, json=body, headers={"If-Match": etag}).status_code == 412
    assert api.delete(path, headers={"If-Match": etag}).status_code == 412
    assert api.put(path, json={"url": "ftp://x"}, headers=ANY).status_code == 422
    assert api.delete(path, headers={"If-Match": changed.headers["etag"]}).status_code == 204
    assert api.get(path).status_code == 404


def test_a_disabled_webhook_receives_nothing_until_it_is_enabled(api, webhook, tenant, publish, receiver):
    path = f"/v1/webhooks/{webhook['id']}"
    waiting = publish()
    assert api.post(f"{path}/disable").json()["reason"] == "person"
    publish()
    drain(tenant)
    assert receiver.requests == []
    assert api.post(f"{path}/enable").json()["state"] == "active"
    drain(tenant)
    assert [headers["webhook-id"] for _, headers, _ in receiver.requests] == [str(waiting)]


def test_the_log_is_filtered_paged_and_sent_again(api, webhook, tenant, publish, receiver):
    path = f"/v1/webhooks/{webhook['id']}"
    ids = [str(publish()) for _ in range(3)]
    receiver.answers.append((500, {}, b""))
    drain(tenant)  # the first fails, and the webhook rests
    listed = api.get(f"{path}/deliveries", params={"page_size": 2}).json()
    rows = listed["items"] + api.get(listed["next"]).json()["items"]
    assert [row["event_id"] for row in rows] == ids[::-1]
    assert api.get(f"{path}/deliveries", params={"state": "delivered"}).json()["total"] == 0
    assert api.get(f"{path}/deliveries", params={"event": "imports.completed"}).json()["total"] == 0
    assert api.get(f"{path}/deliveries", params={"until": "2020-01-01T00:00:00Z"}).json()["total"] == 0
    detail = api.get(f"{path}/deliveries/{rows[-1]['id']}").json()
    assert [attempt["status"] for attempt in detail["log"]] == [500]
    assert (detail["body"]["id"], detail["attempts"]) == (ids[0], 1)
    again = api.post(f"{path}/deliveries/{rows[-1]['id']}/resend")
    assert (again.status_code, again.json()["attempts"]) == (202, 0)
    replayed = api.post(f"{path}/replay", json={"since": "2020-01-01T00:00:00Z"})
    assert (replayed.status_code, replayed.json()) == (202, {"deliveries": 3})


def test_an_example_is_logged_like_an_event(api, webhook):
    path = f"/v1/webhooks/{webhook['id']}"
    sent = api.post(f"{path}/example", json={"event": "imports.completed"})
    assert sent.status_code == 202
    assert api.get(sent.headers["location"]).json()["body"]["subject"] == "example"
    assert api.post(f"{path}/example", json={"event": "people.link_created"}).status_code == 422


def test_a_delivery_belongs_to_its_webhook(api, webhook, tenant, add, publish):
    other, _ = add("https://emr.example.org/other")
    publish()
    with tenant_session(tenant, actor="test:1") as session:
        (row,) = deliveries.list_deliveries(session, other)
    assert api.get(f"/v1/webhooks/{webhook['id']}/deliveries/{row.id}").status_code == 404
    assert api.post(f"/v1/webhooks/{webhook['id']}/deliveries/{row.id}/resend").status_code == 404


def test_who_may_read_changes_nothing(client_with, webhook):
    reader, path = client_with("webhooks.read"), f"/v1/webhooks/{webhook['id']}"
    assert reader.get(path).status_code == 200
    assert reader.post(f"{path}/disable").status_code == 403
    assert client_with("jobs.read").get(path).status_code == 403
