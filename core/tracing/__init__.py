"""Traces of requests and jobs, exported to a collector of OpenTelemetry when ``IIT_TRACING_ENDPOINT`` is set."""

from core.tracing.rules import Rules
from core.tracing.switch import (
    current_span,
    headers_for,
    is_on,
    job,
    request,
    span,
    statement,
    trace_id,
    traced,
    traceparent,
    tracing,
)
from core.tracing.units import NO_SPAN, NoSpan, Span

__all__ = [
    "NO_SPAN",
    "NoSpan",
    "Rules",
    "Span",
    "current_span",
    "headers_for",
    "is_on",
    "job",
    "request",
    "span",
    "statement",
    "trace_id",
    "traced",
    "traceparent",
    "tracing",
]
