"""``iit key``: the plaintext is printed once, everything else tells no secret."""

import json

import pytest
from click.testing import CliRunner

from core.cli.main import run
from core.errors import Unauthenticated
from core.identity.commands import key
from core.identity.keys import verify_key


def iit_key(*arguments):
    return CliRunner().invoke(key, arguments, catch_exceptions=False)


def test_the_key_that_create_prints_works_and_is_the_only_line(tenant):
    result = iit_key("create", tenant.slug, "--name", "laptop", "--permission", "audit.read")
    assert result.exit_code == 0
    verified = verify_key(result.stdout.strip())
    assert verified.tenant == tenant
    assert verified.principal.permissions == {"audit.read"}


def test_with_json_each_command_prints_one_object(tenant):
    created = json.loads(iit_key("create", tenant.slug, "--expires", "2999-01-01", "--json").stdout)
    listed = json.loads(iit_key("list", tenant.slug, "--json").stdout)["keys"]
    assert {created["id"]} < {item["id"] for item in listed}
    assert created["api_key"] not in str(listed)
    assert json.loads(iit_key("revoke", tenant.slug, created["id"], "--json").stdout) == {
        "id": created["id"],
        "revoked": True,
    }
    assert {"name", "description"} == set(json.loads(iit_key("permissions", "--json").stdout)["permissions"][0])
    with pytest.raises(Unauthenticated, match="revoked"):
        verify_key(created["api_key"])


def test_the_lists_for_people_show_prefixes_and_permissions_and_no_secret(tenant):
    plaintext = iit_key("create", tenant.slug, "--name", "laptop").stdout.strip()
    prefix, secret = plaintext.split("_")[1:]
    shown = iit_key("list", tenant.slug).stdout
    assert prefix in shown
    assert "laptop" in shown
    assert secret not in shown
    assert "audit.read" in iit_key("permissions").stdout


def test_an_unknown_tenant_or_key_is_said_with_a_remedy(tenant, capsys):
    assert run(["key", "list", "nobody"]) == 1
    assert run(["key", "revoke", tenant.slug, "0123456789ab"]) == 1
    assert run(["key", "create", tenant.slug, "--permission", "patients.fly"]) == 1
    assert capsys.readouterr().err.count("what to do:") == 3
    assert run(["key", "create"]) == 2
