"""A tenant's settings: each room defines a pydantic model, stored as one row.

``settings.get(session, CohortSettings)`` returns the stored values over the model's defaults. Only fields that were set
are stored, so that a later release can improve the other defaults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from psycopg.types.json import Jsonb
from pydantic import BaseModel, ValidationError

from core.clock import now
from core.errors import FieldError, Invalid
from core.errors.findings import problem_of, remedy_of
from core.errors.nearest import field_of, names_beside, remedy_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database import TenantSession

_M = TypeVar("_M", bound=BaseModel)


def key_of(model: type[BaseModel]) -> str:
    """The key of a settings model's row.

    Raises:
        TypeError: the model has no ``settings_key``.
    """
    key = getattr(model, "settings_key", None)
    if not isinstance(key, str) or not key:
        message = f"{model.__name__} needs settings_key: ClassVar[str]"
        raise TypeError(message)
    return key


def explicit(value: BaseModel) -> dict[str, Any]:
    """The fields that were set, as JSON, also within nested models."""
    whole = value.model_dump(mode="json")
    return {
        name: explicit(getattr(value, name)) if nested(type(value), name) else whole[name]
        for name in type(value).model_fields
        if name in value.model_fields_set
    }


def nested(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    """Return the model of a field that always contains that model; None for a plain value or a union of models."""
    annotation = model.model_fields[name].annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def fitted(model: type[_M], stored: Mapping[str, Any]) -> _M:
    """The stored values over the model's defaults.

    Raises:
        Invalid: they no longer fit the model.
    """
    try:
        return model.model_validate(stored)
    except ValidationError as error:
        detail = f"the tenant's settings {key_of(model)!r} do not fit what this version expects"
        raise Invalid(detail, remedy="set them again, or reset them", errors=field_errors(error, model)) from None


def field_errors(error: ValidationError, model: type[BaseModel], place: str = "") -> list[FieldError]:
    """Return the fields that pydantic rejects, dotted, without values.

    An unknown name has the nearest known name beside it.

    Args:
        error: pydantic's error.
        model: the model of the settings.
        place: where the settings are in the caller's request: ``body``; empty at the command line.
    """
    errors = []
    for item in error.errors(include_url=False, include_input=False):
        location = item["loc"]
        *parents, name = (str(part) for part in ((place, *location) if place else location))
        if item["type"] == "extra_forbidden":
            remedy = remedy_for(name, names_beside(model, location))
            errors.append(FieldError(field_of(".".join(parents), name), "there is no such setting", remedy))
        else:
            errors.append(FieldError(".".join((*parents, name)), problem_of(item), remedy_of(item)))
    return errors


def get(session: TenantSession, model: type[_M]) -> _M:
    """The tenant's settings of this model; defaults where nothing is stored.

    Raises:
        Invalid: the stored values no longer fit the model.
    """
    with session.cursor() as cursor:
        cursor.execute("SELECT value FROM tenant_settings WHERE key = %s", (key_of(model),))
        row = cursor.fetchone()
    return fitted(model, row[0] if row else {})


def put(session: TenantSession, model: BaseModel) -> None:
    """Store the tenant's settings of this model, and replace the earlier ones."""
    key = key_of(type(model))
    value = explicit(model)
    with session.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tenant_settings (key, value, updated_at, updated_by) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at,"
            " updated_by = excluded.updated_by",
            (key, Jsonb(value), now(), session.actor),
        )
