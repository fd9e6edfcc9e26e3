"""JSON Schemas for the payloads of events: parts that the features' types share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ID: Final[Mapping[str, Any]] = {"type": "string", "format": "uuid"}
DATE: Final[Mapping[str, Any]] = {"type": "string", "format": "date"}
COUNT: Final[Mapping[str, Any]] = {"type": "integer", "minimum": 0}
TEXT: Final[Mapping[str, Any]] = {"type": "string"}


def described(schema: Mapping[str, Any], description: str) -> dict[str, Any]:
    """Return the schema of a field with its description."""
    return {**schema, "description": description}


def fields(**properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of an object that has exactly these fields."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }
