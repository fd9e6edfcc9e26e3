"""The ``cohort`` block of a mapping: rules of a later room, checked by the model which that room registers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from core.errors import FieldError, Invalid
from core.events import publish
from core.features import features, resolve
from core.tenancy import settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database import TenantSession

KEY = "cohort"


def merged(session: TenantSession, block: Mapping[str, Any]) -> BaseModel | None:
    """The tenant's settings with the block laid over them; None when the block is empty.

    Raises:
        Invalid: no room takes the block, or it does not fit: with the path of each key that is wrong.
    """
    if not block:
        return None
    reference = next((feature.settings[KEY] for feature in features() if KEY in feature.settings), None)
    if reference is None:
        message = "the mapping has a cohort block, and no room of this installation takes one"
        raise Invalid(message, remedy="remove the block")
    model: type[BaseModel] = resolve(reference)
    present = settings.get(session, model).model_dump(mode="json")
    try:
        return model.model_validate(present | dict(block))
    except ValidationError as error:
        remedy = "correct the mapping; docs/reference/mapping.md describes the cohort block"
        problems = [
            FieldError(".".join((KEY, *map(str, item["loc"]))), item["msg"].removeprefix("Value error, "), remedy)
            for item in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        message = f"the mapping is not valid: {problems[0].field}: {problems[0].problem}"
        raise Invalid(message, remedy=remedy, errors=problems) from error


def store(session: TenantSession, block: Mapping[str, Any]) -> bool:
    """Lay the block over the tenant's settings and tell the rooms that listen; whether anything changed.

    Raises:
        Invalid: as ``merged``.
    """
    found = merged(session, block)
    if found is None or found == settings.get(session, type(found)):
        return False
    settings.put(session, found)
    publish(session, "settings.changed", {"key": KEY})
    return True
