"""The permissions that the installed features declare."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from core.feature_registry import Permission, declared
from core.web.texts import gettext as _

if TYPE_CHECKING:
    from collections.abc import Iterator


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


def permission_words(name: str) -> str:
    """Return what a permission lets its holder do, in the reader's language; the name, if no feature declares it."""
    permission = declared_permissions().get(name)
    return name if permission is None else _(permission.description)


def texts_of_permissions() -> Iterator[str]:
    """Yield what pages say of permissions, for translation."""
    for permission in declared_permissions().values():
        yield permission.description
