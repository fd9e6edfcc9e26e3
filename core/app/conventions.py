"""Checks that every route under /v1 gets: reject unknown names, and bodies of another media type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import Depends, Request
from fastapi.dependencies.utils import get_flat_params, get_parameterless_sub_dependant
from fastapi.params import Form, ParamTypes

from core.access.require import open_to_all
from core.errors import FieldError, Invalid, UnsupportedMedia, phrase
from core.errors.nearest import field_of, names_beside, remedy_for
from core.web.public_routes import any_query

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Sequence

    from fastapi._compat import ModelField
    from fastapi.dependencies.models import Dependant
    from fastapi.routing import APIRoute

JSON = "application/json"


def reject_unknown(route: APIRoute) -> None:
    """Make a route reject names that its signature does not declare, and a body of another media type than its own.

    The check runs after the route's other dependencies, so that 401 and 403 come first. A public route that declares
    ``any_query`` accepts all query parameters.

    Raises:
        LookupError: a route that needs a credential declares ``any_query``.
    """
    calls = [child.call for child in route.dependant.dependencies]
    takes_any = any_query in calls
    if takes_any and open_to_all not in calls:
        message = f"the route {route.path} declares any_query and needs a credential: list its parameters instead"
        raise LookupError(message)
    depends = Depends(_check(None if takes_any else query_names(route), form_names(route), media_type(route)))
    route.dependant.dependencies.append(get_parameterless_sub_dependant(depends=depends, path=route.path_format))


def query_names(route: APIRoute) -> frozenset[str]:
    """Return the query parameters that a route declares."""
    return frozenset(
        field.alias
        for field in get_flat_params(route.dependant)
        if getattr(field.field_info, "in_", None) == ParamTypes.query
    )


def form_names(route: APIRoute) -> frozenset[str]:
    """Return the fields of a route's form, files included; none if it takes no form."""
    return frozenset(field.alias for field in _body_fields(route.dependant) if isinstance(field.field_info, Form))


def media_type(route: APIRoute) -> str | None:
    """Return the media type of a route's body; None if it takes no body."""
    info = None if route.body_field is None else route.body_field.field_info
    return getattr(info, "media_type", None)


def _body_fields(dependant: Dependant) -> Iterator[ModelField]:
    yield from dependant.body_params
    for child in dependant.dependencies:
        yield from _body_fields(child)


def _check(
    query: frozenset[str] | None, form: frozenset[str], media: str | None
) -> Callable[[Request], Coroutine[Any, Any, None]]:
    async def reject(request: Request) -> None:
        if media is None and _has_body(request):
            await request.body()  # else a body over the limit would answer 413 after the operation took effect
        elif media is not None and _has_body(request) and not _is_of(request, media):
            detail = "the body has another media type than this operation reads"
            raise UnsupportedMedia(
                detail, remedy=phrase("Send {media}, and say so in the header Content-Type.", media=media)
            )
        checked = query is not None and request.query_params
        errors = list(_unknown("query", request.query_params, query or ())) if checked else []
        if form:
            errors += _unknown("body", await request.form(), form)  # FastAPI has read it: no second read
        if errors:
            detail = phrase("not valid: {listed}", listed=", ".join(error.field for error in errors))
            raise Invalid(detail, errors=errors)

    return reject


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


def _is_of(request: Request, media: str) -> bool:
    """Return whether the body has the media type. For JSON, a relative such as ``application/geo+json`` counts too."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == media or (media == JSON and kind.startswith("application/") and kind.endswith("+json"))


def _unknown(place: str, names: Iterable[str], known: Collection[str]) -> Iterator[FieldError]:
    kind = "parameter" if place == "query" else "field"
    for name in sorted(set(names) - set(known)):
        yield FieldError(
            field_of(place, name), phrase("this operation has no such {kind}", kind=kind), remedy_for(name, known)
        )


def body_names(route: object, location: Sequence[int | str]) -> frozenset[str]:
    """Return the fields beside the one at ``location`` in a route's body; Pydantic's location begins with ``body``."""
    field = getattr(route, "body_field", None)
    return frozenset() if field is None else names_beside(field.field_info.annotation, location[1:])
