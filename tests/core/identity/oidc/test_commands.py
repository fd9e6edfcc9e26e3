"""``iit sso``: what an operator does for a tenant."""

import json
from uuid import uuid4

import pytest
from click.testing import CliRunner

from core.cli.output import DONE_IN_PART
from core.identity.oidc import domains
from core.identity.oidc.commands import sso
from core.identity.oidc.providers import get_provider
from tests.core.identity.oidc.issuer import CLIENT
from tests.core.identity.oidc.test_accounts import add


@pytest.fixture
def tenant(make_tenant):
    """Enforcing concerns all of a tenant."""
    return make_tenant().ref


@pytest.fixture
def run(tenant):
    """Runs a command for the tenant: ``run("show")`` gives its JSON."""

    def invoke(*words, status=0, **options):
        *path, last = words if isinstance(words[-1], tuple) else (*words, ())
        result = CliRunner().invoke(sso, [*path, tenant.slug, *last, "--json"], **options)
        assert result.exit_code == status, result.output
        return json.loads(result.stdout)

    return invoke


def test_a_provider_is_set_up_tested_enforced_and_removed(run, tenant, issuer, records, sign_in):
    words = ("--issuer", issuer.url, "--client-id", CLIENT, "--secret-file", "-", "--map", "a=b=viewer")
    shown = run("set", words, input="a secret of the client\n")
    assert (shown["has_secret"], shown["role_mapping"]) == (True, {"a=b": "viewer"})
    assert "secret of the client" not in json.dumps(run("show"))
    domain = f"d{uuid4().hex[:12]}.example.org"
    claimed = run("domains", "add", (domain,))
    run("domains", "check", (str(claimed["id"]),), status=DONE_IN_PART)
    records.texts[domain] = [claimed["record"]]
    assert run("domains", "check", (str(claimed["id"]),))["proved"]
    issuer.token_error = "invalid_client"
    tested = run("test", ("--portal", "https://iit.example.org/"), status=DONE_IN_PART)
    assert [each["check"] for each in tested["findings"] if not each["ok"]] == ["client"]
    issuer.token_error = None
    sign_in(email=f"a@{domain}", groups=["a=b"])
    admin = f"admin@{domain}"
    add(tenant, admin, "partner_admin")
    assert run("enforce", ("--break-glass", admin))["enforced"]
    assert get_provider(tenant).secret() == "a secret of the client"
    assert not run("enforce", ("--off",))["enforced"]
    assert run("domains", "list")["total"] == 1
    run("domains", "remove", (str(claimed["id"]),))
    assert domains.list_domains(tenant) == []
    assert run("remove") == {"removed": True}


def test_a_mapping_without_a_role_and_two_ways_to_enforce_are_rejected(tenant):
    for words in (
        ["set", tenant.slug, "--issuer", "https://a.example.org", "--client-id", "a", "--map", "trackers"],
        ["enforce", tenant.slug],
        ["enforce", tenant.slug, "--off", "--break-glass", "a@example.org"],
    ):
        assert CliRunner().invoke(sso, words).exit_code == 2
