"""The admin's pages of webhooks: a secret is shown one time, and a stopped webhook is seen by who opens Admin."""

import re

import pytest

from core.database import platform_session, tenant_session
from core.events.catalogue import public_types
from core.identity.people import members, sessions
from core.webhooks import service
from tenants.portal.webhook_words import EVENTS
from tests.keyed import KeyedClient

URL = "https://emr.example.org/hooks"


@pytest.fixture(scope="module")
def admin(application, module_tenant):
    """A browser of a partner's admin: ``admin.submit(path, **fields)`` posts a form as a page does."""
    grant = members.Grant(["partner_admin"])
    person_id = members.add_member(module_tenant, "a@example.org", "Ann Admin", grant, actor="test:1")
    with platform_session() as session:
        members.accept(session, person_id, module_tenant.id)
        begun = sessions.begin(session, person_id, module_tenant.id, signed_in_by="password")
    client = KeyedClient(application, follow_redirects=True)
    client.cookies.set("iit_session", begun.secret)
    token = re.search(r'name="csrf_token" value="([^"]*)"', client.get("/me").text)[1]
    origin = {"Origin": str(client.base_url).rstrip("/")}
    client.submit = lambda path, **fields: client.post(path, data={**fields, "csrf_token": token}, headers=origin)
    return client


@pytest.fixture
def webhook(module_tenant):
    """The id of the partner's only webhook."""
    with tenant_session(module_tenant, actor="test:1") as session:
        for row in service.list_endpoints(session):
            session.delete(row)
        return service.add_endpoint(session, URL, [], source="cli").endpoint.id


def test_a_secret_is_on_one_page_only(admin, webhook):
    created = admin.submit("/admin/webhooks/new", url=f"{URL}/new", events=["risk.scored"])
    rotated = admin.submit(f"/admin/webhooks/{webhook}/rotate")
    assert created.text.count("whsec_") == rotated.text.count("whsec_") == 1
    assert "The earlier secret signs too until" in rotated.text
    listed, shown = admin.get("/admin/webhooks").text, admin.get(f"/admin/webhooks/{webhook}").text
    assert f"{URL}/new" in listed
    assert "whsec_" not in listed + shown


def test_a_wrong_address_and_an_old_version_are_said(admin, webhook):
    wrong = admin.submit("/admin/webhooks/new", url="http://emr.example.org")
    assert (wrong.status_code, "Begin the address with https://" in wrong.text) == (422, True)
    assert admin.submit(f"/admin/webhooks/{webhook}/change", url=URL, version='"old"').status_code == 412


def test_a_delivery_is_listed_found_by_its_state_and_sent_again(admin, webhook):
    page = admin.submit(f"/admin/webhooks/{webhook}/example", event="risk.scored")
    assert "The example is sent." in page.text
    resend = re.search(rf"/admin/webhooks/{webhook}/deliveries/[0-9a-f-]+/resend", page.text)[0]
    assert "The delivery is sent again." in admin.submit(resend).text
    assert "The deliveries are sent again." in admin.submit(f"/admin/webhooks/{webhook}/replay", hours="1").text
    assert "No delivery matches" in admin.get(f"/admin/webhooks/{webhook}?state=failed").text


def test_who_opens_admin_sees_what_failures_stopped_and_not_what_a_person_did(admin, webhook, module_tenant):
    admin.submit(f"/admin/webhooks/{webhook}/disable")
    assert "stopped after its failures" not in admin.get("/admin").text
    with tenant_session(module_tenant, actor="test:1") as session:
        session.cursor().execute("UPDATE webhook_endpoints SET reason = 'failing' WHERE id = %s", (webhook,))
    for path in ("/admin", "/admin/webhooks"):
        assert "1 webhook was stopped after its failures" in admin.get(path).text
    assert "The webhook receives events again." in admin.submit(f"/admin/webhooks/{webhook}/enable").text
    assert "stopped after its failures" not in admin.get("/admin").text


def test_each_public_event_is_explained():
    assert EVENTS.keys() == public_types().keys()
