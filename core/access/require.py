"""Permissions in the signatures of routes."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from core.access.scope import (
    AccountScope,
    AnyScope,
    BearerKey,
    HeaderKey,
    OperatorScope,
    Scope,
    TenantScope,
    tenant_scope_of,
)
from core.errors import Forbidden, phrase
from core.identity import Principal, declared_permissions
from core.web.pages import PageRoute


class AccessRule:
    """The access rule that a route's signature declares. Every page and every route under /v1 has at least one."""

    def allows(self, principal: Principal) -> bool:  # noqa: ARG002 - for the rules that ask for something
        """Return whether the rule lets the principal in."""
        return True


class Requirement(AccessRule):
    """The permission that a route's signature requires.

    Args:
        permission: its name.
        confined: whether the route's queries confine themselves to ``TenantSession.reach``. If they do not, the route
            rejects a principal who reaches only some facilities.
        by_patient: whether the route of a confined requirement answers about single patients only. If it does not, it
            rejects a principal who reaches only assigned patients.

    Raises:
        LookupError: no installed feature declares the permission; raised when the module is imported, not when called.
        ValueError: ``by_patient`` without ``confined``.
    """

    def __init__(self, permission: str, *, confined: bool = False, by_patient: bool = False) -> None:
        if permission not in declared_permissions():
            message = (
                f"no feature declares the permission {permission!r}: add it to permissions of the room's feature.py"
            )
            raise LookupError(message)
        if by_patient and not confined:
            message = "by_patient needs confined: the queries must confine themselves"
            raise ValueError(message)
        self.permission = permission
        self.confined = confined
        self.by_patient = by_patient

    def allows(self, principal: Principal) -> bool:
        """Return whether ``check`` accepts the principal."""
        try:
            self.check(principal)
        except Forbidden:
            return False
        return True

    def check(self, principal: Principal) -> Principal:
        """Return the principal if they hold the permission.

        Unless the route is confined, they must reach all facilities; unless it is by patient, all patients of these.

        Raises:
            Forbidden: they do not hold it, or reach only a part of what the route is about (403).
        """
        if self.permission not in principal.permissions:
            detail = phrase("the permission {permission} is needed", permission=self.permission)
            raise Forbidden(detail)
        if not self.confined and not principal.reach.everything:
            detail = "this operation concerns all facilities of the tenant, and you reach some"
            raise Forbidden(detail, remedy="Ask somebody who reaches all facilities.")
        if not self.by_patient and principal.reach.assigned_to is not None:
            detail = "this operation concerns whole facilities, and you reach the patients who are assigned to you"
            raise Forbidden(detail, remedy="Ask somebody who reaches all patients of the facilities.")
        return principal


class PrincipalRequirement(Requirement):
    """The dependency that ``require`` makes: gives the principal, or rejects the request."""

    async def __call__(self, scope: TenantScope) -> Principal:
        """Return the principal if they hold the permission.

        Raises:
            Forbidden: they do not hold it, or reach only some facilities (403).
        """
        return self.check(scope.principal)


def require(permission: str, *, confined: bool = False, by_patient: bool = False) -> PrincipalRequirement:
    """Return a dependency that requires a permission: ``Annotated[Principal, Depends(require("patients.read"))]``.

    Args:
        permission: its name.
        confined: the route's queries confine themselves to what the principal reaches.
        by_patient: the route answers about single patients only, so those who reach assigned patients may call it.

    Raises:
        LookupError: no installed feature declares the permission; raised when the module is imported, not when called.
    """
    return PrincipalRequirement(permission, confined=confined, by_patient=by_patient)


class AnyRequirement(AccessRule):
    """The dependency that ``require_any`` makes: gives the principal, or rejects the request.

    Args:
        permissions: their names; one is enough.
        confined: those of them that let in who reaches only some facilities.

    Raises:
        LookupError: no installed feature declares a permission; raised when the module is imported, not when called.
    """

    def __init__(self, *permissions: str, confined: Collection[str] = ()) -> None:
        self._requirements = {name: Requirement(name, confined=name in confined) for name in sorted(permissions)}
        self.permissions = frozenset(self._requirements)

    async def __call__(self, scope: TenantScope) -> Principal:
        """Return the principal if one of the permissions lets them in.

        Raises:
            Forbidden: they hold none, or reach too little for those that they hold (403).
        """
        if self.allows(scope.principal):
            return scope.principal
        for name, requirement in self._requirements.items():
            if name in scope.principal.permissions:
                requirement.check(scope.principal)
        detail = phrase("one of these permissions is needed: {permissions}", permissions=", ".join(self._requirements))
        raise Forbidden(detail)

    def allows(self, principal: Principal) -> bool:
        """Return whether one of the permissions lets the principal in."""
        return any(requirement.allows(principal) for requirement in self._requirements.values())


def require_any(*permissions: str, confined: Collection[str] = ()) -> AnyRequirement:
    """Return a dependency that requires one of several permissions, for a page of parts that each need one of them.

    Args:
        permissions: their names.
        confined: those of them whose part of the page confines itself to what the principal reaches.

    Raises:
        LookupError: no installed feature declares a permission; raised when the module is imported, not when called.
    """
    return AnyRequirement(*permissions, confined=confined)


class OperatorRequirement(Requirement):
    """The dependency that ``require_operator`` makes: gives the operator, or rejects the request."""

    async def __call__(self, scope: OperatorScope) -> Principal:
        """Return the operator if they hold the permission.

        Raises:
            Forbidden: they do not hold it, or are not an operator (403).
        """
        return self.check(scope.principal)


def require_operator(permission: str) -> OperatorRequirement:
    """Return a dependency that requires a permission of an operator.

    Operators have no tenant and reach no tenant's rows.

    Raises:
        LookupError: no installed feature declares the permission; raised when the module is imported, not when called.
    """
    return OperatorRequirement(permission)


class SignedInRule(AccessRule):
    """The dependency ``signed_in``: accepts any valid credential, whatever its permissions."""

    async def __call__(self, scope: AnyScope) -> Principal:
        """The principal."""
        return scope.principal


signed_in = SignedInRule()
"""For routes that show only the caller, and no data of the tenant: ``Annotated[Principal, Depends(signed_in)]``."""


class OwnSessionsRule(AccessRule):
    """The dependency ``own_sessions``: accepts what ``signed_in`` does, and people of a suspended tenant."""

    async def __call__(self, scope: AccountScope) -> Principal:
        """The principal."""
        return scope.principal


own_sessions = OwnSessionsRule()
"""For pages that only end or switch the person's own sessions: ``Annotated[Principal, Depends(own_sessions)]``. Their
scope is ``AccountScope``."""


class NoKeyRule(AccessRule):
    """The dependency ``no_key``: accepts people and operators, whatever their permissions, and no API key."""

    async def __call__(self, scope: AnyScope) -> Principal:
        """Return the principal.

        Raises:
            Forbidden: it is an API key (403).
        """
        if scope.principal.kind == "api_key":
            detail = "this operation is for people, and the credential is an API key"
            raise Forbidden(detail, remedy="Sign in as a person.")
        return scope.principal


no_key = NoKeyRule()
"""For routes that change only the caller's own account: ``Annotated[Principal, Depends(no_key)]``."""


class OpenRule(AccessRule):
    """The dependency ``open_to_all``: no credential is needed."""

    async def __call__(self) -> None:
        """Accept every request."""


open_to_all = OpenRule()
"""The rule of every route of ``Feature.public_routers`` and ``Feature.public_pages``; the application adds it."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a request, whom ``scope`` identifies and checks."""

    requirement: Requirement
    request: Request = field(repr=False)

    def scope(self) -> Scope:
        """Return the scope of the caller: principal and tenant.

        Queries the database, so call it where the route may wait.

        Raises:
            Unauthenticated: no credential, or one that is not valid (401).
            Forbidden: the tenant is suspended, or the principal does not hold the permission (403).
        """
        scope = tenant_scope_of(self.request)
        self.requirement.check(scope.principal)
        return scope


class CallerRequirement(Requirement):
    """The dependency that ``caller`` makes: gives the caller, without a query to the database."""

    async def __call__(self, request: Request, bearer: BearerKey, header: HeaderKey) -> Caller:  # noqa: ARG002 - OpenAPI
        """Return the caller, whose permission is not checked yet."""
        return Caller(self, request)


def caller(permission: str, *, confined: bool = False, by_patient: bool = False) -> CallerRequirement:
    """Return a dependency like ``require`` for frequent reads: ``Annotated[Caller, Depends(caller("..."))]``.

    FastAPI runs a dependency that asks the database in a thread, and then the route in a thread again. Each switch
    costs as much as reading a row. So this dependency asks nothing, and the route itself calls ``Caller.scope`` first.
    Only routes without a body may use it: FastAPI checks a body before it calls the route.

    Raises:
        LookupError: no installed feature declares the permission; raised when the module is imported, not when called.
    """
    return CallerRequirement(permission, confined=confined, by_patient=by_patient)


def api_routes(app: FastAPI) -> Iterator[RouteContext]:
    """Return every route under /v1, with its full path."""
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and (route.path or "").startswith("/v1"):
            yield route


def page_routes(app: FastAPI) -> Iterator[RouteContext]:
    """Return every route of a page, with its full path."""
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, PageRoute):
            yield route


def permissions_of(route: RouteContext) -> frozenset[str]:
    """Return the permissions that the route's signature requires."""
    return frozenset(rule.permission for rule in access_rules(route) if isinstance(rule, Requirement))


def alternatives_of(route: RouteContext) -> frozenset[str]:
    """Return the permissions of which the route's signature requires one."""
    return frozenset().union(*(rule.permissions for rule in access_rules(route) if isinstance(rule, AnyRequirement)))


def access_rules(route: RouteContext) -> list[AccessRule]:
    """Return the access rules that the route's signature declares."""
    return list(_walk(route.dependant))


def is_public(route: RouteContext) -> bool:
    """Return whether the route needs no credential."""
    return any(isinstance(rule, OpenRule) for rule in access_rules(route))


def is_of_own_sessions(route: RouteContext) -> bool:
    """Return whether the route is for people of suspended tenants too."""
    return any(isinstance(rule, OwnSessionsRule) for rule in access_rules(route))


def _walk(dependant: Dependant) -> Iterator[AccessRule]:
    call: Any = dependant.call
    if isinstance(call, AccessRule):
        yield call
    for child in dependant.dependencies:
        yield from _walk(child)


def reject_open_routes(app: FastAPI) -> None:
    """Reject an application if a page or a route under /v1 declares no access rule, or several.

    Raises:
        LookupError: names the routes.
    """
    routes = [*api_routes(app), *page_routes(app)]
    bare = sorted(f"{sorted(route.methods or ())} {route.path}" for route in routes if not access_rules(route))
    if bare:
        message = f"routes that do not declare who may call them: {', '.join(bare)}"
        raise LookupError(message)
    guarded = [route for route in routes if not is_public(route)]
    for route in routes:
        if is_public(route):
            if len(access_rules(route)) > 1:
                message = f"the public route {route.path} declares a permission: move it to the feature's routers"
                raise LookupError(message)
            _reject_cover(route, guarded)


def _reject_cover(public: RouteContext, guarded: list[RouteContext]) -> None:
    """Reject a public route whose pattern also matches a guarded route, which would go unchecked."""
    for route in guarded:
        sample = re.sub(r"\{[^}]*\}", "x", str(route.path))
        shared = (public.methods or set()) & (route.methods or set())
        if shared and public.path_regex.match(sample):
            message = f"the public route {public.path} takes requests of {route.path}: give it another path"
            raise LookupError(message)
