"""The kit shows every component, and in production only operators see it."""

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from core.database import platform_session
from core.identity.people import accounts, members, sessions
from core.settings import get_settings
from core.web import kit
from tenants import portal
from tenants.portal import kit_pages

TEMPLATES = Path(kit.__file__).parent / "templates"
PAGE = Path(portal.__file__).parent / "templates" / "kit.html"


@pytest.fixture
def production(database, monkeypatch):
    settings = get_settings().model_copy(update={"environment": "production"})
    monkeypatch.setattr(kit_pages, "get_settings", lambda: settings)


def session_of(role, tenant):
    email = f"{role}-{tenant.slug}@example.org"
    if role.startswith("platform_"):
        person, whose = accounts.add_operator(email, "Operator", role, actor="test:1"), None
    else:
        person = members.add_member(tenant, email, "Person", members.Grant([role]), actor="test:1")
        whose = tenant.id
    with platform_session() as session:
        if whose is not None:
            members.accept(session, person, whose)
        return sessions.begin(session, person, whose, signed_in_by="password").secret


@pytest.mark.parametrize("template", sorted(path.name for path in TEMPLATES.glob("*.html") if path.name != "page.html"))
def test_every_component_is_on_the_page(template):
    macros = set(re.findall(r"{%-? macro (\w+)\(", (TEMPLATES / template).read_text()))
    used = set(re.findall(r"(?:{{|{% call(?:\(\w+\))?|=) ?(\w+)\(", PAGE.read_text()))
    assert macros - used == set()


def test_in_development_everybody_sees_it(application, database):
    assert TestClient(application).get("/kit").status_code == 200


@pytest.mark.parametrize(("role", "status"), [("platform_support", 200), ("partner_admin", 404), (None, 404)])
def test_in_production_operators_alone_see_it(role, status, application, tenant, production):
    client = TestClient(application)
    if role is not None:
        client.cookies.set("iit_session", session_of(role, tenant))
    assert client.get("/kit").status_code == status
