"""The mark of requests for pages. Every command imports this module, so it imports no framework."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import MutableMapping

_MARK = "iit.page"


def mark_as_page(scope: MutableMapping[str, Any]) -> None:
    """Note that the request is for a page."""
    scope[_MARK] = True


def is_page(scope: MutableMapping[str, Any]) -> bool:
    """Return whether the request is for a page."""
    return bool(scope.get(_MARK))
