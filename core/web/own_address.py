"""The address of this server, as a request names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request


def own_origin(request: Request) -> str:
    """Return scheme and host by which the sender reaches this server, such as ``https://care.example.org``."""
    return f"{request.scope.get('scheme', 'http')}://{request.headers.get('host', '')}"
