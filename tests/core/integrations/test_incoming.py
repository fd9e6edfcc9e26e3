"""A vendor's request counts only at the secret address, signed, in time, and once."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from uuid import UUID

import pytest

from core.database import tenant_session
from core.identity.keys import create_key
from core.integrations import incoming
from core.plugins import instances, usable_instances
from core.plugins.catalogue import find_offer
from core.plugins.errors import CallFailedError
from plugins.sdk import ChannelAct, DeliveryReport, IncomingSms, Signature
from tests.core.plugins.offers import Channel, offered

SECRET = "signing-secret"
ANY = {"If-Match": "*"}


class Signed(Channel):
    """A channel whose vendor signs with a time."""

    name = "signed"

    def signature(self, settings):
        return Signature("token", "x-signature", "v0:{timestamp}:{body}", prefix="v0=", timestamp_header="x-time")

    def acts(self, request, settings):
        return [ChannelAct("acknowledge", key=key, who="U1") for key in json.loads(request.text)["keys"]]


class Gateway(Channel):
    """A gateway whose vendor does not sign."""

    name = "plain"

    def request(self, sms, settings): ...

    def status_request(self, reference, settings): ...

    def status(self, response, settings): ...

    def reports(self, request, settings):
        return [DeliveryReport("delivered", reference=request.query["ref"])] if "ref" in request.query else []

    def received(self, request, settings):
        return [IncomingSms("+2348030000000", request.text, "r1")] if request.text else []


@pytest.fixture(scope="module", autouse=True)
def plugins():
    with offered("alert-channel", Signed()), offered("sms-gateway", Gateway()):
        yield


@pytest.fixture
def api(application, client_for, module_tenant):
    names = ["plugins.read", "plugins.write"]
    return client_for(application, create_key(module_tenant, name="x", permissions=names).plaintext)


@pytest.fixture
def published(monkeypatch):
    events = []
    monkeypatch.setattr(incoming, "publish", lambda _, name, payload: events.append((name, payload)))
    return events


def set_up(api, kind, plugin):
    for row in api.get("/v1/plugin-instances").json()["items"]:
        api.delete(f"/v1/plugin-instances/{row['id']}", headers=ANY)
    settings = {"url": "https://example.org", "token": SECRET}
    body = {"kind": kind, "plugin": plugin, "name": "Nights", "settings": settings}
    answer = api.post("/v1/plugin-instances", json=body)
    assert answer.status_code == 201, answer.text
    instance_id = answer.json()["id"]
    address = api.post(f"/v1/plugin-instances/{instance_id}/address").json()["address"]
    return instance_id, address.removeprefix("http://testserver")


def post(api, path, keys, *, at=0, secret=SECRET):
    return send(api, path, *signed(keys, at=at, secret=secret))


def signed(keys, *, at=0, secret=SECRET):
    """A request as its vendor signs it now; a second later it would be another one."""
    body, moment = json.dumps({"keys": keys}), str(int(time.time()) + at)
    digest = hmac.new(secret.encode(), f"v0:{moment}:{body}".encode(), hashlib.sha256).hexdigest()
    return body, {"X-Time": moment, "X-Signature": f"v0={digest}", "Content-Type": "application/json"}


def send(api, path, body, headers):
    return api.post(path, content=body, headers=headers).status_code


def test_what_people_did_in_the_channel_is_published_once(api, published):
    instance_id, path = set_up(api, "alert-channel", "signed")
    request = signed(["k1"])
    assert [send(api, path, *request), send(api, path, *request)] == [200, 200]
    ((name, payload),) = published
    assert (name, str(payload["instance_id"])) == ("plugin.channel_acts", instance_id)
    assert payload["acts"] == [ChannelAct("acknowledge", "k1", "U1")]


def test_a_request_that_its_vendor_did_not_sign_now_is_rejected(api, published):
    _, path = set_up(api, "alert-channel", "signed")
    assert post(api, path, ["k2"], secret="other") == 403
    assert post(api, path, ["k2"], at=-301) == 403
    assert post(api, path, ["k2"], at=301) == 403
    assert api.post(path, json={"keys": ["k2"]}).status_code == 403
    assert published == []


def test_reports_and_messages_arrive_by_query_and_by_body(api, published):
    _, path = set_up(api, "sms-gateway", "plain")
    assert api.get(path, params={"ref": "m1"}).status_code == 200
    assert api.post(path, content="1", headers={"Content-Type": "text/plain"}).status_code == 200
    (report, received) = published
    assert report[1]["reports"] == [DeliveryReport("delivered", reference="m1")]
    assert received[1]["messages"] == [IncomingSms("+2348030000000", "1", "r1")]


def test_an_address_ends_when_it_is_changed_and_when_the_instance_does(api, published):
    instance_id, path = set_up(api, "sms-gateway", "plain")
    api.post(f"/v1/plugin-instances/{instance_id}/rotate-address")
    assert api.get(path, params={"ref": "m1"}).status_code == 404
    new = api.post(f"/v1/plugin-instances/{instance_id}/address").json()["address"].removeprefix("http://testserver")
    assert api.get(new, params={"ref": "m1"}).status_code == 200
    body = {"name": "Nights", "settings": {"url": "https://example.org"}, "enabled": False}
    assert api.put(f"/v1/plugin-instances/{instance_id}", json=body, headers=ANY).status_code == 200
    assert api.get(new, params={"ref": "m1"}).status_code == 404
    assert len(published) == 1


def test_no_answer_shows_a_secret_and_one_that_is_left_out_stays(api, module_tenant):
    instance_id, _ = set_up(api, "alert-channel", "signed")
    path = f"/v1/plugin-instances/{instance_id}"
    body = {"name": "Days", "settings": {"url": "https://example.org", "room": "days"}}
    changed = api.put(path, json=body, headers=ANY)
    assert changed.json()["secrets_set"] == ["token"]
    assert changed.json()["settings"] == {"url": "https://example.org", "room": "days"}
    assert SECRET not in changed.text + api.get(path).text + api.get("/v1/plugin-instances").text
    with tenant_session(module_tenant, actor="test:1") as session:
        row = instances.get_instance(session, UUID(instance_id))
        assert instances.secrets_of(session, row) == {"token": SECRET}
        assert SECRET not in row.sealed_secrets
    body["settings"]["token"] = ""
    assert api.put(path, json=body, headers=ANY).json()["errors"][0]["field"] == "body.settings.token"


def test_a_stored_secret_does_not_go_to_another_address(api):
    instance_id, _ = set_up(api, "alert-channel", "signed")
    path = f"/v1/plugin-instances/{instance_id}"
    settings = {"url": "https://evil.example", "room": "days"}
    answer = api.put(path, json={"name": "Days", "settings": settings}, headers=ANY)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["field"], error["remedy"]) == ("body.settings.token", "Type the secret again.")
    assert api.get(path).json()["settings"]["url"] == "https://example.org"
    settings["token"] = "typed-again"
    assert api.put(path, json={"name": "Days", "settings": settings}, headers=ANY).status_code == 200


@pytest.mark.parametrize(
    ("kind", "plugin", "places"),
    [
        ("importer", "sftp", ["host", "port", "host_key"]),
        ("importer", "s3", ["endpoint"]),
        ("sms-gateway", "twilio", ["address"]),
        ("alert-channel", "webhook", ["url"]),
    ],
)
def test_the_settings_that_say_where_secrets_go(kind, plugin, places):
    schema = find_offer(kind, plugin).schema
    assert instances._place_names(schema) == places


def test_the_audit_names_who_read_a_secret_address(api, module_tenant):
    instance_id, _ = set_up(api, "alert-channel", "signed")
    with tenant_session(module_tenant, actor="test:1") as session:
        query = "SELECT count(*) FROM audit_events WHERE action = 'api:plugin:address' AND subject_uuid = %s"
        assert session.cursor().execute(query, (instance_id,)).fetchone() == (1,)


def test_what_a_plugin_writes_about_messages_of_people_is_nowhere(api, module_tenant, monkeypatch):
    def fail(offer, tenant, method, *arguments):
        if method == "signature":
            return
        detail = "plugin 'plain' failed: ValueError: +2348030000000 says STOP"
        raise CallFailedError(detail, "Traceback +2348030000000")

    instance_id, path = set_up(api, "sms-gateway", "plain")
    monkeypatch.setattr(usable_instances, "call", fail)
    answer = api.post(path, content="STOP", headers={"Content-Type": "text/plain"})
    assert answer.status_code == 502
    assert "+234" not in answer.text
    with tenant_session(module_tenant, actor="test:1") as session:
        (row,) = instances.list_failures(session, UUID(instance_id))
    assert (row.operation, row.reason, row.output) == ("reports", "plugin-failed", "")


def test_a_plugin_reads_no_marks_and_no_character_0(api, published):
    _, path = set_up(api, "sms-gateway", "plain")
    sent = "{{secret:token}}\0"
    query = {"ref": "{{secret:token}}"}
    assert api.post(path, params=query, content=sent, headers={"Content-Type": "text/plain"}).status_code == 200
    assert [each.reference for each in published[0][1]["reports"]] == ["{ {secret:token}}"]
    assert [each.text for each in published[1][1]["messages"]] == ["{ {secret:token}}\ufffd"]
    assert incoming._readable(incoming.RawRequest("", {"x": sent}, b"")).headers == {"x": "{ {secret:token}}\ufffd"}


def test_settings_are_checked_by_the_plugins_schema(api):
    set_up(api, "alert-channel", "signed")
    body = {"kind": "alert-channel", "plugin": "signed", "name": "Other"}
    for settings, field in (
        ({"url": "https://example.org"}, "settings.token"),
        ({"url": "http://example.org", "token": "x"}, "settings.url"),
        ({"url": "https://example.org", "token": "x", "room": 1}, "settings.room"),
        ({"url": "https://example.org", "token": "x", "unknown": 1}, "settings"),
        ({"url": "https://example.org", "token": 1}, "settings.token"),
    ):
        answer = api.post("/v1/plugin-instances", json={**body, "settings": settings})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, f"body.{field}")
    assert api.post("/v1/plugin-instances", json={**body, "plugin": "none"}).status_code == 404
