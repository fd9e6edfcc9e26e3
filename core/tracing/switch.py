"""The switch of tracing in one process, and the functions that make spans. While it is off, they do next to nothing."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from random import Random
from typing import TYPE_CHECKING, Final, Literal

from uuid_utils.compat import uuid7

from core.metrics import instruments
from core.telemetry import logs
from core.tracing.propagation import parse
from core.tracing.rules import Rules
from core.tracing.statements import normalised, summary
from core.tracing.units import NO_SPAN, NoSpan, Span, Trace, current

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from core.tracing.attributes import Value
    from core.tracing.propagation import RemoteSpan
    from core.tracing.units import Kind

Role = Literal["api", "worker"]

CLOSE_SECONDS: Final = 5.0
"""Seconds that a stopping process gives its last spans."""

_random = Random()  # noqa: S311 - ids, no secrets; its own generator, so that no seed of others repeats them


@dataclass(frozen=True, slots=True)
class _Tracing:
    rules: Rules
    export: Callable[[list[Span]], None]
    accepts: bool
    hosts: frozenset[str]


_on: _Tracing | None = None


def is_on() -> bool:
    """Return whether this process traces."""
    return _on is not None


def request(traceparent: str | None) -> Span | NoSpan:
    """Return the span of a request; ``with`` begins a trace.

    Args:
        traceparent: the header of the caller. Its trace is continued if the setting says so, else linked.
    """
    if _on is None:
        return NO_SPAN
    return _first(_on, "other none", "server", parse(traceparent), _on.rules.slow_request, continues=_on.accepts)


def job(kind: str, traceparent: str | None) -> Span | NoSpan:
    """Return the span of a try of a job; ``with`` begins a trace, linked to the span that enqueued the job."""
    if _on is None:
        return NO_SPAN
    return _first(_on, f"job {kind}", "consumer", parse(traceparent), _on.rules.slow_job, continues=False)


def span(
    name: str, kind: Kind = "internal", *, harmless: tuple[type[BaseException], ...] = (), **attributes: Value
) -> Span | NoSpan:
    """Return a span within the current one; none if there is no current one.

    Args:
        name: as ``core.tracing.attributes`` has their form, such as ``plugin boosting``.
        kind: ``client`` for a call to another server.
        harmless: errors that do not make it a failure.
        attributes: with ``_`` in place of ``.``; see ``core.tracing.attributes``.
    """
    if _on is None:
        return NO_SPAN
    parent = current()
    if parent is None or not parent.trace.admit():
        return NO_SPAN
    named = {_NAMES[name]: value for name, value in attributes.items()}
    return Span(parent.trace, name, kind, _span_id(), parent.span_id, named, harmless=harmless)


def statement(text: str) -> Span | NoSpan:
    """Return a span of a statement of SQL within the current one."""
    parent = current()
    if _on is None or parent is None or not parent.trace.admit():
        return NO_SPAN
    plain = normalised(text)
    name = summary(plain)
    attributes: dict[str, Value] = {
        "db.system.name": "postgresql",
        "db.operation.name": name.partition(" ")[0],
        "db.query.text": plain,
    }
    return Span(parent.trace, name, "client", _span_id(), parent.span_id, attributes)


def current_span() -> Span | NoSpan:
    """Return the current span, to note more about it."""
    return current() or NO_SPAN


def traceparent() -> str | None:
    """Return the header that names the current span, for a row of ours; None outside a trace."""
    present = current()
    return None if present is None else present.traceparent()


def headers_for(host: str) -> dict[str, str]:
    """Return the headers that continue the trace at another server, if the setting names the host; else none."""
    present = current()
    if _on is None or present is None or host.lower() not in _on.hosts:
        return {}
    return {"traceparent": present.traceparent()}


def trace_id() -> str | None:
    """Return the id of the current trace; None outside one."""
    present = current()
    return None if present is None else present.trace.id


@contextmanager
def tracing(
    rules: Rules,
    export: Callable[[list[Span]], None],
    *,
    accepts: bool = False,
    hosts: frozenset[str] = frozenset(),
) -> Iterator[None]:
    """Trace while the block runs.

    Args:
        rules: which traces are exported.
        export: takes the spans of an exported trace; must not wait.
        accepts: whether a caller's trace id is continued.
        hosts: hosts that receive the header.
    """
    global _on  # noqa: PLW0603 - one switch per process
    before, _on = _on, _Tracing(rules, export, accepts, hosts)
    logs.identify, instruments.when_kept = _ids, _when_kept
    try:
        yield
    finally:
        _on = before
        if before is None:
            logs.identify, instruments.when_kept = None, None


@contextmanager
def traced(role: Role) -> Iterator[None]:
    """Trace this process as the settings say while the block runs; do nothing if they name no collector."""
    from core.settings import get_settings

    settings = get_settings()
    if settings.tracing_endpoint is None:
        yield
        return
    from core.tracing.export import Exporter

    resource = {
        "service.name": f"iit-{role}",
        "service.version": version("iit-platform"),
        "service.instance.id": str(uuid7()),
        "deployment.environment.name": settings.environment,
    }
    exporter = Exporter(settings.tracing_endpoint, settings.tracing_header_pairs(), resource)
    rules = Rules(settings.tracing_share, settings.tracing_slow_seconds, settings.tracing_slow_job_seconds)
    try:
        with tracing(
            rules, exporter.offer, accepts=settings.tracing_accept_callers, hosts=settings.tracing_host_names()
        ):
            yield
    finally:
        exporter.close(CLOSE_SECONDS)


_NAMES: Final = {
    name.replace(".", "_"): name
    for name in ("iit.dependency", "iit.plugin", "iit.plugin.operation", "iit.job.kind", "server.address")
}


def _first(on: _Tracing, name: str, kind: Kind, caller: RemoteSpan | None, slow: float, *, continues: bool) -> Span:
    known = caller if continues else None
    trace_id = f"{_random.getrandbits(128) or 1:032x}" if known is None else known.trace_id
    trace = Trace(trace_id, on.rules, slow, on.export)
    trace.admit()
    span = Span(
        trace,
        name,
        kind,
        _span_id(),
        None if known is None else known.span_id,
        {},
        links=() if caller is None or continues else (caller,),
    )
    span.first = True
    return span


def _span_id() -> str:
    return f"{_random.getrandbits(64) or 1:016x}"


def _ids() -> dict[str, str]:
    present = current()
    return {} if present is None else {"trace_id": present.trace.id, "span_id": present.span_id}


def _when_kept(mark: Callable[[str], None]) -> None:
    present = current()
    if present is not None:
        present.trace.when_kept(mark)
