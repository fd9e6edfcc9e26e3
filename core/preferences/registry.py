"""The groups of tenant settings that the installed features register."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from core.errors import Forbidden, NotFound, phrase
from core.feature_registry import declared, resolve
from core.tenancy.settings import key_of, nested

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

    from core.database import TenantSession


@dataclass(frozen=True, slots=True)
class Group:
    """One group of settings.

    Attributes:
        name: the name in paths and commands, and of its row in ``tenant_settings``.
        title: the subject.
        permission: needed to change it, besides ``settings.write``.
        model: the pydantic model of its values.
        lock: called before the group is read to be changed.
    """

    name: str
    title: str
    permission: str
    model: type[BaseModel]
    lock: Callable[[TenantSession], None] | None

    def leaves(self) -> Iterator[tuple[str, type[BaseModel], FieldInfo]]:
        """Return every single setting: its dotted name, its model and its field."""
        return _leaves(self.model, "")


def _leaves(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, type[BaseModel], FieldInfo]]:
    for name, field in model.model_fields.items():
        inner = nested(model, name)
        if inner is None:
            yield prefix + name, model, field
        else:
            yield from _leaves(inner, f"{prefix}{name}.")


@cache
def groups() -> dict[str, Group]:
    """Every group by name, sorted.

    Raises:
        RuntimeError: two features register one name, or a model's ``settings_key`` is not the name.
    """
    registered: dict[str, Group] = {}
    for name, entry in declared("group of settings", lambda feature: feature.settings.items()).items():
        loaded = resolve(entry.model)
        model: type[BaseModel] = loaded if isinstance(loaded, type) else loaded()
        if key_of(model) != name:
            message = f"the settings {name!r} have a model whose settings_key is {key_of(model)!r}"
            raise RuntimeError(message)
        lock = resolve(entry.lock) if entry.lock else None
        registered[name] = Group(name, entry.title, entry.change, model, lock)
    return dict(sorted(registered.items()))


def group(name: str) -> Group:
    """The group of this name.

    Raises:
        NotFound: there is none.
    """
    registered = groups().get(name)
    if registered is None:
        detail = "there is no such group of settings"
        raise NotFound(detail, remedy=phrase("choose one of {listed}", listed=", ".join(groups())))
    return registered


def changeable(name: str, permissions: Collection[str]) -> Group:
    """The group of this name, for a caller who holds these permissions and wants to change it.

    Raises:
        NotFound: there is none.
        Forbidden: the group needs another permission (403).
    """
    entry = group(name)
    if entry.permission not in permissions:
        detail = phrase("the permission {permission} is needed", permission=entry.permission)
        raise Forbidden(detail)
    return entry


def label_of(name: str) -> str:
    """Return what pages call a setting with a dotted name.

    >>> label_of("completeness.window_days")
    'completeness: window days'
    """
    return name.replace("_", " ").replace(".", ": ")


def meaning_of(field: FieldInfo) -> str:
    """Return what pages say of a setting: its description, without the marks of code."""
    return " ".join((field.description or "").split()).replace("`", "")


def texts_of_settings() -> Iterator[str]:
    """Yield what pages say of the settings of all groups, for translation."""
    for group_ in groups().values():
        yield label_of(group_.name)
        yield group_.title
        for name, _model, field in group_.leaves():
            yield label_of(name)
            yield meaning_of(field)
