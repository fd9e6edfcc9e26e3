"""The place of each field that an error names: path, query, header or body.

Services serve the command line and pages too, so they name the bare field: ``facility``. Only the route knows whether
it came in the query or in the body.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fastapi.dependencies.utils import get_flat_params
from fastapi.params import ParamTypes
from fastapi.routing import APIRoute

from core.app.conventions import body_names, query_names

if TYPE_CHECKING:
    from core.errors import AppError

PLACES = ("path", "query", "header", "cookie", "body")


def locate_fields(error: AppError, route: object) -> None:
    """Put the place before each field that the error names without one: ``query.facility`` for ``facility``."""
    if isinstance(route, APIRoute):
        error.errors = tuple(replace(each, field=_located(each.field, route)) for each in error.errors)


def _located(field: str, route: APIRoute) -> str:
    name = field.partition(".")[0]
    if name in PLACES:
        return field
    names = {"path": _path_names(route), "query": query_names(route), "body": body_names(route, ("body", name))}
    place = next((place for place, known in names.items() if name in known), None)
    return field if place is None else f"{place}.{field}"


def _path_names(route: APIRoute) -> frozenset[str]:
    return frozenset(
        field.alias
        for field in get_flat_params(route.dependant)
        if getattr(field.field_info, "in_", None) == ParamTypes.path
    )
