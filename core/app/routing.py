"""Mounts the routes of the features in the application."""

from __future__ import annotations

from http import HTTPStatus
from inspect import signature
from typing import TYPE_CHECKING, Any

from fastapi import Depends
from fastapi.routing import APIRoute, iter_route_contexts

from core.app.conventions import reject_unknown
from core.idempotency.routes import make_idempotent
from core.web import location
from core.web.idempotency import idempotency_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import APIRouter, FastAPI, params


UNCHANGED: dict[str, Any] = {"description": "You have this answer already: its ETag is in If-None-Match."}
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
"""Methods of operations that take an Idempotency-Key."""


def lay_flat(app: FastAPI, router: APIRouter, prefix: str, dependencies: Sequence[params.Depends] = ()) -> None:
    """Add each route of a router to the application itself, with further dependencies.

    ``include_router`` keeps the router: each request is then matched at every level, against all routes of all routers.
    That took a fifth of a read's time.

    Raises:
        TypeError: the router holds something other than operations.
    """
    parameters = signature(app.router.add_api_route).parameters
    for route in iter_route_contexts(router.routes):
        if not isinstance(route.original_route, APIRoute) or route.path is None or route.endpoint is None:
            message = f"a router of a feature holds operations only, not {type(route.original_route).__name__}"
            raise TypeError(message)
        declared = {name for name in parameters if name not in ("path", "endpoint") and hasattr(route, name)}
        options: dict[str, Any] = {name: getattr(route, name) for name in parameters if name in declared}
        options["dependencies"] = [*(options.get("dependencies") or ()), *dependencies]
        options["route_class_override"] = type(route.original_route)
        if options["status_code"] in location.STATUSES:
            stated: dict[int | str, dict[str, Any]] = options["responses"] or {}
            answer = {"headers": location.HEADER, **stated.get(options["status_code"], {})}
            options["responses"] = {**stated, options["status_code"]: answer}
        if "GET" in (options["methods"] or ()) and HTTPStatus.OK not in (options["responses"] or {}):
            options["responses"] = {HTTPStatus.NOT_MODIFIED.value: UNCHANGED, **(options["responses"] or {})}
        if WRITES & set(options["methods"] or ()):
            options["dependencies"] = [*(options["dependencies"] or ()), Depends(idempotency_key)]
        app.router.add_api_route(prefix + route.path, route.endpoint, **options)
        added = app.router.routes[-1]
        if isinstance(added, APIRoute):
            reject_unknown(added)
            if WRITES & set(added.methods or ()):
                make_idempotent(added)
