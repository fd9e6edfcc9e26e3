"""Roles: names under which people have permissions. Features declare which built-in roles have each permission."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from core.identity.permissions import declared_permissions
from core.web.texts import marked

if TYPE_CHECKING:
    from collections.abc import Collection

ADMIN: Final = "partner_admin"
"""The role with every permission of the tenant. The last person with this role in a tenant cannot be removed."""


PROGRAM: Final = "service"
"""The role of programs. People cannot have it."""


@dataclass(frozen=True, slots=True)
class Role:
    """A built-in role.

    Attributes:
        name: the name that memberships store.
        meaning: the people who have it, in one line.
        operator: whether it is a role of operators, who have no tenant.
    """

    name: str
    meaning: str
    operator: bool = False


ROLES: Final[dict[str, Role]] = {
    role.name: role
    for role in (
        Role(ADMIN, marked("Runs the partner's use of the platform: people, roles, keys, settings.")),
        Role("data_officer", marked("Brings records in, and answers for their quality and for reports.")),
        Role("clinician", marked("Cares for patients at a facility.")),
        Role("case_manager", marked("Follows assigned patients, and records what became of them.")),
        Role("tracking_officer", marked("Calls and visits the people on today's lists.")),
        Role("viewer", marked("Looks at numbers without names.")),
        Role(PROGRAM, marked("A program of the partner's, not a person.")),
        Role("platform_admin", marked("Runs the installation."), operator=True),
        Role("platform_support", marked("Helps tenants; reads no patient."), operator=True),
    )
}


@cache
def permissions_of_role(name: str) -> frozenset[str]:
    """Return the permissions of a built-in role; none if there is no such role."""
    if name not in ROLES:
        return frozenset()
    return frozenset(
        permission.name
        for permission in declared_permissions().values()
        if name in permission.roles or (name == ADMIN and not permission.operator)
    )


def permissions_for(roles: Collection[str]) -> frozenset[str]:
    """Return the permissions of several roles together."""
    return frozenset().union(*(permissions_of_role(name) for name in roles))
