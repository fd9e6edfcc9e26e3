"""Problems of a mapping by its keys, in the words of mappings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import FieldError, phrase
from core.errors.nearest import names_beside, remedy_for

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError


def mapping_problems(model: type[BaseModel], error: ValidationError, place: str = "") -> list[FieldError]:
    """Return a field error per wrong key: its path, the problem, and the remedy.

    Args:
        model: the model of the mapping.
        error: what Pydantic found.
        place: the field that has the mapping; its name begins each path.
    """
    return [
        FieldError(
            _path(item["loc"], place), _problem(item["msg"], item["type"]), _remedy(model, item["type"], item["loc"])
        )
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    ]


_VARIANTS = {
    "Condition",
    "DataDate",
    "date",
    "str",
    "int",
    "float",
    "bool",
    "none",
    "list[nullable[union[str,int,float,bool,date]]]",
}


def _path(loc: tuple[int | str, ...], place: str) -> str:
    parts = [place] if place else []
    parts += [
        str(part)
        for part in loc
        if str(part) not in _VARIANTS and not str(part).startswith(("list[", "function-", "nullable["))
    ]
    return ".".join(parts) or "mapping"


def _problem(message: str, kind: str) -> str:
    if kind == "extra_forbidden":
        return phrase("this key is not known here")
    return message.removeprefix("Value error, ")


def _remedy(model: type[BaseModel], kind: str, loc: tuple[int | str, ...]) -> str:
    if kind == "extra_forbidden":
        unlike = phrase("remove it or correct its spelling; docs/reference/mapping.md lists the keys")
        return remedy_for(str(loc[-1]), names_beside(model, loc), unlike)
    if kind == "missing":
        return phrase("add this key")
    return phrase("correct this key; docs/reference/mapping.md describes it")
