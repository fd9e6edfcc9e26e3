"""Finds the permissions of an operation, or that it is public, before the request is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.access.require import api_routes, is_of_own_sessions, is_public, page_routes, permissions_of
from core.web.public_routes import DEFAULT_RATE, PUBLIC_BODY, PublicBody, PublicRate

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

    from fastapi import FastAPI
    from fastapi.routing import RouteContext


@dataclass(frozen=True, slots=True)
class PublicRoute:
    """A route that needs no credential.

    Attributes:
        name: method and path.
        rate: how often one address may call it.
        body: most bytes of its body.
    """

    name: str
    rate: PublicRate
    body: int


def _public_route(method: str, route: RouteContext) -> PublicRoute:
    declarations = [child.call for child in route.dependant.dependencies]
    rates = [each for each in declarations if isinstance(each, PublicRate)]
    bodies = [each.most for each in declarations if isinstance(each, PublicBody)]
    return PublicRoute(
        f"{method} {route.path}", rates[0] if rates else DEFAULT_RATE, bodies[0] if bodies else PUBLIC_BODY
    )


class RoutePermissions:
    """The permissions that the routes of an application need."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._fixed: dict[tuple[str, str], frozenset[str]] = {}
        self._patterns: list[tuple[str, re.Pattern[str], frozenset[str]]] | None = None
        self._public: list[tuple[str, re.Pattern[str], PublicRoute]] | None = None
        self._pages: list[re.Pattern[str]] | None = None
        self._of_own_sessions: list[tuple[str, re.Pattern[str]]] | None = None

    def page(self, path: str) -> bool:
        """Return whether a page is at the path, whatever the method."""
        if self._pages is None:
            self._pages = [route.path_regex for route in page_routes(self._app)]
        return any(pattern.match(path) for pattern in self._pages)

    def of(self, method: str, path: str) -> frozenset[str]:
        """Return the permissions of one operation.

        The set is empty if there is no such operation; the router then answers 404.
        """
        if self._patterns is None:
            self._patterns = self._read()
        fixed = self._fixed.get((method, path))
        if fixed is not None:
            return fixed
        for own_method, pattern, permissions in self._patterns:
            if own_method == method and pattern.match(path):
                return permissions
        return frozenset()

    def of_own_sessions(self, method: str, path: str) -> bool:
        """Return whether the operation is for people of suspended tenants too."""
        if self._of_own_sessions is None:
            self._of_own_sessions = [
                (own, route.path_regex)
                for route in page_routes(self._app)
                if is_of_own_sessions(route)
                for own in route.methods or ()
            ]
        return any(own == method and pattern.match(path) for own, pattern in self._of_own_sessions)

    def public(self, method: str, path: str) -> PublicRoute | None:
        """Return the operation if it needs no credential, else None. HEAD needs what GET needs."""
        method = "GET" if method == "HEAD" else method
        if self._public is None:
            self._public = [
                (own, route.path_regex, _public_route(own, route))
                for route in self._routes()
                if is_public(route)
                for own in route.methods or ()
            ]
        for own_method, pattern, route in self._public:
            if own_method == method and pattern.match(path):
                return route
        return None

    def _read(self) -> list[tuple[str, re.Pattern[str], frozenset[str]]]:
        patterns = []
        for route in self._routes():
            for method in route.methods or ():
                if "{" in str(route.path):
                    patterns.append((method, route.path_regex, permissions_of(route)))
                else:
                    self._fixed.setdefault((method, str(route.path)), permissions_of(route))
        return patterns

    def _routes(self) -> Iterator[RouteContext]:
        yield from api_routes(self._app)
        yield from page_routes(self._app)
