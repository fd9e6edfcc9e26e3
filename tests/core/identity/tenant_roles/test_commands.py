"""``iit roles``."""

import json

from click.testing import CliRunner

from core.identity.tenant_roles import service
from core.identity.tenant_roles.commands import roles


def iit_roles(*arguments):
    return CliRunner().invoke(roles, arguments, catch_exceptions=False)


def test_a_role_is_created_listed_changed_and_deleted(tenant):
    what = [tenant.slug, "case-lead", "--meaning", "Leads"]
    assert iit_roles("create", *what, "--include", "case_manager", "--permission", "jobs.read").exit_code == 0
    row = next(line for line in iit_roles("list", tenant.slug).stdout.splitlines() if line.startswith("case-lead"))
    assert "case_manager" in row
    changed = json.loads(iit_roles("change", *what, "--permission", "jobs.read", "--json").stdout)
    assert changed["effective_permissions"] == ["jobs.read"]
    listed = json.loads(iit_roles("list", tenant.slug, "--json").stdout)["roles"]
    assert [each["name"] for each in listed if not each["built_in"]] == ["case-lead"]
    assert iit_roles("delete", tenant.slug, "case-lead").exit_code == 0
    assert all(role.built_in for role in service.list_roles(tenant))
