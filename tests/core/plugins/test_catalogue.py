"""A plugin that cannot be used is listed with its state and the reason; it is not started where it may not run."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from core.database import tenant_session
from core.database.transactions import TransactionOpenError
from core.plugins import catalogue, confinement, remote
from core.plugins.calls import call
from core.plugins.commands import plugin as plugin_command
from plugins.sdk import HttpResponse
from tests.core.plugins.conftest import SAMPLES
from tests.core.plugins.offers import Channel, offered

SOURCE = (SAMPLES / "channel_plugin.py").read_text()


@pytest.fixture
def third_party(install):
    """Installs third-party plugins; gives those that are listed, by name."""

    def add(**modules):
        install(**modules)
        catalogue.reload()
        return {plugin.name: plugin for plugin in catalogue.installed() if not plugin.first_party}

    yield add
    catalogue.reload()


def test_a_plugin_for_another_version_of_the_hooks_says_which_and_hurts_no_other(third_party):
    listed = third_party(
        good=SOURCE,
        future=SOURCE.replace("IIT_SDK = 1", "IIT_SDK = 2"),
        unversioned=SOURCE.replace("IIT_SDK = 1", ""),
        broken="raise RuntimeError('at import')",
    )
    states = {"good": "ready", "future": "other-version", "unversioned": "other-version", "broken": "broken"}
    assert {name: plugin.state for name, plugin in listed.items()} == states
    assert "written for version 2 of the hooks, the platform offers 1" in listed["future"].reason
    assert [offer.name for plugin in listed.values() for offer in plugin.offers] == ["foreign"]


def test_a_plugin_that_cannot_be_confined_is_not_started_and_the_list_says_so(third_party, monkeypatch, settings_of):
    started = []
    describe = remote.describe_elsewhere
    monkeypatch.setattr(confinement, "gaps", lambda: (confinement.GAPS[confinement.NETWORK],))
    monkeypatch.setattr(remote, "describe_elsewhere", lambda point: (started.append(point.name), describe(point))[1])
    settings_of(plugins_unconfined="named")
    listed = third_party(named=SOURCE, stranger=SOURCE)
    assert {name: plugin.state for name, plugin in listed.items()} == {"named": "ready", "stranger": "not-confined"}
    assert "IIT_PLUGINS_UNCONFINED" in listed["stranger"].reason
    assert started == ["named"]
    output = CliRunner().invoke(plugin_command, ["list"], catch_exceptions=False).output
    assert "not-confined" in output
    assert "third-party plugins are not fully confined on this system" in output


def test_no_plugin_is_called_while_a_transaction_is_open(tenant):
    with offered("alert-channel", Channel()) as (offer,):
        with tenant_session(tenant, actor="test:1"), pytest.raises(TransactionOpenError, match="'sample'"):
            call(offer, tenant, "outcome", HttpResponse(200), {})
        assert call(offer, tenant, "outcome", HttpResponse(200), {}).state == "sent"
