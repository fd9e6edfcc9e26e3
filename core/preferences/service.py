"""Reading and changing of settings: validated, recorded in the audit, and published to listening rooms."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from psycopg.types.json import Jsonb
from pydantic import ValidationError

from core import audit
from core.clock import now
from core.database import lock_own
from core.errors import FieldError, Invalid, phrase
from core.events import publish
from core.preferences.registry import Group, groups
from core.tenancy.settings import explicit, field_errors, fitted, nested

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pydantic import BaseModel

    from core.database import TenantSession
    from core.web.etag import ExpectedVersions

ACTION: Final = "settings:group:change"
_VERSIONS: Final = UUID("5f1c9f0e-7d0e-5a52-9d6b-0a2f3b9f7c11")
_ROWS = "SELECT key, value, updated_at, updated_by FROM tenant_settings WHERE key = ANY(%s)"
_STORE = (
    "INSERT INTO tenant_settings (key, value, updated_at, updated_by) VALUES (%s, %s, %s, %s)"
    " ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at,"
    " updated_by = excluded.updated_by"
)


@dataclass(frozen=True, slots=True)
class GroupState:
    """The state of a group for a tenant.

    Attributes:
        value: the values in force; the defaults where ``problem`` is set.
        stored: what the tenant has set.
        changed_at, changed_by: the last change; None where there was none.
        problem: why the stored values are not in force.
    """

    group: Group
    value: BaseModel
    stored: Mapping[str, Any]
    changed_at: datetime | None
    changed_by: str | None
    problem: str | None

    @property
    def version(self) -> UUID:
        """The version for ETag and If-Match, which changes with the stored values."""
        return uuid5(_VERSIONS, json.dumps([self.group.name, self.stored], sort_keys=True))

    @property
    def set_names(self) -> list[str]:
        """The dotted names of the settings that the tenant has set."""
        return [name for name, *_ in self.group.leaves() if at_name(self.stored, name) is not None]


def read(session: TenantSession, group: Group) -> GroupState:
    """The state of a group."""
    return _read(session, [group])[0]


def read_all(session: TenantSession) -> list[GroupState]:
    """The states of all groups, by name, from one query."""
    return _read(session, list(groups().values()))


def _read(session: TenantSession, wanted: Sequence[Group]) -> list[GroupState]:
    with session.cursor() as cursor:
        cursor.execute(_ROWS, ([group.name for group in wanted],))
        rows = {key: rest for key, *rest in cursor.fetchall()}
    states = []
    for group in wanted:
        stored, changed_at, changed_by = rows.get(group.name, ({}, None, None))
        problem = None
        try:
            value = fitted(group.model, stored)
        except Invalid as error:
            value, problem = group.model(), error.detail
        states.append(GroupState(group, value, stored, changed_at, changed_by, problem))
    return states


def replace(
    session: TenantSession,
    group: Group,
    changes: Mapping[str, Any],
    expected: ExpectedVersions | None = None,
    *,
    place: str = "",
) -> GroupState:
    """Set exactly these values; the rest of the group returns to its defaults.

    Raises:
        Invalid: a value or name is not valid; ``errors`` names each setting, after ``place``.
        PreconditionFailed: the group was changed meanwhile.
    """
    present = _begin(session, group, expected)
    return _store(session, present, _checked(group, changes, place))


def amend(
    session: TenantSession,
    group: Group,
    changes: Mapping[str, Any],
    expected: ExpectedVersions | None = None,
    *,
    place: str = "",
) -> GroupState:
    """Set these values and leave the rest; null resets a setting to its default.

    Raises:
        Invalid: a value or name is not valid; ``errors`` names each setting, after ``place``.
        PreconditionFailed: the group was changed meanwhile.
    """
    present = _begin(session, group, expected)
    return _store(session, present, _checked(group, _laid_over(group.model, present.stored, changes), place))


def amended(session: TenantSession, group: Group, changes: Mapping[str, Any]) -> BaseModel:
    """The values that ``amend`` would store, without storing them.

    Raises:
        Invalid: a value does not fit; names each wrong setting.
    """
    return _checked(group, _laid_over(group.model, read(session, group).stored, changes))


def reset(
    session: TenantSession, group: Group, names: Sequence[str] = (), expected: ExpectedVersions | None = None
) -> GroupState:
    """Reset settings to their defaults: the named ones (dotted), or the whole group.

    Raises:
        Invalid: a name is not a setting of the group.
        PreconditionFailed: the group was changed meanwhile.
    """
    if not names:
        return replace(session, group, {}, expected)
    present = _begin(session, group, expected)
    left: dict[str, Any] = dict(present.stored)
    for name in names:
        left = _laid_over(group.model, left, at(group, name, None))
    return _store(session, present, _checked(group, left))


def at(group: Group, name: str, value: object) -> dict[str, Any]:
    """Return the document that sets one setting, with a dotted name, to a value.

    Raises:
        Invalid: the name is not a setting of the group.
    """
    parts = name.split(".")
    model: type[BaseModel] | None = group.model
    for index, part in enumerate(parts):
        if model is None:
            whole = ".".join(parts[:index])
            detail = phrase("{group}.{whole} is set as a whole, as one JSON value", group=group.name, whole=whole)
            raise Invalid(
                detail,
                errors=[FieldError(f"{group.name}.{name}", "is part of a setting", phrase("set {whole}", whole=whole))],
            )
        if part not in model.model_fields:
            among = ", ".join(leaf for leaf, *_ in group.leaves())
            detail = phrase("there is no setting {group}.{name}", group=group.name, name=name)
            raise Invalid(detail, remedy=phrase("choose one of {listed}", listed=among))
        model = nested(model, part)
    document: Any = value
    for part in reversed(parts):
        document = {part: document}
    return dict(document)


def _begin(session: TenantSession, group: Group, expected: ExpectedVersions | None) -> GroupState:
    """The group, locked against other changes until this transaction ends."""
    if group.lock is not None:
        group.lock(session)
    with session.cursor() as cursor:
        lock_own(cursor, f"settings:{group.name}")
    present = read(session, group)
    if expected is not None:
        expected.check(present.version)
    return present


def _laid_over(model: type[BaseModel], stored: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``stored`` with the changes: nested models are merged, values replaced, and null removes a setting."""
    merged = dict(stored)
    for name, value in changes.items():
        inner = nested(model, name) if name in model.model_fields else None
        if value is None and name in model.model_fields:
            merged.pop(name, None)
        elif inner is not None and isinstance(value, dict):
            merged[name] = _laid_over(inner, merged.get(name, {}), value)
        else:
            merged[name] = value
    return merged


def _checked(group: Group, document: Mapping[str, Any], place: str = "") -> BaseModel:
    try:
        return group.model.model_validate(document)
    except ValidationError as error:
        problems = field_errors(error, group.model, place)
        detail = phrase(
            "the settings {group} are not valid: {field}: {problem}",
            group=group.name,
            field=problems[0].field,
            problem=problems[0].problem,
        )
        raise Invalid(detail, remedy=problems[0].remedy or "correct the value", errors=problems) from None


def _store(session: TenantSession, present: GroupState, value: BaseModel) -> GroupState:
    group, stored = present.group, explicit(value)
    if stored == present.stored:
        return present
    moment = now()
    with session.cursor() as cursor:
        cursor.execute(_STORE, (group.name, Jsonb(stored), moment, session.actor))
    before, after = present.value.model_dump(mode="json"), value.model_dump(mode="json")
    in_force = [name for name, *_ in group.leaves() if at_name(before, name) != at_name(after, name)]
    named = [
        name
        for name, *_ in group.leaves()
        if name in in_force or at_name(present.stored, name) != at_name(stored, name)
    ]
    audit.record(session, ACTION, "settings", None, {"group": group.name, "keys": named})
    if in_force:
        publish(session, "settings.changed", {"key": group.name, "keys": in_force})
    return GroupState(group, value, stored, moment, session.actor, None)


def at_name(document: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401 - values are as varied as settings are
    """Return the value that the document has under a dotted name; None if it has no such name."""
    value: Any = document
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
