"""What every route under /v1 does with a request, without a line in the route: refuse what it does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import Depends, Request
from fastapi.dependencies.utils import get_flat_params, get_parameterless_sub_dependant
from fastapi.params import Form, ParamTypes

from core.access.require import open_to_all
from core.errors import FieldError, Invalid
from core.errors.nearest import field_of, names_beside, remedy_for
from core.web.public_routes import any_query

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Sequence

    from fastapi._compat import ModelField
    from fastapi.dependencies.models import Dependant
    from fastapi.routing import APIRoute


def refuse_unknown(route: APIRoute) -> None:
    """Let a route refuse query parameters and form fields that its signature does not declare.

    The check runs after the route's other dependencies: who may not call the operation gets 401 or 403 first. A public
    route that declares ``any_query`` takes all query parameters.

    Raises:
        LookupError: a route that needs a credential declares ``any_query``.
    """
    calls = [child.call for child in route.dependant.dependencies]
    takes_any = any_query in calls
    if takes_any and open_to_all not in calls:
        message = f"the route {route.path} declares any_query and needs a credential: list its parameters instead"
        raise LookupError(message)
    depends = Depends(_check(None if takes_any else query_names(route), form_names(route)))
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


def _check(query: frozenset[str] | None, form: frozenset[str]) -> Callable[[Request], Coroutine[Any, Any, None]]:
    async def refuse(request: Request) -> None:
        checked = query is not None and request.query_params
        errors = list(_unknown("query", request.query_params, query or ())) if checked else []
        if form:
            errors += _unknown("body", await request.form(), form)  # FastAPI has read it: no second read
        if errors:
            detail = f"not valid: {', '.join(error.field for error in errors)}"
            raise Invalid(detail, errors=errors)

    return refuse


def _unknown(place: str, names: Iterable[str], known: Collection[str]) -> Iterator[FieldError]:
    kind = "parameter" if place == "query" else "field"
    for name in sorted(set(names) - set(known)):
        yield FieldError(field_of(place, name), f"this operation has no such {kind}", remedy_for(name, known))


def body_names(route: object, location: Sequence[int | str]) -> frozenset[str]:
    """The fields that the body of a route has beside the one at ``location`` (as Pydantic gives it, with ``body``)."""
    field = getattr(route, "body_field", None)
    return frozenset() if field is None else names_beside(field.field_info.annotation, location[1:])
