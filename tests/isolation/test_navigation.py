"""The navigation and the links of pages, for every role and reach: no dead end, and no page without a way to it."""

import re
from uuid import uuid4

import pytest

from core.access.require import access_rules, is_public, page_routes
from core.database import platform_session
from core.identity.people import accounts, members, sessions
from core.identity.people.sessions import KIND
from core.identity.roles import PROGRAM, ROLES
from tests.isolation.cases_alerts import new_channel
from tests.isolation.cases_imports import imported
from tests.keyed import KeyedClient

STEPS = {
    "/events",
    "/operators/stream",
    "/alerts/stream",
    "/start",
    "/me/second-factor/set-up",
    "/programme/people",
    "/programme/disagreements",
    "/today/rest",
    "/follow-up/funnel.csv",
}
"""Where a redirect, a form or a script leads, or what records lead to: a number, a list, a list that is cut."""

REACHES = ("everything", "facility", "assigned")
ROLES_OF_TENANTS = [name for name, role in ROLES.items() if not role.operator and name != PROGRAM]
ROLES_OF_OPERATORS = [name for name, role in ROLES.items() if role.operator]


@pytest.fixture(scope="module")
def facility(world):
    """The facility of the owner's records, of which there are some of each kind; a channel, to which alerts may go."""
    body = {"datim_id": f"N{uuid4().hex[:10]}", "name": "Clinic"}
    imported(world)
    new_channel(world)
    return world.json("POST", "/v1/facilities", json=body)["datim_id"]


@pytest.fixture
def browser(application):
    """A client with a new session, and its principal: ``browser(person_id, tenant_id)``."""

    def begin(person_id, tenant_id):
        with platform_session() as session:
            begun = sessions.begin(session, person_id, tenant_id, signed_in_by="password")
        client = KeyedClient(application, follow_redirects=False)
        client.cookies.set("iit_session", begun.secret)
        return client, KIND.verify(begun.secret).principal

    return begin


def links_of(text):
    return {href.split("?")[0].split("#")[0] for href in re.findall(r'href="(/[^"]*)"', text)}


def walk(application, client, principal):
    """Follow all links to pages of their own; return the pages that may be opened, and those that links lead to."""
    pages = {
        route.path: all(rule.allows(principal) for rule in access_rules(route))
        for route in page_routes(application)
        if "GET" in route.methods and "{" not in route.path and not is_public(route)
    }
    start = client.get("/start")
    assert start.status_code == 303
    navigation = links_of(re.search(r"<header.*?</header>", client.get("/me").text, re.DOTALL)[0]) - {"/"}
    waiting, linked = [start.headers["location"], *sorted(navigation)], set()
    while waiting:
        path = waiting.pop()
        if path in linked or path not in pages:
            continue
        linked.add(path)
        answer = client.get(path)
        assert answer.status_code == 200, path
        waiting += links_of(answer.text)
    return {path for path, opens in pages.items() if opens} - STEPS, linked - STEPS


@pytest.mark.parametrize("role", ROLES_OF_TENANTS)
@pytest.mark.parametrize("reach", REACHES)
def test_every_link_opens_and_every_page_that_may_be_opened_is_linked(
    role, reach, application, world, facility, browser
):
    email = f"{role}-{uuid4().hex[:8]}@example.org"
    grant = members.Grant([role], [facility] if reach == "facility" else None, assigned_only=reach == "assigned")
    person = members.add_member(world.tenant, email, "Person", grant, actor="test:1")
    with platform_session() as session:
        members.accept(session, person, world.tenant.id)
    open_pages, linked = walk(application, *browser(person, world.tenant.id))
    assert linked == open_pages


@pytest.mark.parametrize("role", ROLES_OF_OPERATORS)
def test_operators_reach_every_page_of_theirs(role, application, browser):
    person = accounts.add_operator(f"{role}-{uuid4().hex[:8]}@example.org", "Operator", role, actor="test:1")
    open_pages, linked = walk(application, *browser(person, None))
    assert linked == open_pages


def test_an_error_page_shows_no_entry_that_is_closed_either(world, facility, browser):
    email = f"few-{uuid4().hex[:8]}@example.org"
    person = members.add_member(world.tenant, email, "P", members.Grant(["partner_admin"], [facility]), actor="test:1")
    with platform_session() as session:
        members.accept(session, person, world.tenant.id)
    client, _ = browser(person, world.tenant.id)
    answer = client.get("/admin")
    assert answer.status_code == 403
    assert "/data" in links_of(answer.text)
    assert "/admin" not in links_of(answer.text)
