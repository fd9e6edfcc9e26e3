"""The permissions that the installed features declare."""

from __future__ import annotations

from functools import cache

from core.feature_registry import Permission, declared


@cache
def declared_permissions() -> dict[str, Permission]:
    """Return the permissions of every installed feature, by name.

    Raises:
        RuntimeError: two features declare the same name.
    """
    return declared("permission", lambda feature: ((each.name, each) for each in feature.permissions))


@cache
def all_permissions() -> frozenset[str]:
    """The names of all permissions that tenants' people and keys may hold."""
    return frozenset(name for name, permission in declared_permissions().items() if not permission.operator)
