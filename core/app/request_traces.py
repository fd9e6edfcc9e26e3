"""Traces of requests: one for each, but not for probes and assets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core import telemetry, tracing
from core.app.entrance import PROBES
from core.app.request_metrics import method_of, route_of
from core.tracing.propagation import HEADER
from core.web.assets import PATH as ASSETS

if TYPE_CHECKING:
    from starlette.types import Scope

SERVER_ERROR = 500
_HEADER = HEADER.encode("ascii")


def traced(scope: Scope, request_id: str) -> tracing.Span | tracing.NoSpan:
    """Return the span of a request, which begins its trace."""
    if not tracing.is_on() or scope["path"] in PROBES or scope["path"].startswith(ASSETS):
        return tracing.NO_SPAN
    named = [value for name, value in scope["headers"] if name == _HEADER]
    span = tracing.request(named[0].decode("latin-1") if len(named) == 1 else None)
    span.note("iit.request_id", request_id)
    return span


def describe(span: tracing.Span | tracing.NoSpan, scope: Scope, status: int) -> None:
    """Name the span by the route of its request, and note how it was answered."""
    if not isinstance(span, tracing.Span):
        return
    method, route = method_of(scope), route_of(scope)
    span.name = f"{method} {route}"
    span.note("http.request.method", method)
    span.note("http.route", route)
    span.note("http.response.status_code", status)
    tenant = telemetry.context().get("tenant")
    if tenant is not None:
        span.note("iit.tenant", tenant)
    if status >= SERVER_ERROR and span.error is None:
        span.fail(str(status))
