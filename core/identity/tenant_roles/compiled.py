"""Compiled permissions of a tenant's roles: one set for each role, cached by the version of the roles.

A change marks the version as unsettled before it writes, and settles it after it has committed (``changes``). Roles
that were read while the version was unsettled are not cached. So if a process dies in between, every other process
reads the roles for each request, and none uses old ones.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from core.database import tenant_session
from core.identity.permissions import all_permissions
from core.identity.roles import ROLES, permissions_for

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from core.database import TenantRef, TenantSession

LASTS_SECONDS: Final = 60.0
"""Most seconds that a set stays in the cache. A change that does not raise the version, such as a restore, takes effect
after this time.
"""


@dataclass(frozen=True, slots=True)
class RoleRules:
    """The definition of a tenant's own role: the built-in roles that it includes, and permissions."""

    name: str
    includes: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OwnRolesVersion:
    """The version of a tenant's own roles, as the look-up of a credential reads it.

    Attributes:
        version: None where the tenant has never had roles of its own.
        settled: no change is under way.
    """

    version: int | None
    settled: bool = True


Compiled = dict[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class _CacheEntry:
    place: tuple[str, str]
    version: int
    read_at: float
    roles: Compiled


_cache: dict[object, _CacheEntry] = {}


def compile_roles(rules: Iterable[RoleRules]) -> Compiled:
    """Name of each role -> all that it permits. A permission that no feature declares any more permits nothing."""
    known = all_permissions()
    return {rule.name: permissions_for(rule.includes) | (known & frozenset(rule.permissions)) for rule in rules}


def read_rules(session: TenantSession) -> list[RoleRules]:
    """The tenant's own roles, by name."""
    with session.cursor() as cursor:
        cursor.execute("SELECT name, includes, permissions FROM roles ORDER BY name")
        return [RoleRules(name, tuple(includes), tuple(names)) for name, includes, names in cursor.fetchall()]


def permissions_of(tenant: TenantRef, roles: Collection[str], at: OwnRolesVersion) -> frozenset[str]:
    """Return the permissions of these roles together in the tenant. A role that does not exist has none.

    Args:
        tenant: the tenant.
        roles: names of built-in roles and of the tenant's own.
        at: the version of the roles. Read it before this call, so that it is never newer than the roles.
    """
    own = [name for name in roles if name not in ROLES]
    granted = permissions_for(roles)
    if own:
        compiled = own_roles(tenant, at)
        granted = granted.union(*(compiled.get(name, frozenset()) for name in own))
    return granted


def own_roles(tenant: TenantRef, at: OwnRolesVersion) -> Mapping[str, frozenset[str]]:
    """Return the tenant's own roles, compiled: from the cache if it has this version and the version is settled."""
    cached = _cache.get(tenant.id)
    place, moment = (tenant.database, tenant.schema_name), time.monotonic()
    if (
        cached is not None
        and at.settled
        and (cached.version, cached.place) == (at.version, place)
        and moment - cached.read_at < LASTS_SECONDS
    ):
        return cached.roles
    with tenant_session(tenant, actor="system:roles", readonly=True) as session:
        compiled = compile_roles(read_rules(session))
    remember(tenant, at, compiled, moment)
    return compiled


def remember(tenant: TenantRef, at: OwnRolesVersion, compiled: Compiled, moment: float) -> None:
    """Cache the roles that were read at ``moment`` (``time.monotonic``), after the version ``at``.

    If that version is unsettled, remove the tenant's roles from the cache instead.
    """
    if at.settled and at.version is not None:
        _cache[tenant.id] = _CacheEntry((tenant.database, tenant.schema_name), at.version, moment, compiled)
    else:
        _cache.pop(tenant.id, None)
