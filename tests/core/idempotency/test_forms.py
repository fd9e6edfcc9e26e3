"""Each form of a page that changes something carries a key, and takes effect once."""

import re
from pathlib import Path
from uuid import uuid4

import pytest

from core.database import platform_session
from core.database.joining import outer_connection
from core.errors import NotFound
from core.identity import csrf
from core.identity.people import members, sessions
from tenants.portal import patient_pages
from tests.keyed import KeyedClient

ROOT = Path(__file__).parents[3]
TEMPLATES = [path for room in ("core", "tenants") for path in sorted((ROOT / room).rglob("templates/**/*.html"))]
MACRO = re.compile(r"{%-?\s*macro (\w+)\(.*?%}(.*?){%-?\s*endmacro", re.DOTALL)
FORM = re.compile(r"<form\b[^>]*\bmethod=\"post\".*?</form>", re.DOTALL)
REPLAYED = "idempotency-replayed"


def calls(text, names):
    return any(re.search(rf"{{{{-?\s*{name}\(", text) for name in names)


def bearers():
    """The macros that write a form's key."""
    names = {"form_key"}
    while True:
        more = {name for path in TEMPLATES for name, body in MACRO.findall(path.read_text()) if calls(body, names)}
        if more <= names:
            return names
        names |= more


def test_every_form_carries_a_key():
    names = bearers()
    forms = [(path, form) for path in TEMPLATES for form in FORM.findall(path.read_text())]
    assert len(forms) > 40
    assert [f"{path.name}: {form[:80]}" for path, form in forms if not calls(form, names)] == []


@pytest.fixture
def admin(application, tenant):
    """A browser of an admin, and the token of their session."""
    return browser_of(application, tenant, "partner_admin")


def browser_of(application, tenant, role):
    grant = members.Grant([role])
    person = members.add_member(tenant, f"{role}@{tenant.slug}.example.org", "Name", grant, actor="test:1")
    with platform_session() as session:
        members.accept(session, person, tenant.id)
        begun = sessions.begin(session, person, tenant.id, signed_in_by="password")
    client = KeyedClient(application, follow_redirects=False, headers={"Origin": "http://testserver"})
    client.cookies.set("iit_session", begun.secret)
    client.token = csrf.token_of(begun.secret)
    return client


def post(admin, path, **fields):
    return admin.post(path, data={"csrf_token": admin.token, **fields})


def keys_of(admin):
    return set(re.findall(r"/admin/keys/([0-9a-f-]{36})/revoke", admin.get("/admin/keys").text))


def test_a_form_that_is_sent_twice_takes_effect_once(admin):
    before, key = keys_of(admin), str(uuid4())
    fields = {"key_name": "Double", "permissions": "facilities.read", "idempotency_key": key}
    first, again = post(admin, "/admin/keys/new", **fields), post(admin, "/admin/keys/new", **fields)
    assert first.status_code < 400, first.text
    assert (again.status_code, again.text, again.headers[REPLAYED]) == (first.status_code, first.text, "true")
    assert len(keys_of(admin) - before) == 1


def test_a_form_that_was_changed_after_back_is_another_one(admin):
    before, key = keys_of(admin), str(uuid4())
    for name in ("One", "Two", "One"):
        fields = {"key_name": name, "permissions": "facilities.read", "idempotency_key": key}
        assert REPLAYED not in post(admin, "/admin/keys/new", **fields).headers
    assert len(keys_of(admin) - before) == 3


def test_each_rendering_of_a_form_has_a_key_of_its_own(admin):
    keys = [re.findall(r'name="idempotency_key" value="([\w-]+)"', admin.get("/admin/keys/new").text) for _ in "ab"]
    assert all(keys)
    assert len({*keys[0], *keys[1]}) == len(keys[0]) + len(keys[1])


def test_the_settings_of_a_tenant_are_changed_once(admin):
    page = admin.get("/admin/settings").text
    group = re.findall(r'href="/admin/settings/(\w+)"', page)[0]
    fields = {"idempotency_key": str(uuid4())}
    first, again = (post(admin, f"/admin/settings/{group}/reset", **fields) for _ in "ab")
    assert first.status_code == 303, first.text
    assert (again.status_code, again.headers["location"], again.headers[REPLAYED]) == (
        303,
        first.headers["location"],
        "true",
    )


def test_a_form_with_errors_is_shown_after_the_transaction_of_its_key(application, tenant, monkeypatch):
    manager = browser_of(application, tenant, "case_manager")
    joined = []

    def read_view(scope, *_):
        joined.append(outer_connection(scope.tenant.id))
        raise NotFound("nobody")

    monkeypatch.setattr(patient_pages, "read_view", read_view)
    fields = {"id": str(uuid4()), "outcome": "none", "idempotency_key": str(uuid4())}
    answer = post(manager, f"/patients/{uuid4()}/attempts", **fields)
    assert (answer.status_code, joined) == (404, [None])
