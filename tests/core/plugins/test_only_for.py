"""A third-party plugin that the operator keeps for some tenants is not there for any other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from core.database import tenant_session
from core.identity.keys import create_key
from core.plugins import catalogue, instances
from core.plugins.instances import InstanceIn
from core.plugins.usable_instances import NotUsableError, open_instance
from tests.core.plugins.offers import Channel, offered

SETTINGS = {"url": "https://example.org/", "token": "t"}
BODY = {"kind": "alert-channel", "plugin": "sample", "name": "Days", "settings": SETTINGS}


@pytest.fixture
def api(application, client_for, module_tenant):
    names = ["plugins.read", "plugins.write"]
    return client_for(application, create_key(module_tenant, name="x", permissions=names).plaintext)


@pytest.fixture
def theirs(monkeypatch):
    """A plugin that does not come with the platform."""
    with offered("alert-channel", Channel()):
        *others, sample = catalogue.installed()
        monkeypatch.setattr(catalogue, "_installed", [*others, replace(sample, first_party=False)])
        yield


def names_of(api):
    return {plugin["name"] for plugin in api.get("/v1/plugins").json()["plugins"]}


def test_a_plugin_for_one_tenant_is_not_installed_for_another(theirs, api, module_tenant, settings_of):
    settings_of(plugins_only_for=f"sample={module_tenant.slug}, beta; other=gamma")
    assert "sample" in names_of(api)
    with tenant_session(module_tenant, actor="test:1") as session:
        draft = InstanceIn("Nights", SETTINGS)
        instance_id = instances.add_instance(session, "alert-channel", "sample", draft, source="cli").id
    path = f"/v1/plugin-instances/{instance_id}"
    assert api.get(path).json()["state"] == "ready"

    settings_of(plugins_only_for="sample=beta")
    assert "sample" not in names_of(api)
    assert "slack" in names_of(api)
    assert api.get(path).json()["state"] == "missing"
    refused = api.post("/v1/plugin-instances", json=BODY)
    assert (refused.status_code, "sample" in refused.json()["remedy"]) == (404, False)
    with pytest.raises(NotUsableError, match="plugin_missing"):
        open_instance(module_tenant, instance_id, "alert-channel")


def test_what_comes_with_the_platform_is_for_every_tenant(api, settings_of):
    settings_of(plugins_only_for="slack=beta")
    assert "slack" in names_of(api)


def test_a_name_that_no_installed_plugin_has_is_warned_of(settings_of):
    settings_of(plugins_only_for="slack=beta; their-chanel=alpha")
    with capture_logs() as lines:
        catalogue._discover()
    (warning,) = [line for line in lines if line.get("setting") == "IIT_PLUGINS_ONLY_FOR"]
    assert warning["names"] == ["their-chanel"]
