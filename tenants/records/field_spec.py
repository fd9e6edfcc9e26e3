"""Declarations of fields: the type, the description, and how imports read the field.

A kind's fields are declared once, as ``Annotated`` attributes of a dataclass (``care_fields``). Tables, bodies and
answers of the API, facts of imports, mappings, the staging table and SQL of the kind derive from it.
"""

from __future__ import annotations

from dataclasses import dataclass, is_dataclass
from functools import cache
from inspect import get_annotations
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, dataclass_transform, get_type_hints

from pydantic.fields import FieldInfo
from sqlalchemy import Boolean, Date, DateTime, Float, Integer, Text, text
from sqlmodel import Field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import LiteralString

    from pydantic import BaseModel

FieldType = Literal["text", "code", "date", "datetime", "integer", "days", "number", "boolean"]

COLUMN_TYPES: Final[dict[FieldType, Any]] = {
    "text": Text,
    "code": Text,
    "date": Date,
    "datetime": DateTime(timezone=True),
    "integer": Integer,
    "days": Integer,
    "number": Float,
    "boolean": Boolean,
}
"""The type of a field -> SQLAlchemy's type of the column."""

SQL_TYPES: Final[dict[FieldType, LiteralString]] = {
    "text": "text",
    "code": "text",
    "date": "date",
    "datetime": "timestamptz",
    "integer": "int4",
    "days": "int4",
    "number": "float8",
    "boolean": "bool",
}
"""The type of a field -> PostgreSQL's name of the column's type."""

_NO_EXAMPLE: Final = object()

Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """The way in which imports read one field of a kind.

    Attributes:
        type: how its text is read.
        description: one sentence, with the unit.
        required: whether a row without it is rejected.
        codes: the only allowed values; empty if any value is allowed.
        personal: whether it is stored encrypted.
        identifier: whether it is a code, which a spreadsheet may have changed to a date or a number.
        added: 0 for a field of the first release, else one more than the field added before it. Waiting rows keep the
            slots of the fields that existed when they came (``imports.slots``).
    """

    type: FieldType
    description: str
    required: bool = False
    codes: tuple[str, ...] = ()
    personal: bool = False
    identifier: bool = False
    added: int = 0


def declare(
    type: FieldType,  # noqa: A002 - as in FieldSpec
    description: str,
    *,
    required: bool = False,
    codes: tuple[str, ...] = (),
    example: object = _NO_EXAMPLE,
    server_default: str | None = None,
    added: int = 0,
) -> Any:  # noqa: ANN401 - as SQLModel has it
    """The declaration of a field, for use in ``Annotated``.

    Args:
        type: how its text is read; it decides the type of the column, too.
        description: one sentence, with the unit: the API's document shows it.
        required: whether an import rejects a row without it.
        codes: the only values that an import accepts; empty if it accepts any.
        example: a value for the API's document.
        server_default: SQL of the column's default, for a column that is never empty.
        added: 0 for a field of the first release, else one more than the field added before it.
    """
    more: dict[str, Any] = {}
    if example is not _NO_EXAMPLE:
        more["schema_extra"] = {"examples": [example]}
    if server_default is not None:
        more["sa_column_kwargs"] = {"server_default": text(server_default)}
    declared = Field(description=description, sa_type=COLUMN_TYPES[type], **more)
    declared.metadata.append(FieldSpec(type, description, required=required, codes=codes, added=added))
    return declared


@dataclass_transform(eq_default=False, kw_only_default=True)
def declaring(fields: type[Kind]) -> type[Kind]:
    """Decorate a class of declared fields, from which dataclasses, tables and schemas inherit them."""
    return dataclass(init=False, repr=False, eq=False, kw_only=True)(fields)


@cache
def specs(declaring: type) -> dict[str, FieldSpec]:
    """The fields that a class declares or inherits, in order."""
    hints = get_type_hints(declaring, include_extras=True)
    return {name: spec for name, hint in hints.items() for spec in _specs_in(hint)}


def read_as(model: type[BaseModel], annotation: Callable[[FieldSpec], Any]) -> None:
    """Give the declared fields that a Pydantic model inherits the type that ``annotation`` makes of their declaration.

    A field that is empty by default stays optional. The model's own fields stay as they are.
    """
    inherited = (pair for base in model.__bases__ if is_dataclass(base) for pair in specs(base).items())
    declared = {name: spec for name, spec in inherited if name not in get_annotations(model)}
    for name, spec in declared.items():
        field = model.model_fields[name]
        field.annotation = annotation(spec) | None if field.default is None else annotation(spec)
    if declared:
        model.model_rebuild(force=True)


def _specs_in(hint: Any) -> Iterator[FieldSpec]:  # noqa: ANN401 - any annotation
    for item in getattr(hint, "__metadata__", ()):
        if isinstance(item, FieldInfo):
            yield from (one for one in item.metadata if isinstance(one, FieldSpec))
