"""``/v1/sso``: what the answers say, and what they never say."""

from uuid import uuid4

import pytest

from tests.core.identity.oidc.issuer import CLIENT, SECRET


@pytest.fixture
def body(issuer):
    return {"issuer": issuer.url, "client_id": CLIENT, "client_secret": SECRET, "default_role": "viewer"}


@pytest.fixture(autouse=True)
def _nothing_set_up(api):
    api.delete("/v1/sso", headers={"If-Match": "*"})


def test_a_change_needs_the_version_that_was_read(api, body):
    created = api.put("/v1/sso", json=body)
    tag = created.headers["etag"]
    assert api.put("/v1/sso", json=body).status_code == 428
    assert api.delete("/v1/sso").status_code == 428
    changed = api.put("/v1/sso", json={**body, "default_role": None}, headers={"If-Match": tag})
    assert (changed.status_code, api.get("/v1/sso").headers["etag"] != tag) == (200, True)
    for method in ("PUT", "DELETE"):
        sent = body if method == "PUT" else None
        assert api.request(method, "/v1/sso", json=sent, headers={"If-Match": tag}).status_code == 412
    assert api.delete("/v1/sso", headers={"If-Match": changed.headers["etag"]}).status_code == 204
    assert api.put("/v1/sso", json=body, headers={"If-Match": tag}).status_code == 412


def test_no_answer_has_the_secret(api, owner, body):
    answers = [api.put("/v1/sso", json=body), api.get("/v1/sso")]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert all(SECRET not in answer.text for answer in answers)
    shown = answers[1].json()
    assert shown["has_secret"]
    assert shown["redirect_path"] == "/sign-in/sso/callback"
    assert shown["sign_in_path"] == f"/sign-in/sso?partner={owner.ref.slug}"
    assert shown["back_channel_path"] == f"/v1/sso/back-channel/{owner.ref.id}"


def test_what_is_not_set_up_is_not_there(api):
    for method, path in (("GET", "/v1/sso"), ("DELETE", "/v1/sso"), ("GET", f"/v1/sso/domains/{uuid4()}")):
        assert api.request(method, path, headers={"If-Match": "*"}).status_code == 404
    assert api.post("/v1/sso/test", json={}).status_code == 404


def test_the_test_takes_the_address_of_the_portal_or_that_of_the_request(api, body, issuer):
    api.put("/v1/sso", json=body)
    issuer.token_error = "invalid_grant"
    for sent, address in (
        ({}, "http://testserver"),
        ({"portal": "https://iit.example.org"}, "https://iit.example.org"),
    ):
        answer = api.post("/v1/sso/test", json=sent).json()
        assert answer["redirect_address"] == f"{address}/sign-in/sso/callback"
        assert [each["check"] for each in answer["findings"] if not each["ok"]] == ["domains"]
        assert not answer["ok"]
    assert api.post("/v1/sso/test", json={"portal": "https://a.example.org/path?x"}).status_code == 422


def test_a_domain_is_claimed_checked_and_removed(api, records):
    name = f"d{uuid4().hex[:12]}.example.org"
    claimed = api.post("/v1/sso/domains", json={"domain": name})
    path = claimed.headers["location"]
    assert (claimed.status_code, path) == (201, f"/v1/sso/domains/{claimed.json()['id']}")
    assert api.post(f"{path}/check").json()["proved_at"] is None
    records.texts[name] = [claimed.json()["record"]]
    assert api.post(f"{path}/check").json()["proved_at"] is not None
    assert api.get("/v1/sso/domains").json()["items"][0]["domain"] == name
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404
