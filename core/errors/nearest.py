"""Unknown names: their place, and the nearest known name, for errors of the API and of settings."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from core.errors.phrases import phrase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
SIMILAR = 0.6
"""The least similarity of two names (``difflib``) at which one is offered instead of the other."""


def field_of(place: str, name: str) -> str:
    """Return the place of an unknown name for an error.

    A text without the form of a name may be personal: it is omitted.

    >>> field_of("query", "page_sise"), field_of("query", "Musa Bello")
    ('query.page_sise', 'query')
    """
    if not _NAME.fullmatch(name):
        return place
    return f"{place}.{name}" if place else name


def remedy_for(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return the remedy for an unknown name: the name to send instead.

    Args:
        name: the unknown name.
        known: the names that would do.
        otherwise: the remedy if no known name is near; when empty, it lists the known names.

    >>> remedy_for("page_sise", ["page", "page_size"])
    'Send page_size, or leave it out.'
    """
    names = sorted(known)
    near = get_close_matches(name.lower(), names, n=1, cutoff=SIMILAR)
    if near:
        return phrase("Send {name}, or leave it out.", name=near[0])
    if otherwise:
        return otherwise
    if not names:
        return phrase("Leave it out: there are none.")
    return phrase("Leave it out. Known: {listed}.", listed=", ".join(names))


def names_beside(kind: Any, location: Sequence[int | str]) -> frozenset[str]:  # noqa: ANN401 - any annotation
    """Return the names of all fields of the model that contains the field at ``location``.

    Args:
        kind: the type of the whole document.
        location: the path to the field, as Pydantic reports it.
    """
    kinds: list[Any] = [kind]
    for part in location[:-1]:
        kinds = [inner for each in kinds for inner in _inside(each, part)] or kinds  # a union's tag names no field
    return frozenset(
        info.alias or name for each in kinds for model in _models(each) for name, info in model.model_fields.items()
    )


def _inside(kind: Any, part: int | str) -> Iterator[Any]:  # noqa: ANN401 - any annotation
    for model in _models(kind):
        if part in model.model_fields:
            yield model.model_fields[str(part)].annotation
    if not isinstance(kind, type):
        yield from (argument for argument in get_args(kind) if isinstance(part, int) or not list(_models(kind)))


def _models(kind: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 - any annotation
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        return
    for argument in get_args(kind):
        yield from _models(argument)
