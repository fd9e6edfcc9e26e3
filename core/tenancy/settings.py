"""A tenant's settings: each room defines a pydantic model, kept as one row.

``settings.get(session, CohortSettings)`` gives the stored values over the model's defaults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from psycopg.types.json import Jsonb
from pydantic import BaseModel, ValidationError

from core.clock import now
from core.errors import FieldError, Invalid

if TYPE_CHECKING:
    from core.database import TenantSession

_M = TypeVar("_M", bound=BaseModel)


def key_of(model: type[BaseModel]) -> str:
    """The row's name of a settings model.

    Raises:
        TypeError: the model has no ``settings_key``.
    """
    key = getattr(model, "settings_key", None)
    if not isinstance(key, str) or not key:
        message = f"{model.__name__} needs settings_key: ClassVar[str]"
        raise TypeError(message)
    return key


def get(session: TenantSession, model: type[_M]) -> _M:
    """The tenant's settings of this model; its defaults where nothing was put.

    Raises:
        Invalid: what is stored no longer fits the model.
    """
    with session.cursor() as cursor:
        cursor.execute("SELECT value FROM tenant_settings WHERE key = %s", (key_of(model),))
        row = cursor.fetchone()
    try:
        return model.model_validate(row[0] if row else {})
    except ValidationError as error:
        problems = [
            FieldError(".".join(str(part) for part in found["loc"]), found["msg"])
            for found in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        detail = f"the tenant's settings {key_of(model)!r} do not fit what this version expects"
        raise Invalid(detail, remedy="put them again", errors=problems) from None


def put(session: TenantSession, model: BaseModel) -> None:
    """Store the tenant's settings of this model, in place of what was there."""
    key = key_of(type(model))
    value = model.model_dump(mode="json")
    with session.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tenant_settings (key, value, updated_at, updated_by) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at,"
            " updated_by = excluded.updated_by",
            (key, Jsonb(value), now(), session.actor),
        )
