"""CORS: lets pages of the origins that a tenant allows call its API from a browser, with its key, never with a cookie.

A preflight has no credential: it is allowed for an origin that any tenant allows. The answer to the request itself can
be read only if the tenant of its credential allows the origin.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import anyio
from anyio.to_thread import run_sync
from starlette.responses import Response

from core.tenancy.origins.service import tenants_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from starlette.types import Scope

REMEMBERED: Final = 15.0
"""Seconds for which the tenants of an origin are remembered."""

ORIGINS: Final = 1000
"""Origins that are remembered; one more drops the one that was asked for first."""

LONGEST: Final = 300
VARY: Final = (b"vary", b"Origin")
_EXPOSED: Final = b"ETag, Location, Retry-After, RateLimit, RateLimit-Policy, X-Request-ID"
_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, X-API-Key, Content-Type, Idempotency-Key, If-Match, If-None-Match,"
    " X-Request-ID",
    "Access-Control-Max-Age": "600",
    "Vary": "Origin",
}


class Cors:
    """The origins of all tenants, as one process knows them.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, frozenset[UUID]]] = OrderedDict()
        self._threads = anyio.CapacityLimiter(1)

    async def preflight(self, scope: Scope) -> Response | None:
        """Return the answer to a preflight of a browser; None if the request is another one."""
        origin = origin_of(scope)
        if origin is None or scope["method"] != "OPTIONS" or not _header(scope, b"access-control-request-method"):
            return None
        allowed = {"Access-Control-Allow-Origin": origin} if await self._tenants(origin) else {}
        return Response(status_code=HTTPStatus.NO_CONTENT, headers={**_PREFLIGHT, **allowed})

    async def headers(self, scope: Scope, tenant_id: UUID | None) -> list[tuple[bytes, bytes]]:
        """Return the headers with which a page can read the answer, if the tenant of the credential allows its origin.

        Args:
            scope: of the request.
            tenant_id: the tenant of its credential; None for an operator, whom no page may act for.
        """
        origin = origin_of(scope)
        if origin is None:
            return []
        return _readable(origin) if tenant_id in await self._tenants(origin) else [VARY]

    def headers_of_rejection(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """Return the headers of an answer to a request whose credential is not valid.

        It asks no database, so that strangers cannot keep it busy: only an origin that was asked for before counts.
        """
        origin = origin_of(scope)
        if origin is None:
            return []
        _, tenants = self._known.get(origin, (0.0, frozenset()))
        return _readable(origin) if tenants else [VARY]

    async def _tenants(self, origin: str) -> frozenset[UUID]:
        known = self._known.get(origin)
        if known is not None and self._clock() < known[0]:
            return known[1]
        tenants = await run_sync(tenants_of, origin, limiter=self._threads)
        self._known[origin] = (self._clock() + REMEMBERED, tenants)
        if len(self._known) > ORIGINS:
            self._known.popitem(last=False)
        return tenants


def _readable(origin: str) -> list[tuple[bytes, bytes]]:
    return [
        VARY,
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", _EXPOSED),
    ]


def origin_of(scope: Scope) -> str | None:
    """Return the origin of the page that sends a request; None if a page of this server or no page sends it."""
    origin = _header(scope, b"origin").lower()
    own = f"{scope.get('scheme', 'http')}://{_header(scope, b'host')}".lower()
    return None if not origin or origin in ("null", own) or len(origin) > LONGEST else origin


def _header(scope: Scope, wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), "")
