"""``iit plugin``: every command, for one tenant and one local receiver."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from core.database import tenant_session
from core.plugins import catalogue, instances, secret_commands
from core.plugins.commands import plugin
from core.web.etag import ANY_VERSION
from plugins.sdk.new_plugin import KINDS
from tests.vendors.pagerduty import PagerDuty


def run(*arguments, code=0, typed=None):
    result = CliRunner().invoke(plugin, arguments, input=typed, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.output


@pytest.fixture(scope="module")
def vendor():
    with PagerDuty() as vendor:
        yield vendor


@pytest.fixture
def slug(module_tenant):
    """The tenant's slug; it has no instance yet."""
    with tenant_session(module_tenant, actor="test:1") as session:
        for row in instances.list_instances(session):
            instances.remove_instance(session, row.id, ANY_VERSION, source="cli")
    return module_tenant.slug


@pytest.fixture
def enabled(slug, vendor):
    """The id of an instance that was set up at the command line."""
    arguments = ("alert-channel", "pagerduty", "--as", "On call", "--set", f"address={vendor.url}")
    secrets = ("--secret", "routing_key", "--secret", "webhook_secret")
    return run("enable", slug, *arguments, *secrets, typed=f"{vendor.routing_key}\n{vendor.webhook_secret}\n").split()[
        -1
    ]


def row_of(tenant):
    with tenant_session(tenant, actor="test:1") as session:
        (row,) = instances.list_instances(session)
        return row, instances.secrets_of(session, row)


def test_the_list_says_what_is_installed_and_what_it_offers():
    rows = {row["name"]: row for row in json.loads(run("list", "--json"))["plugins"]}
    assert rows["slack"]["state"] == "ready"
    assert rows["slack"]["offers"].split() == ["alert-channel:slack", "alert-channel:slack-bot"]
    assert "pagerduty" in run("list")


def test_show_prints_the_schema_of_the_settings_and_names_what_there_is_otherwise():
    shown = json.loads(run("show", "pagerduty", "--json"))
    assert shown["offers"][0]["settings"]["properties"]["routing_key"]["writeOnly"] is True
    assert json.loads(run("show", "pagerduty")) == shown
    assert "slack" in run("show", "no-such-plugin", code=1)


def test_check_names_each_plugin_that_cannot_be_used(monkeypatch):
    run("check")
    broken = catalogue.InstalledPlugin("theirs", "theirs", "1", first_party=False, state="broken", reason="no module")
    monkeypatch.setattr(catalogue, "_discover", lambda: [broken])
    assert "theirs: broken: no module" in run("check", code=1)
    catalogue.reload()


def test_enable_sets_an_instance_up_whose_secrets_no_command_prints(module_tenant, slug, vendor, enabled):
    row, secrets = row_of(module_tenant)
    assert (str(row.id), row.name, row.settings["address"]) == (enabled, "On call", vendor.url)
    assert secrets == {"routing_key": vendor.routing_key, "webhook_secret": vendor.webhook_secret}
    output = run("list", "--tenant", slug, "--json")
    assert json.loads(output)["instances"][0]["state"] == "ready"
    assert vendor.routing_key not in output
    assert "NAME=VALUE" in run("enable", slug, "alert-channel", "pagerduty", "--as", "x", "--set", "address", code=2)


def test_secrets_of_scripts_come_from_files_and_standard_input(module_tenant, slug, vendor, tmp_path):
    file = tmp_path / "secret"
    file.write_text(f"{vendor.webhook_secret}\n")
    base = ("enable", slug, "alert-channel", "pagerduty", "--as", "On call", "--set", f"address={vendor.url}")
    in_file = ("--secret-file", f"webhook_secret={file}")
    run(*base, "--secret-file", "routing_key=-", *in_file, typed=f"{vendor.routing_key}\n")
    row, secrets = row_of(module_tenant)
    assert secrets == {"routing_key": vendor.routing_key, "webhook_secret": vendor.webhook_secret}
    run("configure", slug, str(row.id), "--secret-file", "webhook_secret=-", typed="another-secret-of-16\n")
    assert row_of(module_tenant)[1]["webhook_secret"] == "another-secret-of-16"
    for options, problem in [
        (("--secret", "routing_key", *in_file), "no line for the secret routing_key"),
        (("--secret-file", "routing_key=-", *in_file), "the file of the secret routing_key is empty"),
        (("--secret-file", "routing_key"), "NAME=FILE"),
        (("--secret-file", f"routing_key={tmp_path}/none"), "No such file"),
        (("--secret", "routing_key", "--secret-file", "webhook_secret=-"), "one use"),
    ]:
        assert problem in " ".join(run(*base, *options, code=2, typed="").split())


def test_a_person_is_asked_for_a_secret_and_types_it_unseen(module_tenant, slug, vendor, enabled, monkeypatch):
    monkeypatch.setattr(secret_commands, "_at_terminal", lambda: True)
    monkeypatch.setattr(
        secret_commands.click, "prompt", lambda name, **how: f"typed for {name}, hidden: {how['hide_input']}"
    )
    run("configure", slug, enabled, "--secret", "webhook_secret")
    assert row_of(module_tenant)[1]["webhook_secret"] == "typed for webhook_secret, hidden: True"


def test_test_sends_one_test_and_says_what_became_of_it(slug, vendor, enabled):
    assert run("test", slug, enabled).strip() == "sent"
    vendor.fail(400)
    assert json.loads(run("test", slug, enabled, "--json", code=1)) == {"state": "failed", "reason": "invalid_event"}


def test_configure_changes_what_it_names_and_disable_ends_its_use(module_tenant, slug, vendor, enabled):
    run("disable", slug, enabled)
    assert row_of(module_tenant)[0].enabled is False
    assert "disabled" in run("test", slug, enabled, code=1)
    run("configure", slug, enabled, "--secret", "webhook_secret", typed="another-secret-of-16\n")
    row, secrets = row_of(module_tenant)
    assert (row.enabled, row.settings["address"]) == (True, vendor.url)
    assert secrets == {"routing_key": vendor.routing_key, "webhook_secret": "another-secret-of-16"}


def test_new_writes_a_plugin_into_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for kind in KINDS:  # tests/plugins/test_sdk.py runs the tests of each
        folder = run("new", f"their-{kind}", "--kind", kind).strip()
        assert (tmp_path / folder / "pyproject.toml").exists()
        assert f'"iit.plugins"]\ntheir-{kind} =' in (tmp_path / folder / "pyproject.toml").read_text()
        code = "".join(path.read_text() for path in (tmp_path / folder).glob("their_*/*.py"))
        assert f'"their-{kind}"' in code, "what it offers has a name that no other plugin takes"
        assert kind in run("new", "--help")
    run("new", "their-channel", "--kind", "no-such-kind", code=2)
