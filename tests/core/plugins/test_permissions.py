"""A third-party plugin is there for the tenants that an operator allows it for, and for no other."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import EntryPoint
from uuid import uuid4

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from core.audit.platform import acts
from core.database import DatabaseUnavailable, platform_session, tenant_session
from core.errors import Conflict
from core.identity.keys import create_key
from core.identity.people import members, sessions
from core.plugins import PluginFailed, catalogue, instances, manager, models, permissions, remote
from core.plugins.commands import plugin as command
from core.plugins.errors import CallFailedError
from core.plugins.instances import InstanceIn
from core.plugins.model_failures import log_model_failure
from core.plugins.usable_instances import NotUsableError, log_failure, open_instance
from core.web.etag import ANY_VERSION
from plugins.sdk import seal
from tests.core.plugins.offers import Channel, offered

SETTINGS = {"url": "https://example.org/", "token": "t"}
BODY = {"kind": "alert-channel", "plugin": "sample", "name": "Days", "settings": SETTINGS}


@pytest.fixture
def api(application, client_for, module_tenant):
    names = ["plugins.read", "plugins.write"]
    return client_for(application, create_key(module_tenant, name="x", permissions=names).plaintext)


@pytest.fixture
def theirs(module_tenant):
    """A plugin that does not come with the platform, and that nobody may use yet."""
    with tenant_session(module_tenant, actor="test:1") as session:
        for row in instances.list_instances(session):
            instances.remove_instance(session, row.id, ANY_VERSION, source="cli")
    with platform_session() as session:
        session.execute(text("DELETE FROM platform.plugin_permissions"))
    permissions.forget()
    with offered("alert-channel", Channel()), pytest.MonkeyPatch.context() as patch:
        *others, sample = catalogue.installed()
        patch.setattr(catalogue, "_installed", [*others, replace(sample, first_party=False)])
        yield
    permissions.forget()


def run(*arguments, code=0):
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def names_of(api):
    return {plugin["name"] for plugin in api.get("/v1/plugins").json()["plugins"]}


def set_up(tenant):
    with tenant_session(tenant, actor="test:1") as session:
        return instances.add_instance(
            session, "alert-channel", "sample", InstanceIn("Nights", SETTINGS), source="cli"
        ).id


def test_no_tenant_has_a_plugin_that_nobody_has_allowed(theirs, api, module_tenant):
    assert "sample" not in names_of(api)
    assert "slack" in names_of(api), "what comes with the platform is for all"
    rejected = api.post("/v1/plugin-instances", json=BODY)
    assert (rejected.status_code, "sample" in rejected.json()["remedy"]) == (404, False)
    arguments = ("enable", module_tenant.slug, "alert-channel", "sample", "--as", "Days")
    assert f"iit plugin allow sample --tenant {module_tenant.slug}" in run(*arguments, code=1)


def test_a_plugin_that_is_allowed_for_one_tenant_does_not_exist_for_another(
    theirs, api, application, client_for, module_tenant, make_tenant
):
    other = make_tenant()
    run("allow", "sample", "--tenant", module_tenant.slug)
    assert "sample" in names_of(api)
    instance_id = set_up(module_tenant)
    path = f"/v1/plugin-instances/{instance_id}"
    assert api.get(path).json()["state"] == "ready"
    neighbour = client_for(application, other.api_key)
    assert "sample" not in names_of(neighbour)
    assert neighbour.post("/v1/plugin-instances", json=BODY).status_code == 404

    run("allow", "sample", "--tenant", other.ref.slug)
    run("forbid", "sample", "--tenant", module_tenant.slug)
    assert "sample" in names_of(neighbour)
    assert "sample" not in names_of(api)
    assert api.get(path).json()["state"] == "missing"
    with pytest.raises(NotUsableError, match="plugin_missing"):
        open_instance(module_tenant, instance_id, "alert-channel")
    assert [act["action"] for act in acts(tenant_id=module_tenant.id)][:2] == ["cli:plugin:forbid", "cli:plugin:allow"]


def test_the_page_shows_a_plugin_to_the_tenant_that_may_use_it(theirs, application, client_for, module_tenant):
    person = members.add_member(
        module_tenant, f"{uuid4().hex}@example.org", "Ann", members.Grant(["partner_admin"]), actor="test:1"
    )
    with platform_session() as session:
        members.accept(session, person, module_tenant.id)
        begun = sessions.begin(session, person, module_tenant.id, signed_in_by="password")
    admin = client_for(application, None)
    admin.cookies.set("iit_session", begun.secret)
    form = "/admin/plugins/new/alert-channel/sample"
    assert form not in admin.get("/admin/plugins").text
    assert admin.get(form).status_code == 404
    permissions.allow("sample", [module_tenant], actor="test:1")
    assert re.search(rf'href="{form}"', admin.get("/admin/plugins").text)
    assert admin.get(form).status_code == 200


def test_all_tenants_are_those_of_the_future_too_and_none_can_then_be_taken_out(theirs, module_tenant, make_tenant):
    run("allow", "sample", "--all")
    assert catalogue.find_offer("alert-channel", "sample", make_tenant().ref) is not None
    with pytest.raises(Conflict, match="all partners"):
        permissions.forbid("sample", [module_tenant], actor="test:1")
    run("forbid", "sample", "--all")
    assert catalogue.find_offer("alert-channel", "sample", module_tenant) is None


def test_the_list_and_the_check_say_who_may_use_a_plugin(theirs, module_tenant, monkeypatch):
    def tenants():
        return {row["name"]: row["tenants"] for row in json.loads(run("list", "--json"))["plugins"]}

    assert (tenants()["sample"], tenants()["slack"]) == ("none", "all")
    plugins = catalogue.installed()
    monkeypatch.setattr(catalogue, "_discover", lambda: plugins)
    assert "no tenant may use it yet: iit plugin allow sample" in run("check")
    run("allow", "sample", "--tenant", module_tenant.slug)
    run("allow", "sample", "--tenant", module_tenant.slug)
    assert tenants()["sample"] == module_tenant.slug


def test_a_name_that_cannot_be_allowed_is_rejected(theirs):
    assert "third-party plugins: sample" in run("allow", "their-chanel", "--all", code=1)
    assert "comes with the platform" in run("allow", "slack", "--all", code=1)
    run("allow", "sample", code=2)
    run("allow", "sample", "--all", "--tenant", "alpha", code=2)


def test_a_third_party_model_is_trained_and_used_for_the_tenants_that_it_is_allowed_for(
    theirs, module_tenant, monkeypatch
):
    point = EntryPoint("their-model", "their_model", manager.GROUP)
    monkeypatch.setattr(manager, "_models", {**models(), "oracle": remote.RemoteModel(point, "oracle", "1")})
    monkeypatch.setitem(manager._origins, "oracle", point)
    assert set(models(module_tenant)) == {"additive", "boosting"}
    permissions.allow("their-model", [module_tenant], actor="test:1")
    loaded = models(module_tenant)["oracle"]
    assert loaded.tenant_id == module_tenant.id
    permissions.forbid("their-model", [module_tenant], actor="test:1")
    assert set(models(module_tenant)) == {"additive", "boosting"}
    with pytest.raises(PluginFailed, match="no longer allowed"):
        loaded.load(seal("oracle/1", {"model.json": b"{}"}))
    assert "oracle" in models()


@contextmanager
def away(monkeypatch):
    def fail(*_):
        raise DatabaseUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(permissions, "look_up", fail)
        yield


def test_while_the_database_is_away_the_last_answer_counts_and_without_one_nothing_is_allowed(
    theirs, module_tenant, monkeypatch
):
    permissions.allow("sample", None, actor="test:1")
    with away(monkeypatch):
        assert not permissions.is_allowed("sample", module_tenant.id)
    assert permissions.is_allowed("sample", module_tenant.id)
    monkeypatch.setattr(permissions, "FRESH_SECONDS", -1.0)
    with away(monkeypatch):
        assert permissions.is_allowed("sample", module_tenant.id)


def test_another_process_notices_within_seconds_also_within_a_transaction(theirs, module_tenant, monkeypatch):
    assert not permissions.is_allowed("sample", module_tenant.id)
    with platform_session() as session:  # as another process
        values = {"id": uuid4(), "plugin": "sample", "tenant": module_tenant.id, "actor": "test:1"}
        session.execute(permissions._ADD, values)
    assert not permissions.is_allowed("sample", module_tenant.id), "a copy that is fresh is not read again"
    monkeypatch.setattr(permissions, "FRESH_SECONDS", -1.0)
    with tenant_session(module_tenant, actor="test:1"):
        assert permissions.is_allowed("sample", module_tenant.id)


def test_only_one_thread_reads_at_a_time(theirs, module_tenant, monkeypatch):
    permissions.is_allowed("sample", module_tenant.id)
    reads = []
    monkeypatch.setattr(permissions, "FRESH_SECONDS", -1.0)
    monkeypatch.setattr(permissions, "_read", lambda: reads.append(permissions.is_allowed("sample", module_tenant.id)))
    permissions.is_allowed("sample", module_tenant.id)
    assert reads == [False], "who comes while another one reads has the copy, and reads nothing"


def test_the_log_of_a_plugin_is_for_its_author(theirs, api, module_tenant, make_tenant):
    permissions.allow("sample", None, actor="test:1")
    instance_id = set_up(module_tenant)
    for reason in ("it raised KeyError", "it raised KeyError", "it took too long"):
        log_failure(module_tenant, instance_id, "requests", reason, "Traceback\n  line 7")
    shown = json.loads(run("log", "sample", "--tenant", module_tenant.slug, "--most", "2", "--json"))
    assert shown["counts"][0] == {
        "plugin": "sample",
        "operation": "requests",
        "reason": "it raised KeyError",
        "count": 2,
    }
    assert [row["reason"] for row in shown["failures"]] == ["it took too long", "it raised KeyError"]
    assert shown["failures"][0]["tenant"] == module_tenant.slug
    printed = run("log", "sample", "--tenant", module_tenant.slug)
    assert "    Traceback" in printed
    assert f"{instance_id}: requests: it took too long" in printed
    log_failure(module_tenant, instance_id, "requests", "a title: \x1b]0;mine\x07", "\x1b]0;mine\x07 is printed")
    printed = run("log", "sample", "--tenant", module_tenant.slug)
    assert printed.count("\ufffd]0;mine\ufffd") == 3
    assert "\x1b" not in printed, "the operator's terminal obeys no plugin"
    assert "nothing failed" in run("log", "sample", "--tenant", make_tenant().ref.slug)
    assert "slack" in run("log", "no-such-plugin", code=1)


def test_the_log_of_a_plugin_has_the_models_that_failed_while_they_scored(module_tenant):
    error = CallFailedError("plugin 'additive' raised KeyError", output="Traceback\n  line 9")
    with tenant_session(module_tenant, actor="test:1") as session:
        log_model_failure(session, "additive", "additive-3", "score", error)
        log_model_failure(session, "additive", "additive-3", "explain", ValueError("a person's name"))
        log_model_failure(session, "boosting", "boosting-1", "score", error)
    printed = run("log", "additive", "--tenant", module_tenant.slug)
    assert "models (additive)" in printed
    assert "additive: score: additive-3: plugin 'additive' raised KeyError\n    Traceback\n      line 9" in printed
    assert "additive: explain: additive-3: ValueError" in printed
    assert "boosting" not in printed
    assert "a person's name" not in printed
