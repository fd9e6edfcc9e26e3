"""Permissions in the signatures of routes."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from core.access.scope import TenantScope
from core.errors import Forbidden
from core.identity import Principal, declared_permissions


class Requirement:
    """The dependency that ``require`` makes: gives the principal, or refuses."""

    def __init__(self, permission: str) -> None:
        self.permission = permission

    async def __call__(self, scope: TenantScope) -> Principal:
        """The principal, who holds the permission.

        Raises:
            Forbidden: it does not (403).
        """
        if self.permission not in scope.principal.permissions:
            detail = f"the permission {self.permission} is needed"
            raise Forbidden(detail)
        return scope.principal


def require(permission: str) -> Requirement:
    """For a route's signature: ``Annotated[Principal, Depends(require("patients.read"))]``.

    Raises:
        LookupError: no installed feature declares the permission; raised when the module is imported, not when called.
    """
    if permission not in declared_permissions():
        message = f"no feature declares the permission {permission!r}: add it to permissions of the room's feature.py"
        raise LookupError(message)
    return Requirement(permission)


def api_routes(app: FastAPI) -> Iterator[RouteContext]:
    """Every route under /v1, as it is mounted."""
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and (route.path or "").startswith("/v1"):
            yield route


def permissions_of(route: RouteContext) -> frozenset[str]:
    """The permissions that the route's signature asks for."""
    return frozenset(_walk(route.dependant))


def _walk(dependant: Dependant) -> Iterator[str]:
    call: Any = dependant.call
    if isinstance(call, Requirement):
        yield call.permission
    for child in dependant.dependencies:
        yield from _walk(child)


def refuse_open_routes(app: FastAPI) -> None:
    """Refuse an application with a route under /v1 that declares no permission.

    Raises:
        LookupError: names the routes.
    """
    bare = sorted(
        f"{sorted(route.methods or ())} {route.path}" for route in api_routes(app) if not permissions_of(route)
    )
    if bare:
        message = f"routes without a permission in their signature: {', '.join(bare)}"
        raise LookupError(message)
