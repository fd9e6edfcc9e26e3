"""Metrics of requests: how many, with which status, and how long they took, by operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from core.access.verification import seen
from core.metering import seconds as tenant_seconds
from core.metrics import Counter, Histogram

if TYPE_CHECKING:
    from starlette.types import Scope

REQUESTS: Final = Counter("iit_http_requests_total", "Requests by route and status.", ("method", "route", "status"))
SECONDS: Final = Histogram("iit_http_request_seconds", "Seconds that requests took.", ("method", "route"))
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ROUTE: Final = "none"


def route_of(scope: Scope) -> str:
    """Return the template of the request's route, such as ``/v1/patients/{patient_id}``: never what it was called with.

    A request that was rejected before it reached a route has none.
    """
    return str(getattr(scope.get("route"), "path", NO_ROUTE))


def method_of(scope: Scope) -> str:
    """Return the method of the request; ``other`` for one that no route has."""
    return scope["method"] if scope["method"] in _METHODS else "other"


def count(scope: Scope, status: int, seconds: float) -> None:
    """Count a request that has ended; its status is 0 if the client left before the answer."""
    method, route = method_of(scope), route_of(scope)
    REQUESTS.add(method, route, str(status))
    SECONDS.observe(seconds, method, route)


def count_for_tenant(scope: Scope, seconds: float) -> None:
    """Count a request whose tenant is known, and its time; the module of its route names the feature."""
    reader = seen(scope)
    if reader is None or reader.tenant is None:
        return
    room, _, rest = str(getattr(scope.get("endpoint"), "__module__", "core")).partition(".")
    feature = rest.partition(".")[0] if room == "tenants" else room
    tenant_seconds.LEDGER.add(reader.tenant.id, tenant_seconds.REQUESTS, feature, seconds)
    tenant_seconds.count_request(reader.tenant.id, reader.principal.kind, reader.principal.id)
