"""A person of a suspended partner: nothing opens, and they sign out, end sessions and go to another partner."""

import re

import pytest

from core.database import platform_session
from core.errors import NotFound, Unauthenticated
from core.identity.people import members, sessions
from core.identity.people.sessions import KIND
from core.tenancy import suspend_tenant
from tests.keyed import KeyedClient

EMAIL = "both@example.org"
ORIGIN = {"Origin": "http://testserver"}


@pytest.fixture
def closed(application, two_tenants):
    """A browser of a person of two partners, whose present one is suspended after the sign-in, and a second session."""
    for tenant in two_tenants:
        person = members.add_member(tenant, EMAIL, "Person", members.Grant(["partner_admin"]), actor="test:1")
        with platform_session() as session:
            members.accept(session, person, tenant.id)
    with platform_session() as session:
        begun, other = (
            sessions.begin(session, person, two_tenants[0].id, signed_in_by="password", device=name)
            for name in ("this", "lost phone")
        )
    client = KeyedClient(application, headers=ORIGIN, follow_redirects=False)
    client.cookies.set("iit_session", begun.secret)
    client.begun, client.other, client.person = begun, other, person
    suspend_tenant(two_tenants[0].slug)
    return client


def token_of(page):
    return re.search(r'name="csrf_token" value="([^"]*)"', page.text)[1]


def test_every_page_is_closed_and_offers_the_ways_out(closed, two_tenants):
    for path in ("/start", "/today", "/admin", "/me/second-factor"):
        page = closed.get(path)
        assert page.status_code == 403, path
        assert 'action="/sign-out"' in page.text
        assert "the partner&#39;s access is suspended" in page.text
        assert f'value="{two_tenants[1].id}"' in page.text
        assert f'value="{two_tenants[0].id}"' not in page.text
        assert "<nav" not in page.text
    form = {"csrf_token": token_of(page), "name": "Another"}
    assert closed.post("/me/name", data=form).status_code == 403
    assert closed.get("/v1/me", headers={"X-CSRF-Token": form["csrf_token"]}).status_code == 403
    assert closed.get("/v1/people", headers={"X-CSRF-Token": form["csrf_token"]}).status_code == 403


def test_signing_out_works(closed):
    form = {"csrf_token": token_of(closed.get("/today"))}
    assert closed.post("/sign-out", data={"csrf_token": "x"}).status_code == 403
    answer = closed.post("/sign-out", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    with pytest.raises(Unauthenticated):
        KIND.verify(closed.begun.secret)


def test_other_sessions_are_listed_and_ended(closed):
    page = closed.get("/me")
    assert page.status_code == 200
    path = f"/me/sessions/{closed.other.id}/end"
    assert path in page.text
    assert closed.post(path, data={"csrf_token": token_of(page)}).status_code == 303
    assert path not in closed.get("/me").text


def test_the_person_goes_on_with_another_partner(closed, two_tenants):
    form = {"csrf_token": token_of(closed.get("/today")), "tenant_id": str(two_tenants[1].id)}
    answer = closed.post("/me/tenant", data=form)
    assert answer.status_code == 303
    secret = answer.cookies["iit_session"]
    closed.cookies.clear()
    closed.cookies.set("iit_session", secret)
    assert closed.get("/today").status_code == 200
    suspend_tenant(two_tenants[1].slug)
    with pytest.raises(NotFound):
        sessions.switch(closed.other.id, closed.person, two_tenants[1].id, "")
    assert f'value="{two_tenants[0].id}"' not in closed.get("/today").text
