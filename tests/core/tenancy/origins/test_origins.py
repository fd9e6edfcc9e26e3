"""The origins of a tenant: what it may list, and who reads answers because of it."""

from types import SimpleNamespace
from uuid import uuid4

import anyio
import pytest

from core.app.cors import ORIGINS, REMEMBERED, Cors
from core.app.factory import create_app

FORMS = "https://forms.example.org"
ASK = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}


@pytest.fixture
def site():
    return f"https://{uuid4().hex[:12]}.example.org"


@pytest.fixture
def client(database, client_for, owner):
    return client_for(create_app(), owner.api_key)


def allow(client, *origins):
    answer = client.put("/v1/origins", json={"origins": list(origins)})
    assert answer.status_code == 200, answer.text
    return answer.json()["origins"]


def allowed(answer):
    return answer.headers.get("access-control-allow-origin")


def test_origins_are_stored_in_one_form_and_replaced_whole(client):
    assert allow(client, "HTTPS://Forms.example.org/", FORMS, "http://localhost:3000") == [
        "http://localhost:3000",
        FORMS,
    ]
    assert allow(client) == []
    assert client.get("/v1/origins").json() == {"origins": []}


@pytest.mark.parametrize(
    "origin", ["*", "null", "http://forms.example.org", "https://forms.example.org/page", "https://*.example.org", ""]
)
def test_what_is_no_https_origin_is_rejected_at_its_place(client, origin):
    answer = client.put("/v1/origins", json={"origins": [FORMS, origin]})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["body.origins.1"]


def test_a_tenant_lists_at_most_twenty(client):
    answer = client.put("/v1/origins", json={"origins": [f"https://a{n}.example.org" for n in range(21)]})
    assert [error["field"] for error in answer.json()["errors"]] == ["body.origins"]


def test_a_page_of_an_allowed_origin_reads_answers_and_their_headers(client, site):
    allow(client, site)
    preflight = client.options("/v1/me", headers={"Origin": site, **ASK})
    assert (preflight.status_code, allowed(preflight)) == (204, site)
    assert "Idempotency-Key" in preflight.headers["access-control-allow-headers"]
    answer = client.get("/v1/me", headers={"Origin": site})
    assert (answer.status_code, allowed(answer)) == (200, site)
    assert "RateLimit" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers


def test_a_page_of_another_tenants_origin_asks_in_vain(client, client_for, make_tenant, site):
    other = client_for(client.app, make_tenant().api_key)
    allow(other, site)
    assert allowed(client.options("/v1/me", headers={"Origin": site, **ASK})) == site
    assert allowed(other.get("/v1/me", headers={"Origin": site})) == site
    answer = client.get("/v1/me", headers={"Origin": site})
    assert (answer.status_code, allowed(answer), answer.headers["vary"]) == (200, None, "Origin")


def test_an_origin_that_nobody_allows_gets_nothing(client, site):
    assert allowed(client.options("/v1/me", headers={"Origin": site, **ASK})) is None
    assert allowed(client.get("/v1/me", headers={"Origin": site})) is None


def test_an_invalid_key_is_answered_readably_without_asking_the_database(client, client_for, site):
    allow(client, site)
    stranger = client_for(client.app, f"iit_{'0' * 64}")
    assert allowed(stranger.get("/v1/me", headers={"Origin": site})) is None
    client.options("/v1/me", headers={"Origin": site, **ASK})
    answer = stranger.get("/v1/me", headers={"Origin": site})
    assert (answer.status_code, allowed(answer)) == (401, site)


def test_pages_have_no_cors(client, site):
    allow(client, site)
    assert allowed(client.get("/sign-in", headers={"Origin": site})) is None


def test_a_removed_origin_is_forgotten_after_its_time(monkeypatch):
    clock, tenants = SimpleNamespace(now=0.0), {FORMS: frozenset({uuid4()})}
    monkeypatch.setattr("core.app.cors.tenants_of", lambda origin: tenants.get(origin, frozenset()))
    cors = Cors(lambda: clock.now)
    assert anyio.run(cors._tenants, FORMS)
    tenants.clear()
    assert anyio.run(cors._tenants, FORMS)
    clock.now = REMEMBERED
    assert not anyio.run(cors._tenants, FORMS)


def test_the_memory_of_origins_is_bounded(monkeypatch):
    monkeypatch.setattr("core.app.cors.tenants_of", lambda _: frozenset())
    cors = Cors()

    async def ask_for_many():
        for number in range(ORIGINS + 3):
            await cors._tenants(f"https://a{number}.example.org")

    anyio.run(ask_for_many)
    assert len(cors._known) == ORIGINS
