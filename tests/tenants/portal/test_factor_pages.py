"""Pages of the second factor and of links: a half sign-in reaches nothing, and forms prove where they come from."""

import re

import pyotp
import pytest

from core.access.require import api_routes, is_public, page_routes
from core.clock import now
from core.identity.people import factor_codes, links, members, second_factor
from core.identity.people.second_factor import Proof

PASSWORD = "seven green bicycles in the rain"
ORIGIN = {"Origin": "http://testserver"}
ELSEWHERE = {"Origin": "https://elsewhere.example"}
PENDING, SESSION, LINK = "iit_pending", "iit_session", "iit_link"


@pytest.fixture
def client(client_for, database):
    """A browser without a session, of an application of its own: its limits are not shared."""
    from core.app.factory import create_app

    client = client_for(create_app(), None)
    client.follow_redirects = False
    return client


@pytest.fixture
def person(tenant):
    """Id and address of an admin with a password."""
    email = f"admin@{tenant.slug}.example.org"
    person_id = members.add_member(tenant, email, "Admin", members.Grant(["partner_admin"]), actor="test:1")
    link = links.create_link(person_id, links.INVITATION, actor="test:1", tenant_id=tenant.id)
    links.use_link(link.path.removeprefix(links.PATH), PASSWORD)
    return person_id, email


def post(client, path, headers=ORIGIN, **form):
    return client.post(path, data=form, headers=headers)


def sign_in(client, email, **form):
    return post(client, "/sign-in", email=email, password=PASSWORD, **form)


def field(client, path, name):
    return re.search(rf'name="{name}" value="([^"]*)"', client.get(path).text)[1]


def code_of(secret, steps=0):
    return pyotp.TOTP(secret).generate_otp(int(now().timestamp()) // factor_codes.STEP_SECONDS + steps)


@pytest.fixture
def app_secret(client, person):
    """The secret of the app that the person set up on the pages."""
    sign_in(client, person[1])
    token = field(client, "/me", "csrf_token")
    answer = post(client, "/me/second-factor", password=PASSWORD, csrf_token=token)
    assert answer.headers["location"] == "/me/second-factor/set-up"
    secret = second_factor.set_up_of(person[0]).secret
    before = client.cookies[SESSION]
    answer = post(client, "/me/second-factor/set-up", code=code_of(secret, -1), csrf_token=token)
    assert answer.status_code == 200
    assert len(re.findall(r"<li><code>", answer.text)) == 10
    assert client.cookies[SESSION] != before
    assert client.get("/me").status_code == 200
    client.cookies.clear()
    return secret


def half(client, email, **form):
    """Sign in as far as the code, and return the token of its form."""
    answer = sign_in(client, email, **form)
    assert answer.status_code == 303
    return field(client, answer.headers["location"], "sign_in_token")


def test_a_sign_in_goes_on_through_the_code_to_the_page_that_was_wanted(client, person, app_secret):
    answer = sign_in(client, person[1], next="/me/second-factor")
    assert answer.headers["location"] == "/sign-in/code?next=%2Fme%2Fsecond-factor"
    cookie = answer.headers["set-cookie"]
    assert PENDING in cookie
    assert SESSION not in cookie
    assert all(flag in cookie for flag in ("HttpOnly", "SameSite=lax"))
    pending = client.cookies[PENDING]
    token = field(client, answer.headers["location"], "sign_in_token")
    answer = post(client, "/sign-in/code", code=code_of(app_secret), sign_in_token=token, next="/me/second-factor")
    assert (answer.status_code, answer.headers["location"]) == (303, "/me/second-factor")
    assert client.cookies[SESSION] != pending
    assert PENDING not in client.cookies
    assert client.get("/me").status_code == 200


def test_a_half_sign_in_reaches_no_page_and_no_operation(client, person, app_secret, application):
    half(client, person[1])
    secret = client.cookies[PENDING]
    walked = 0
    for route in [*page_routes(application), *api_routes(application)]:
        if is_public(route):
            continue
        path = re.sub(r"\{[^}]*\}", "01985a00-0000-7000-8000-000000000000", route.path)
        for method in route.methods:
            for cookie in (f"{PENDING}={secret}", f"{SESSION}={secret}"):
                headers = {**ORIGIN, "Cookie": cookie, "Authorization": f"Bearer {secret}"}
                answer = client.request(method, path, headers=headers)
                assert answer.status_code in (303, 401), (method, path)
                if answer.status_code == 303:
                    assert answer.headers["location"].startswith("/sign-in")
                walked += 1
    assert walked > 200


@pytest.mark.parametrize("headers", [ELSEWHERE, {}])
def test_a_form_of_another_site_completes_no_sign_in(client, person, app_secret, headers):
    token = half(client, person[1])
    answer = post(client, "/sign-in/code", headers, code=code_of(app_secret), sign_in_token=token)
    assert answer.status_code == 403


def test_a_form_without_the_token_of_this_sign_in_is_rejected(client, person, app_secret):
    stale = half(client, person[1])
    half(client, person[1])
    for token in ("", stale):
        answer = post(client, "/sign-in/code", code=code_of(app_secret), sign_in_token=token)
        assert answer.status_code == 403
    assert SESSION not in client.cookies


@pytest.mark.parametrize("path", ["", "/set-up", "/codes", "/remove"])
def test_every_form_about_the_second_factor_carries_the_token_of_the_session(client, person, path):
    sign_in(client, person[1])
    form = {"password": PASSWORD, "code": "000000"}
    assert post(client, f"/me/second-factor{path}", **form).status_code == 403
    assert post(client, f"/me/second-factor{path}", ELSEWHERE, **form).status_code == 403


def test_a_wrong_code_is_told_on_the_form_and_a_recovery_code_signs_in(client, person, app_secret):
    token = half(client, person[1])
    answer = post(client, "/sign-in/code", code="000000", sign_in_token=token)
    assert answer.status_code == 422
    assert "The code is wrong" in answer.text
    codes = second_factor.renew_recovery_codes(person[0], Proof(PASSWORD, code_of(app_secret), "192.0.2.1"))
    answer = post(client, "/sign-in/code", recovery_code=codes[0], sign_in_token=token)
    assert answer.status_code == 303
    assert client.get("/me").status_code == 200


def test_a_link_moves_its_secret_to_a_cookie_and_leaves_the_address(client, person):
    path = links.create_link(person[0], links.RESET, actor="test:1").path
    answer = client.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/password")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert all(flag in answer.headers["set-cookie"] for flag in ("HttpOnly", "SameSite=lax", "Max-Age"))
    shown = client.get("/password")
    assert person[1] in shown.text
    assert path.removeprefix(links.PATH) not in shown.text
    answer = post(client, "/password", password="three quiet rivers and a lamp")
    assert answer.headers["location"] == "/sign-in?done=password"
    assert LINK not in client.cookies
    assert client.get(path).status_code == 404
    assert "set-cookie" not in client.get(path).headers


def test_my_account_shows_the_last_sign_ins_with_the_names_of_devices(client, person):
    phone = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36"
    post(client, "/sign-in", {**ORIGIN, "User-Agent": phone}, email=person[1], password="wrong")
    post(client, "/sign-in", {**ORIGIN, "User-Agent": phone}, email=person[1], password=PASSWORD)
    shown = client.get("/me").text
    assert "A wrong password. Nobody was signed in." in shown
    assert shown.count("Chrome on Android") == 3
    assert "Mozilla" not in shown
