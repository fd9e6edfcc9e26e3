"""Which operations are public and which permissions the others need, known before the request is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.access.require import api_routes, is_public, page_routes, permissions_of

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

    from fastapi import FastAPI
    from fastapi.routing import RouteContext


class RoutePermissions:
    """What the routes of an application ask for."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._fixed: dict[tuple[str, str], frozenset[str]] = {}
        self._patterns: list[tuple[str, re.Pattern[str], frozenset[str]]] | None = None
        self._public: list[tuple[str, re.Pattern[str]]] | None = None
        self._pages: list[re.Pattern[str]] | None = None

    def page(self, path: str) -> bool:
        """Whether a page is at the path, whatever the method."""
        if self._pages is None:
            self._pages = [route.path_regex for route in page_routes(self._app)]
        return any(pattern.match(path) for pattern in self._pages)

    def of(self, method: str, path: str) -> frozenset[str]:
        """The permissions of one operation; none where there is no such operation, as the router will say."""
        if self._patterns is None:
            self._patterns = self._read()
        fixed = self._fixed.get((method, path))
        if fixed is not None:
            return fixed
        for taken, pattern, permissions in self._patterns:
            if taken == method and pattern.match(path):
                return permissions
        return frozenset()

    def public(self, method: str, path: str) -> bool:
        """Whether the operation needs no credential."""
        if self._public is None:
            self._public = [
                (method, route.path_regex)
                for route in self._routes()
                if is_public(route)
                for method in route.methods or ()
            ]
        return any(method == taken and pattern.match(path) for taken, pattern in self._public)

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
