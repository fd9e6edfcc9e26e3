"""Writes ``docs/reference/access.md``: which roles reach each operation of the API and each page.

``python -m core.app.access_page`` rewrites the page; a test keeps it equal, and another calls every operation as every
role.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from core.access.require import alternatives_of, api_routes, is_public, page_routes, permissions_of
from core.app.factory import create_app
from core.identity.roles import ROLES, permissions_of_role
from core.settings import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fastapi import FastAPI
    from fastapi.routing import RouteContext

FILE: Final = CHECKOUT / "docs/reference/access.md"
EVERYBODY: Final = "everybody who is signed in"
NOBODY: Final = "everybody, without signing in"
_HEAD: Final = """\
# Who reaches what

Generated from the routes and pages: `python -m core.app.access_page`; a test keeps both equal, and another calls every
operation and page as every role. A role of the tenant's own reaches what its permissions say
([roles and permissions](roles.md)). Within an operation, people reach the records of their facilities and states only,
or only the patients assigned to them.
"""

Row = tuple[str, str, frozenset[frozenset[str]] | None]
"""Method, path, and the sets of permissions of which one is needed; None for what is open to all."""


def rows_of(routes: Iterable[RouteContext]) -> list[Row]:
    """Return what each route needs, sorted by path."""
    return sorted(chain.from_iterable(_rows(route) for route in routes), key=lambda row: (row[1], row[0]))


def roles_that_reach(needed: frozenset[frozenset[str]]) -> list[str]:
    """Return the built-in roles that hold all permissions of one of these sets."""
    return [name for name in ROLES if any(every <= permissions_of_role(name) for every in needed)]


def page(app: FastAPI) -> str:
    """Return the text of the whole page."""
    return "\n".join(
        [
            _HEAD,
            "## Pages",
            "",
            *_table(rows_of(page_routes(app))),
            "## Operations of the API",
            "",
            *_table(rows_of(api_routes(app))),
        ]
    )


def _rows(route: RouteContext) -> Iterator[Row]:
    for method in sorted((route.methods or set()) - {"HEAD"}):
        yield method, route.path or "", None if is_public(route) else _needed(route)


def _needed(route: RouteContext) -> frozenset[frozenset[str]]:
    every, one = permissions_of(route), alternatives_of(route)
    return frozenset(every | {name} for name in one) if one else frozenset([every] if every else [])


def _table(rows: list[Row]) -> Iterator[str]:
    yield "| | permission | roles |"
    yield "|---|---|---|"
    for method, path, needed in rows:
        if needed is None or not needed:
            yield f"| `{method} {path}` | | {NOBODY if needed is None else EVERYBODY} |"
        else:
            sets = sorted(", ".join(f"`{name}`" for name in sorted(every)) for every in needed)
            permissions = " or ".join(sets)
            yield f"| `{method} {path}` | {permissions} | {', '.join(roles_that_reach(needed)) or 'none'} |"
    yield ""


if __name__ == "__main__":
    FILE.write_text(page(create_app()), encoding="utf-8")
