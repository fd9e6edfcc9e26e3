"""The pages of single sign-on, without a browser: cookies, addresses, and what they tell whom."""

import re
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from core.app.permissions import RoutePermissions
from core.database import platform_session
from core.identity.oidc.errors import REASONS
from core.identity.people import members, sessions
from core.identity.people.sessions import KIND
from tenants.portal import sso_words
from tests.core.identity.oidc.conftest import (  # noqa: F401 - fixtures
    _issuer,
    domain,
    issuer,
    prove,
    records,
    set_up,
    tenant,
)
from tests.tenants.portal.test_sign_in_pages import ORIGIN, client, post  # noqa: F401 - a fixture

START = "/sign-in/sso?partner={}&next={}"


@pytest.fixture
def begin(client, tenant, domain, issuer):  # noqa: F811 - pytest fills arguments by name
    """Goes to the provider: ``begin("/me")`` gives what the provider was asked."""

    def start(following="/me"):
        answer = client.get(START.format(tenant.slug, following))
        assert answer.status_code == 303, answer.text
        assert answer.headers["location"].startswith(issuer.metadata["authorization_endpoint"])
        return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}

    return start


@pytest.fixture
def come_back(client, domain, issuer):  # noqa: F811
    """The provider's answer to ``asked``: ``come_back(asked)``."""

    def answer(asked, **changed):
        claims = issuer.claims(asked["nonce"], email=f"t-{uuid4().hex[:8]}@{domain}", email_verified=True)
        issuer.id_token = issuer.signed(claims)
        return client.get("/sign-in/sso/callback", params={"state": asked["state"], "code": "a code", **changed})

    return answer


def test_the_person_goes_to_the_provider_and_comes_back_signed_in(client, begin, come_back):  # noqa: F811
    answer = come_back(begin(), session_state="what other providers add")
    assert (answer.status_code, answer.headers["location"]) == (303, "/me")
    cookies = answer.headers.get_list("set-cookie")
    session = next(cookie for cookie in cookies if cookie.startswith("iit_session="))
    assert all(flag in session for flag in ("HttpOnly", "SameSite=lax", "Path=/"))
    assert any(cookie.startswith('iit_sso=""') for cookie in cookies)
    assert client.get("/me").status_code == 200


def test_the_cookie_of_a_sign_in_under_way_is_short_lived_and_unreadable(client, begin, tenant):  # noqa: F811
    cookie = client.get(START.format(tenant.slug, "")).headers["set-cookie"]
    assert all(flag in cookie for flag in ("iit_sso=", "HttpOnly", "SameSite=lax", "Max-Age=600"))
    assert "iit_session" not in cookie


def test_the_redirect_address_is_of_this_server(begin):
    assert begin()["redirect_uri"] == "http://testserver/sign-in/sso/callback"


@pytest.mark.parametrize("following", ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example"])
def test_the_sign_in_ends_at_a_page_of_this_server_alone(begin, come_back, following):
    assert come_back(begin(following)).headers["location"] == "/start"


def test_a_session_from_before_the_sign_in_is_ended_by_it(client, begin, come_back):  # noqa: F811
    come_back(begin())
    before = client.cookies["iit_session"]
    come_back(begin())
    assert client.cookies["iit_session"] != before
    client.cookies.clear()
    assert client.get("/me", headers={"Cookie": f"iit_session={before}"}).status_code == 303


def test_the_account_page_shows_and_ends_sessions_of_this_partner_alone(client, begin, come_back, make_tenant):  # noqa: F811
    other = make_tenant(name="Another Partner").ref
    come_back(begin())
    email = members.list_members(KIND.verify(client.cookies["iit_session"]).tenant, limit=1)[0][0].email
    person = members.add_member(other, email, "Person", members.Grant(["viewer"]), actor="test:1")
    with platform_session() as session:
        members.accept(session, person, other.id)
        elsewhere = sessions.begin(session, person, other.id, signed_in_by="password", device="A device elsewhere")
    page = client.get("/me").text
    assert "A device elsewhere" not in page
    assert "Another Partner" not in page
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)[1]
    answer = client.post(f"/me/sessions/{elsewhere.id}/end", data={"csrf_token": token}, headers=ORIGIN)
    assert answer.status_code == 404
    assert KIND.verify(elsewhere.secret)


def test_a_planted_session_is_worth_nothing_after_the_sign_in(client, begin, come_back):  # noqa: F811
    planted = "iits_" + "0" * 64
    client.cookies.set("iit_session", planted)
    come_back(begin())
    client.cookies.clear()
    assert client.get("/me", headers={"Cookie": f"iit_session={planted}"}).status_code == 303


def test_an_answer_in_another_browser_signs_nobody_in(client, begin, come_back):  # noqa: F811
    asked = begin()
    client.cookies.clear()
    answer = come_back(asked)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert "Begin again" in answer.text


def test_an_answer_of_another_issuer_signs_nobody_in(begin, come_back):
    answer = come_back(begin(), iss="https://elsewhere.example.org")
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_what_the_provider_says_is_not_shown(client, begin):  # noqa: F811
    asked = begin()
    answer = client.get(
        "/sign-in/sso/callback",
        params={"state": asked["state"], "error": "<b>x</b>", "error_description": "call 0800 555"},
    )
    assert answer.status_code == 403
    assert "0800" not in answer.text
    assert "<b>" not in answer.text


def test_without_a_password_the_sign_in_goes_to_the_provider_of_the_domain(client, tenant, domain):  # noqa: F811
    for form in ({}, {"partner": "yes"}, {"partner": "yes", "password": "typed"}):
        answer = post(client, f"nobody@{domain}", **{"password": "", "next": "/me", **form})
        assert answer.status_code == 200
        there = f"/sign-in/sso?partner={tenant.slug}&next=%2Fme"
        assert answer.headers["refresh"] == f"0; url={there}"
        assert there.replace("&", "&amp;") in answer.text


def test_the_answer_depends_on_the_domain_and_not_on_who_has_an_account(client, tenant, domain):  # noqa: F811
    members.add_member(tenant, f"known@{domain}", "Known", members.Grant(["viewer"]), actor="test:1")
    for password in ("", "wrong"):
        answers = [
            re.sub(r"known|other|[0-9a-f-]{36}|<!-- [0-9a-f]+ -->", "", post(client, f"{who}@{domain}", password).text)
            for who in ("known", "other")
        ]
        assert answers[0] == answers[1]
        assert "/sign-in/sso?" in answers[0]


def test_a_domain_without_a_provider_is_asked_for_the_password(client):  # noqa: F811
    for form, text in (({"password": ""}, "Give your password"), ({"partner": "yes"}, "no single sign-on")):
        answer = post(client, "a@unproved.example.org", **form)
        assert answer.status_code in (403, 422)
        assert text in answer.text


@pytest.mark.parametrize("query", ["partner=no-such-partner", "email=a@unproved.example.org", ""])
def test_a_partner_without_a_provider_and_none_are_answered_alike(client, query):  # noqa: F811
    answer = client.get(f"/sign-in/sso?{query}")
    assert answer.status_code == 403
    assert "no sign-in of its own" in answer.text


def test_a_provider_that_is_down_is_told_on_a_page(client, tenant, domain, issuer):  # noqa: F811
    issuer.metadata = None
    answer = client.get(START.format(tenant.slug, ""))
    assert answer.status_code == 403
    assert "does not answer" in answer.text


def test_signing_out_goes_on_to_the_provider(client, begin, come_back, issuer):  # noqa: F811
    come_back(begin())
    secret = client.cookies["iit_session"]
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/me").text)[1]
    answer = client.post("/sign-out", data={"csrf_token": token}, headers=ORIGIN)
    assert answer.headers["refresh"].startswith(f"0; url={issuer.metadata['end_session_endpoint']}?id_token_hint=")
    client.cookies.clear()
    assert client.get("/me", headers={"Cookie": f"iit_session={secret}"}).status_code == 303


@pytest.mark.parametrize("path", ["/sign-in/sso", "/sign-in/sso/callback"])
def test_an_address_that_goes_on_trying_has_to_wait(application, path):
    route = RoutePermissions(application).public("GET", path)
    assert (route.rate.burst, route.rate.per_minute) == (20, 30)


def test_every_reason_has_its_words():
    assert sorted(sso_words.REASONS) == sorted(REASONS)
