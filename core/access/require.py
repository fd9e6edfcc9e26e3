"""Permissions in the signatures of routes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from core.access.scope import BearerKey, HeaderKey, Scope, TenantScope, authenticate
from core.errors import Forbidden
from core.identity import Principal, declared_permissions


class Requirement:
    """The permission that a route's signature asks for.

    Raises:
        LookupError: no installed feature declares the permission; raised when the module is imported, not when called.
    """

    def __init__(self, permission: str) -> None:
        if permission not in declared_permissions():
            message = (
                f"no feature declares the permission {permission!r}: add it to permissions of the room's feature.py"
            )
            raise LookupError(message)
        self.permission = permission

    def check(self, principal: Principal) -> Principal:
        """The principal, who holds the permission.

        Raises:
            Forbidden: it does not (403).
        """
        if self.permission not in principal.permissions:
            detail = f"the permission {self.permission} is needed"
            raise Forbidden(detail)
        return principal


class PrincipalRequirement(Requirement):
    """The dependency that ``require`` makes: gives the principal, or refuses."""

    async def __call__(self, scope: TenantScope) -> Principal:
        """The principal, who holds the permission.

        Raises:
            Forbidden: it does not (403).
        """
        return self.check(scope.principal)


def require(permission: str) -> PrincipalRequirement:
    """For a route's signature: ``Annotated[Principal, Depends(require("patients.read"))]``.

    Raises:
        LookupError: no installed feature declares the permission; raised when the module is imported, not when called.
    """
    return PrincipalRequirement(permission)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever sends the request: who it is, and whether they may, is asked by ``scope``."""

    requirement: Requirement
    request: Request = field(repr=False)
    bearer: BearerKey = field(repr=False)
    header: HeaderKey = field(repr=False)

    def scope(self) -> Scope:
        """Who it is, and for which tenant. Asks the database: call it where the route may wait.

        Raises:
            Unauthenticated: no API key, or one that is not valid (401).
            Forbidden: the tenant is suspended, or the key does not hold the permission (403).
        """
        found = authenticate(self.request, self.bearer, self.header)
        self.requirement.check(found.principal)
        return found


class CallerRequirement(Requirement):
    """The dependency that ``caller`` makes: gives the caller, and asks nobody."""

    async def __call__(self, request: Request, bearer: BearerKey, header: HeaderKey) -> Caller:
        """The caller, who is not checked yet."""
        return Caller(self, request, bearer, header)


def caller(permission: str) -> CallerRequirement:
    """As ``require``, for reads that are asked for all the time: ``Annotated[Caller, Depends(caller("..."))]``.

    A dependency that asks the database waits in a thread, and the route after it in another turn of one; each change of
    threads costs as much as reading a row. So the route calls ``Caller.scope`` in its own turn, and first of all.

    Raises:
        LookupError: no installed feature declares the permission; raised when the module is imported, not when called.
    """
    return CallerRequirement(permission)


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
