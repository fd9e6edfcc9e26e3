"""What every route under /v1 does with a request, without a line in the route: refuse what it does not know."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, get_args

from fastapi import Depends, Request
from fastapi.dependencies.utils import get_flat_params, get_parameterless_sub_dependant
from fastapi.params import Form, ParamTypes
from pydantic import BaseModel

from core.errors import FieldError, Invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence

    from fastapi._compat import ModelField
    from fastapi.dependencies.models import Dependant
    from fastapi.routing import APIRoute

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
SIMILAR = 0.6
"""How much of a name must agree before it is offered instead of another (``difflib``)."""


def refuse_unknown(route: APIRoute) -> None:
    """Let a route refuse query parameters and form fields that its signature does not declare.

    The check runs after the route's other dependencies: who may not call the operation gets 401 or 403 first.
    """
    depends = Depends(_check(query_names(route), form_names(route)))
    route.dependant.dependencies.append(get_parameterless_sub_dependant(depends=depends, path=route.path_format))


def query_names(route: APIRoute) -> frozenset[str]:
    """The query parameters that a route declares."""
    return frozenset(
        field.alias
        for field in get_flat_params(route.dependant)
        if getattr(field.field_info, "in_", None) == ParamTypes.query
    )


def form_names(route: APIRoute) -> frozenset[str]:
    """The fields of a route's form, files too; none where it takes no form."""
    return frozenset(field.alias for field in _body_fields(route.dependant) if isinstance(field.field_info, Form))


def _body_fields(dependant: Dependant) -> Iterator[ModelField]:
    yield from dependant.body_params
    for child in dependant.dependencies:
        yield from _body_fields(child)


def _check(query: frozenset[str], form: frozenset[str]) -> Callable[[Request], Coroutine[Any, Any, None]]:
    async def refuse(request: Request) -> None:
        errors = list(_unknown("query", request.query_params, query)) if request.query_params else []
        if form:
            errors += _unknown("body", await request.form(), form)  # FastAPI has read it: no second read
        if errors:
            detail = f"not valid: {', '.join(error.field for error in errors)}"
            raise Invalid(detail, errors=errors)

    return refuse


def _unknown(place: str, names: Iterable[str], known: frozenset[str]) -> Iterator[FieldError]:
    kind = "parameter" if place == "query" else "field"
    for name in sorted(set(names) - known):
        yield FieldError(field_of(place, name), f"this operation has no such {kind}", remedy_for(name, known))


def field_of(place: str, name: str) -> str:
    """Where an unknown name is, as errors say it. A text that is not formed as a name may be personal: it is left out.

    >>> field_of("query", "page_sise"), field_of("query", "Musa Bello")
    ('query.page_sise', 'query')
    """
    return f"{place}.{name}" if _NAME.fullmatch(name) else place


def remedy_for(name: str, known: Iterable[str]) -> str:
    """What to send instead of an unknown name.

    >>> remedy_for("page_sise", ["page", "page_size"])
    'Send page_size, or leave it out.'
    """
    names = sorted(known)
    near = get_close_matches(name.lower(), names, n=1, cutoff=SIMILAR)
    if near:
        return f"Send {near[0]}, or leave it out."
    return f"Leave it out. Known: {', '.join(names)}." if names else "Leave it out: there are none."


def body_names(route: object, location: Sequence[int | str]) -> frozenset[str]:
    """The fields that the body of a route has beside the one at ``location`` (as Pydantic gives it, with ``body``)."""
    field = getattr(route, "body_field", None)
    if field is None:
        return frozenset()
    kinds: list[Any] = [field.field_info.annotation]
    for part in location[1:-1]:
        kinds = [inner for kind in kinds for inner in _inside(kind, part)] or kinds  # a union's tag names no field
    return frozenset(
        info.alias or name for kind in kinds for model in _models(kind) for name, info in model.model_fields.items()
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
