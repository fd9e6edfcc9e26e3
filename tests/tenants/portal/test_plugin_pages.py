"""The admin's pages of plugins: forms from schemas, secrets that no page shows, tests that say what became of them."""

import re
from html import unescape
from importlib.metadata import EntryPoint
from uuid import uuid4

import pytest
from sqlmodel import select

from core.audit.models import AuditEvent
from core.database import platform_session, tenant_session
from core.identity.people import members, sessions
from core.plugins import catalogue, instances, manager, permissions
from core.plugins.errors import PluginFailed
from core.plugins.instance_health import count_failure
from core.plugins.instances import InstanceIn
from core.plugins.usable_instances import log_failure
from core.web.etag import ANY_VERSION, etag
from tenants.imports.fetching.service import SourceState, Terms
from tenants.portal.plugin_fields import fields_of, values_of
from tenants.portal.source_pages import state_of
from tests.core.plugins.offers import Channel, offered
from tests.keyed import KeyedClient
from tests.vendors.africastalking import AfricasTalking
from tests.vendors.pagerduty import PagerDuty

NEW = "/admin/plugins/new/alert-channel"
TOKEN = "very-secret-token"
SCHEMA = {
    "type": "object",
    "required": ["url", "token"],
    "properties": {
        "url": {"type": "string", "format": "uri", "title": "Address"},
        "token": {"type": "string", "writeOnly": True, "title": "Token"},
        "signing": {"type": "string", "writeOnly": True, "title": "Signing secret"},
        "level": {"type": "string", "enum": ["low", "high"], "title": "Level", "default": "low"},
        "most": {"type": "integer", "minimum": 1, "maximum": 20, "title": "Most"},
        "share": {"type": "number", "exclusiveMinimum": 0, "title": "Share"},
        "quiet": {"type": "boolean", "title": "Quiet", "default": False},
        "rooms": {"type": "array", "items": {"type": "string"}, "title": "Rooms"},
        "days": {"type": "array", "items": {"type": "string", "enum": ["mon", "tue"]}, "title": "Days"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}, "title": "Labels"},
        "code": {"type": "string", "maxLength": 4, "title": "Code"},
    },
    "anyOf": [{"required": ["rooms"]}, {"required": ["code"]}],
}
GOOD = {
    "name": "Nights",
    "enabled": "yes",
    "set.url": "https://example.org/in",
    "set.token": TOKEN,
    "set.signing": "another-secret",
    "set.level": "high",
    "set.most": "7",
    "set.share": "0,5",
    "set.quiet": "yes",
    "set.rooms": "a\n\n b ",
    "set.days": ["mon", "tue"],
    "set.labels": "team = north\nlead=Ada",
    "set.code": "",
}
STORED = {
    "url": "https://example.org/in",
    "level": "high",
    "most": 7,
    "share": 0.5,
    "quiet": True,
    "rooms": ["a", "b"],
    "days": ["mon", "tue"],
    "labels": {"team": "north", "lead": "Ada"},
}


@pytest.fixture(scope="module")
def admin(application, module_tenant):
    """A browser of a partner's admin: ``admin.submit(path, **fields)`` posts a form as a page does."""
    person_id = members.add_member(
        module_tenant, "a@example.org", "Ann Admin", members.Grant(["partner_admin"]), actor="test:1"
    )
    with platform_session() as session:
        members.accept(session, person_id, module_tenant.id)
        begun = sessions.begin(session, person_id, module_tenant.id, signed_in_by="password")
    client = KeyedClient(application, follow_redirects=True)
    client.cookies.set("iit_session", begun.secret)
    token = re.search(r'name="csrf_token" value="([^"]*)"', client.get("/me").text)[1]
    origin = {"Origin": str(client.base_url).rstrip("/")}
    client.submit = lambda path, fields=(): client.post(
        path, data={**dict(fields), "csrf_token": token}, headers=origin
    )
    return client


@pytest.fixture(autouse=True)
def offer(module_tenant):
    """A channel with a setting of every type; the partner has no instance yet."""
    with tenant_session(module_tenant, actor="test:1") as session:
        for row in instances.list_instances(session):
            instances.remove_instance(session, row.id, ANY_VERSION, source="cli")
    with offered("alert-channel", Channel(settings_schema=lambda: SCHEMA)):
        yield


@pytest.fixture
def channel(module_tenant):
    with tenant_session(module_tenant, actor="test:1") as session:
        settings = {**STORED, "token": TOKEN, "signing": "another-secret"}
        return instances.add_instance(
            session, "alert-channel", "sample", InstanceIn("Nights", settings), source="cli"
        ).id


def only(tenant):
    with tenant_session(tenant, actor="test:1") as session:
        (row,) = instances.list_instances(session)
        return row, instances.secrets_of(session, row)


def test_a_form_stores_a_setting_of_every_type_and_shows_no_secret(admin, module_tenant):
    page = admin.submit(f"{NEW}/sample", GOOD)
    row, secrets = only(module_tenant)
    assert (row.name, row.enabled, row.settings) == ("Nights", True, STORED)
    assert secrets == {"token": TOKEN, "signing": "another-secret"}
    pages = [page, *(admin.get(f"/admin/plugins{path}") for path in ("", f"/{row.id}", f"/{row.id}/change"))]
    assert [each.status_code for each in pages] == [200] * 4
    assert "secret-token" not in "".join(each.text for each in pages)
    assert "The plugin is set up." in page.text
    assert "lead = Ada\nteam = north</textarea>" in pages[-1].text


def test_what_is_wrong_stands_beside_its_field_and_no_secret_comes_back(admin, module_tenant):
    wrong = {
        **GOOD,
        "name": " ",
        "set.url": "http://example.org",
        "set.most": "many",
        "set.share": "0",
        "set.code": "x" * 9,
    }
    page = admin.submit(f"{NEW}/sample", wrong)
    assert page.status_code == 422
    errors = dict(re.findall(r'<p class="field-error" id="([^"]+)-error">([^<]+)</p>', page.text))
    assert errors == {
        "name": "The name needs 1 to 80 characters.",
        "set.url": "Is not an HTTPS address. Begin it with https://, without a user name, a password or a fragment.",
        "set.most": "This value does not fit. From 1 to 20.",
        "set.share": "This value does not fit. 0 or more.",
        "set.code": "This value does not fit. At most 4 characters.",
    }
    assert TOKEN not in page.text
    assert 'value="many"' in page.text
    missing = admin.submit(f"{NEW}/sample", {**GOOD, "set.url": "", "set.token": "", "set.rooms": ""})
    assert re.findall(r'id="([^"]+)-error">Fill this in.<', missing.text) == ["set.url", "set.token"]
    assert "Needs one of these: rooms; code." in missing.text


def test_secrets_stay_are_replaced_and_are_removed_and_belong_to_their_address(admin, module_tenant, channel):
    def change(**fields):
        version = etag(only(module_tenant)[0].version_id)
        form = {**GOOD, "version": version, "set.token": "", "set.signing": "", **fields}
        return admin.submit(f"/admin/plugins/{channel}/change", form)

    assert "The changes are saved." in change().text
    assert only(module_tenant)[1] == {"token": TOKEN, "signing": "another-secret"}
    change(**{"set.token": "new-one", "remove.signing": "yes"})
    assert only(module_tenant)[1] == {"token": "new-one"}
    with tenant_session(module_tenant, actor="test:1") as session:
        own = select(AuditEvent).where(AuditEvent.subject_uuid == channel, AuditEvent.action == "page:plugin:change")
        changes = session.exec(own.order_by(AuditEvent.event_id)).all()
    assert [event.detail for event in changes] == [{"changed": []}, {"changed": ["secrets"]}]
    moved = change(**{"set.url": "https://example.net/in"})
    assert "Was entered for another address. Type the secret again." in moved.text
    assert admin.submit(f"/admin/plugins/{channel}/change", {**GOOD, "version": '"old"'}).status_code == 412


def test_two_instances_of_one_plugin_need_names_of_their_own(admin, module_tenant, channel):
    taken = admin.submit(f"{NEW}/sample", GOOD)
    assert taken.status_code == 409
    assert 'id="name-error">Another instance has the name Nights.' in taken.text
    admin.submit(f"{NEW}/sample", {**GOOD, "name": "Days"})
    page = admin.get("/admin/plugins").text
    assert "2 in use" in page
    assert page.index("Days") < page.index("Installed")


def test_an_instance_is_switched_off_on_and_removed(admin, module_tenant, channel):
    path = f"/admin/plugins/{channel}"
    off = admin.submit(f"{path}/disable").text
    assert "Switched off" in off
    assert "Send a test" not in off
    assert "It is switched on." in admin.submit(f"{path}/enable").text
    version = etag(only(module_tenant)[0].version_id)
    assert "It is removed" in admin.submit(f"{path}/remove", {"version": version}).text
    assert admin.get(path).status_code == 404


def test_a_test_says_what_became_of_it(admin, module_tenant):
    with PagerDuty() as vendor:
        form = {"name": "On call", "enabled": "yes", **{f"set.{name}": text for name, text in vendor.settings.items()}}
        admin.submit(f"{NEW}/pagerduty", form)
        path = f"/admin/plugins/{only(module_tenant)[0].id}"
        assert "The test arrived" in admin.submit(f"{path}/test").text
        vendor.fail(400)
        failed = admin.submit(f"{path}/test").text
        assert "The test failed" in failed
        assert "Reason: invalid_event." in failed
        assert vendor.routing_key not in failed


def test_a_gateway_is_tested_with_a_message_to_the_phone_of_who_tests(admin, module_tenant):
    with AfricasTalking() as vendor:
        form = {"name": "Gate", "enabled": "yes", **{f"set.{name}": text for name, text in vendor.settings.items()}}
        admin.submit("/admin/plugins/new/sms-gateway/africastalking", form)
        path = f"/admin/plugins/{only(module_tenant)[0].id}"
        wrong = admin.submit(f"{path}/test", {"phone": "12"})
        assert (wrong.status_code, "with its country code" in wrong.text) == (422, True)
        assert "The test arrived" in admin.submit(f"{path}/test", {"phone": "+254712345678"}).text


def test_failures_and_the_last_success_are_shown(admin, module_tenant, channel):
    with tenant_session(module_tenant, actor="test:1") as session:
        for _ in range(3):
            count_failure(session, channel, "server_error")
    log_failure(module_tenant, channel, "requests", "plugin_failed", "<b>KeyError</b>")
    page = admin.get(f"/admin/plugins/{channel}").text
    assert "Failing since" in page
    assert re.search(r"Failures in a row</dt>\s*<dd[^>]*>\s*3", page)
    assert "the receiver had an error of its own" in page
    assert "&lt;b&gt;KeyError" in page
    assert "Failing" in admin.get("/admin/plugins").text


def test_the_address_for_a_vendor_is_on_one_page_only(admin, module_tenant, channel):
    with tenant_session(module_tenant, actor="test:1") as session:
        token = instances.token_of(session, instances.get_instance(session, channel))
    assert token in admin.submit(f"/admin/plugins/{channel}/address").text
    assert token not in admin.get(f"/admin/plugins/{channel}").text
    assert token not in admin.submit(f"/admin/plugins/{channel}/rotate-address").text


def test_a_plugin_that_is_gone_or_broken_is_said_to_be(admin, module_tenant, channel, monkeypatch):
    broken = catalogue.InstalledPlugin(
        "broken", "their-channel", "2", first_party=False, state="broken", reason="it raised ImportError"
    )
    others = [plugin for plugin in catalogue.installed() if plugin.name != "sample"]
    monkeypatch.setattr(catalogue, "_installed", [*others, broken])
    monkeypatch.setattr(permissions, "is_allowed", lambda name, _: name == "broken")
    listed, shown = admin.get("/admin/plugins").text, admin.get(f"/admin/plugins/{channel}").text
    assert "Plugin missing" in listed
    assert "it raised ImportError" in listed
    assert "Installed by the operator: their-channel 2" in listed
    assert "Plugin missing" in shown
    assert "Send a test" not in shown


@pytest.mark.parametrize(
    ("state", "word"),
    [("failing", "Fails"), ("missing", "Plugin is missing"), ("needs-secrets", "Needs its secrets")],
)
def test_a_source_that_fails_again_and_again_is_not_said_to_lack_its_plugin(state, word):
    source = SourceState(uuid4(), "State server", "sftp", state, Terms(), None, outcome="failed")
    assert state_of(source)[0] == word


@pytest.mark.parametrize("text", ["inf", "nan", "1e999"])
def test_what_no_number_is_stays_a_text_that_the_schema_rejects(text):
    assert values_of(fields_of(SCHEMA, {}), {"set.share": text})["share"] == text


def test_what_a_hostile_plugin_says_of_itself_breaks_no_answer(admin, monkeypatch):
    def hostile(*_, **__):
        raise PluginFailed("half a \ud800 and a \0")

    monkeypatch.setattr(catalogue, "_offers_of", hostile)
    monkeypatch.setattr(permissions, "is_allowed", lambda *_: True)
    broken = catalogue._look_at(EntryPoint("hostile", "hostile", manager.GROUP), set())
    monkeypatch.setattr(catalogue, "_installed", [*catalogue.installed(), broken])
    page = admin.get("/admin/plugins")
    assert (page.status_code, "half a ? and a \ufffd" in page.text) == (200, True)


def test_the_terms_of_a_source_are_changed_by_one_person_at_a_time(admin, module_tenant):
    with tenant_session(module_tenant, actor="test:1") as session:
        draft = InstanceIn("Server", {"url": "https://example.org/list.csv"})
        path = f"/data/sources/{instances.add_instance(session, 'importer', 'https', draft, source='cli').id}"
    version = unescape(re.search(r'name="version" value="([^"]+)"', admin.get(path).text)[1])
    form = {"cron": "0 3 * * *", "active": "yes", "version": version}
    assert "Rejected files are tried again" in admin.submit(path, form).text
    stale = admin.submit(path, {**form, "cron": "0 4 * * *"})
    assert (stale.status_code, "Nothing was saved" in stale.text) == (412, True)
