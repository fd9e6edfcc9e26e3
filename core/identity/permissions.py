"""The permissions that the installed features declare."""

from __future__ import annotations

from functools import cache

from core.features import Permission, features


@cache
def declared_permissions() -> dict[str, Permission]:
    """Name -> permission, of every installed feature.

    Raises:
        RuntimeError: two features declare one name.
    """
    found: dict[str, Permission] = {}
    for feature in features():
        for permission in feature.permissions:
            if permission.name in found:
                message = f"the permission {permission.name!r} is declared twice, the second time by {feature.name!r}"
                raise RuntimeError(message)
            found[permission.name] = permission
    return found


@cache
def all_permissions() -> frozenset[str]:
    """The names of all declared permissions."""
    return frozenset(declared_permissions())
