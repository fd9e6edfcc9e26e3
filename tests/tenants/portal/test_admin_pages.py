"""The room Admin for roles of the tenant's own: its entry is there when one of its pages may be opened."""

import re
from uuid import uuid4

import pytest

from core.database import platform_session
from core.identity.people import accounts, members, sessions
from core.identity.tenant_roles.service import RoleAuthor, RoleDraft, create_role
from tests.keyed import KeyedClient


@pytest.fixture
def visitor(application, tenant):
    """A browser of a person with these permissions alone: ``visitor("people.read")``."""

    def begin(*permissions):
        name = f"role-{len(permissions)}-{permissions[0].replace('.', '-')}"
        create_role(tenant, RoleDraft(name, "Of a test", (), permissions), RoleAuthor("test:1"))
        grant = members.Grant([name])
        person_id = members.add_member(tenant, f"{name}@{tenant.slug}.example.org", "P", grant, actor="test:1")
        with platform_session() as session:
            members.accept(session, person_id, tenant.id)
            begun = sessions.begin(session, person_id, tenant.id, signed_in_by="password")
        client = KeyedClient(application, follow_redirects=False)
        client.cookies.set("iit_session", begun.secret)
        return client

    return begin


def links_of(page):
    return set(re.findall(r'href="(/admin[a-z/]*)"', page.text))


def test_who_may_open_one_page_of_admin_gets_the_entry_and_links_to_that_page_alone(visitor):
    reader = visitor("people.read")
    assert reader.get("/start").headers["location"] == "/admin"
    admin = reader.get("/admin")
    assert (admin.status_code, links_of(admin)) == (200, {"/admin", "/admin/people", "/admin/roles"})
    people = reader.get("/admin/people")
    assert (people.status_code, links_of(people)) == (200, {"/admin"})
    assert reader.get("/admin/people/new").status_code == 403


@pytest.mark.parametrize("permission", ["audit.read", "keys.read", "sso.manage", "settings.read", "webhooks.read"])
def test_each_part_of_admin_is_reached_from_its_first_page(visitor, permission):
    reader = visitor(permission)
    parts = links_of(reader.get("/admin")) - {"/admin"}
    assert len(parts) == (2 if permission == "settings.read" else 1)  # settings and schedules
    assert {reader.get(part).status_code for part in parts} == {200}


def test_who_may_open_none_of_them_is_told_which_permissions_there_are(visitor):
    stranger = visitor("cohort.read")
    answer = stranger.get("/admin")
    assert answer.status_code == 403
    assert "you need one of these permissions: " in answer.text
    assert "See the people of the partner, and what they may do" in answer.text
    assert links_of(stranger.get("/me")) == set()


def test_people_are_offered_no_role_of_programs(application, tenant):
    admin = members.add_member(tenant, "a@example.org", "Admin", members.Grant(["partner_admin"]), actor="test:1")
    with platform_session() as session:
        members.accept(session, admin, tenant.id)
        begun = sessions.begin(session, admin, tenant.id, signed_in_by="password")
    client = KeyedClient(application)
    client.cookies.set("iit_session", begun.secret)
    text = client.get("/admin/people/new").text
    assert 'value="viewer"' in text
    assert 'value="service"' not in text


def test_an_operator_on_a_page_of_a_partner_reads_whose_it_is_and_where_to_go(application):
    operator = accounts.add_operator(f"o-{uuid4().hex[:8]}@example.org", "Operator", "platform_admin", actor="test:1")
    with platform_session() as session:
        begun = sessions.begin(session, operator, None, signed_in_by="password")
    client = KeyedClient(application)
    client.cookies.set("iit_session", begun.secret)
    page = client.get("/today")
    assert page.status_code == 403
    assert "this page is a partner&#39;s, and you are signed in as an operator" in page.text
    assert '<a class="button main" href="/operators">' in page.text
    assert "credential" not in page.text
