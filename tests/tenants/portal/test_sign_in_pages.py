"""The pages of the sign-in, without a browser: how often, and to where."""

import re

import pytest

from core.app.permissions import RoutePermissions
from core.identity.people import links, members

PASSWORD = "seven green bicycles in the rain"
ORIGIN = {"Origin": "http://testserver"}


@pytest.fixture
def client(client_for, database):
    """A browser without a session, of an application of its own: its limits are not shared."""
    from core.app.factory import create_app

    client = client_for(create_app(), None)
    client.follow_redirects = False
    return client


@pytest.fixture
def email(tenant):
    person = members.add_member(tenant, f"v@{tenant.slug}.example.org", "V", members.Grant(["viewer"]), actor="test:1")
    link = links.create_link(person, links.INVITATION, actor="test:1", tenant_id=tenant.id)
    links.use_link(link.path.removeprefix(links.PATH), PASSWORD)
    return f"v@{tenant.slug}.example.org"


def post(client, email, password=PASSWORD, **form):
    return client.post("/sign-in", data={"email": email, "password": password, **form}, headers=ORIGIN)


@pytest.mark.parametrize("path", ["/sign-in", "/password/none", "/kit"])
def test_a_public_page_does_not_send_a_head_request_to_the_sign_in(client, path):
    answer = client.head(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/code", "/sign-in/set-up", "/password"])
def test_an_address_that_goes_on_trying_has_to_wait(application, path):
    route = RoutePermissions(application).public("POST", path)
    assert (route.rate.burst, route.rate.per_minute) == (120, 120)


def test_many_who_share_an_address_sign_in_at_once_while_a_guesser_there_waits(client, email, tenant):
    for _ in range(5):
        assert post(client, email, "wrong").status_code == 401
    assert post(client, email).status_code == 429
    colleague = f"c@{tenant.slug}.example.org"
    person = members.add_member(tenant, colleague, "C", members.Grant(["viewer"]), actor="test:1")
    link = links.create_link(person, links.INVITATION, actor="test:1", tenant_id=tenant.id)
    links.use_link(link.path.removeprefix(links.PATH), PASSWORD)
    for _ in range(40):
        client.cookies.clear()
        assert post(client, colleague).status_code == 303


@pytest.mark.parametrize(
    ("following", "location"),
    [("/me", "/me"), ("", "/start"), ("https://elsewhere.example/", "/start"), ("//elsewhere.example", "/start")],
)
def test_the_sign_in_goes_on_to_a_page_of_this_server_alone(client, email, following, location):
    answer = post(client, email, next=following)
    assert (answer.status_code, answer.headers["location"]) == (303, location)


def test_each_sign_in_has_a_session_of_its_own_in_a_cookie_that_scripts_cannot_read(client, email):
    secrets = []
    for _ in range(2):
        client.cookies.clear()
        cookie = post(client, email).headers["set-cookie"]
        assert all(flag in cookie for flag in ("HttpOnly", "SameSite=lax", "Path=/"))
        secrets.append(cookie.partition(";")[0])
    assert len(set(secrets)) == 2


def test_a_session_that_was_planted_before_the_sign_in_is_worth_nothing_after_it(client, email):
    planted = "iits_" + "0" * 64
    client.cookies.set("iit_session", planted)
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/sign-in").text)[1]
    assert post(client, email, csrf_token=token).status_code == 303
    client.cookies.clear()
    stranger = client.get("/me", headers={"Cookie": f"iit_session={planted}"})
    assert stranger.headers["location"].startswith("/sign-in")


def test_a_form_of_another_site_signs_nobody_in(client, email):
    data = {"email": email, "password": PASSWORD}
    answer = client.post("/sign-in", data=data, headers={"Origin": "https://elsewhere.example"})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_who_is_signed_in_is_not_asked_again(client, email):
    post(client, email)
    assert client.get("/sign-in?next=/me").headers["location"] == "/me"


def test_a_browser_at_the_root_goes_to_the_sign_in_and_a_program_learns_what_this_is(client):
    assert client.get("/", headers={"Accept": "text/html"}).headers["location"] == "/sign-in"
    assert client.get("/").json()["links"]["docs"] == "/docs"
