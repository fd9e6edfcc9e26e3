"""The rules of access in Casbin: roles with domains, where each tenant is a domain.

``iit access explain`` uses this module, because Casbin can name the rule that decided. Requests do not use it: Casbin
reads one rule after another, so they look the permission up in compiled sets (``core.identity.tenant_roles.compiled``).
A test checks on random policies that both give the same answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import casbin

from core.identity.roles import ROLES, permissions_of_role

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from core.identity.tenant_roles.compiled import RoleRules

EVERY_TENANT: Final = "*"
MODEL: Final = """\
[request_definition]
r = subject, tenant, permission

[policy_definition]
p = role, tenant, permission

[role_definition]
g = _, _, _

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = r.permission == p.permission && (p.tenant == "*" || p.tenant == r.tenant) && g(r.subject, p.role, r.tenant)
"""
"""Casbin's model. The matcher calls ``g``, the slowest part, only after the cheap comparisons succeed."""


def built_in_rules() -> list[list[str]]:
    """Return the rules of the built-in roles: role, ``*`` (every tenant), permission.

    Operators' roles are left out, because they belong to no tenant.
    """
    return [
        [name, EVERY_TENANT, permission]
        for name, role in ROLES.items()
        if not role.operator
        for permission in sorted(permissions_of_role(name))
    ]


def enforcer_of(
    roles: Mapping[str, Iterable[RoleRules]], members: Iterable[tuple[str, str, str]] = ()
) -> casbin.Enforcer:
    """Return a Casbin enforcer for the built-in roles and the tenants' own roles.

    Args:
        roles: tenant -> its own roles.
        members: who has which role where, each as subject, role and tenant.
    """
    enforcer = casbin.Enforcer(casbin.Enforcer.new_model(text=MODEL))
    rules, groups = built_in_rules(), [list(member) for member in members]
    for tenant, own in roles.items():
        for role in own:
            rules += [[role.name, tenant, permission] for permission in role.permissions]
            groups += [[role.name, included, tenant] for included in role.includes]
    enforcer.add_policies(rules)
    if groups:
        enforcer.add_grouping_policies(groups)
    return enforcer
