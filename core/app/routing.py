"""Routes of the features, laid side by side in the application."""

from __future__ import annotations

from http import HTTPStatus
from inspect import signature
from typing import TYPE_CHECKING, Any

from fastapi import Depends
from fastapi.routing import APIRoute, iter_route_contexts

from core.app.conventions import refuse_unknown
from core.web import location
from core.web.idempotency import idempotency_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import APIRouter, FastAPI, params


UNCHANGED: dict[str, Any] = {"description": "You have this answer already: its ETag is in If-None-Match."}
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
"""Methods of operations that take an Idempotency-Key."""


def lay_flat(app: FastAPI, router: APIRouter, prefix: str, dependencies: Sequence[params.Depends] = ()) -> None:
    """Add each route of a router to the application itself, as it was declared, with further dependencies.

    A router that is included stays a router: each request is then matched once more at every level, against all routes
    of all routers on the way, which took a fifth of a read's time.

    Raises:
        TypeError: the router holds something else than operations.
    """
    taken = signature(app.router.add_api_route).parameters
    for route in iter_route_contexts(router.routes):
        if not isinstance(route.original_route, APIRoute) or route.path is None or route.endpoint is None:
            message = f"a router of a feature holds operations only, not {type(route.original_route).__name__}"
            raise TypeError(message)
        said: dict[str, Any] = {
            name: getattr(route, name) for name in taken if name not in ("path", "endpoint") and hasattr(route, name)
        }
        said["dependencies"] = [*(said.get("dependencies") or ()), *dependencies]
        said["route_class_override"] = type(route.original_route)
        if said["status_code"] in location.STATUSES:
            said["responses"] = {said["status_code"]: {"headers": location.HEADER}, **(said["responses"] or {})}
        if "GET" in (said["methods"] or ()) and HTTPStatus.OK not in (said["responses"] or {}):
            said["responses"] = {HTTPStatus.NOT_MODIFIED.value: UNCHANGED, **(said["responses"] or {})}
        if WRITES & set(said["methods"] or ()):
            said["dependencies"] = [*(said["dependencies"] or ()), Depends(idempotency_key)]
        app.router.add_api_route(prefix + route.path, route.endpoint, **said)
        added = app.router.routes[-1]
        if isinstance(added, APIRoute):
            refuse_unknown(added)
