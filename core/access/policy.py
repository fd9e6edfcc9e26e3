"""The policy, stated in Casbin: role-based access with domains. A domain is a tenant.

Requests are decided by compiled sets (``core.identity.tenant_roles.compiled``), because an enforcer reads rule after
rule. A test holds that both agree on random policies. ``iit access explain`` asks the enforcer, which names the rule.
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
"""``g`` is last: it is the costly one."""


def built_in_rules() -> list[list[str]]:
    """Rules of the built-in roles: the role, every tenant, the permission.

    The operator's role is not a role in a tenant.
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
    """An enforcer of the built-in roles and of the tenants' own.

    Args:
        roles: each tenant's own roles.
        members: subject, role and tenant.
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
