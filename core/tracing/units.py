"""Spans of the present request or job, and the trace that collects them until its end.

A trace here is what one process knows of it: the first span, such as that of a request, and those within it.
"""

from __future__ import annotations

import time
from contextlib import suppress
from contextvars import ContextVar, Token
from threading import Lock
from typing import TYPE_CHECKING, Final, Literal, Self

from core.metrics import Counter
from core.tracing.propagation import RemoteSpan, render

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from core.tracing.attributes import Value
    from core.tracing.rules import Reason, Rules

Kind = Literal["server", "client", "consumer", "internal"]

MOST_SPANS: Final = 256
"""Spans of one trace that are kept; further ones are counted only."""

MOST_EXEMPLARS: Final = 32

SPANS: Final = Counter("iit_trace_spans_total", "Spans by what became of them.", ("outcome",))
TRACES: Final = Counter("iit_traces_total", "Traces by why they were exported, or that they were not.", ("outcome",))

_current: ContextVar[Span | None] = ContextVar("iit_span", default=None)


class Trace:
    """The spans of one request or job.

    Args:
        trace_id: in hexadecimal.
        rules: decide at the end whether it is exported.
        slow: seconds from which it is slow.
        export: takes the spans of an exported trace; must not wait.
    """

    def __init__(self, trace_id: str, rules: Rules, slow: float, export: Callable[[list[Span]], None]) -> None:
        self.id = trace_id
        self.rules = rules
        self.failed = False
        self.reason: Reason | None = None
        self._slow, self._export = slow, export
        self._spans: list[Span] = []
        self._begun = 0
        self._left_out = 0
        self._exemplars: list[Callable[[str], None]] = []
        self._decided = False
        self._lock = Lock()

    def admit(self) -> bool:
        """Count one more span; return False if the trace is full, and the span is left out."""
        with self._lock:
            full = self._begun >= MOST_SPANS
            if full:
                self._left_out += 1
            else:
                self._begun += 1
            return not full

    def ended(self, span: Span) -> None:
        """Take a span that has ended. One that ends after the first span follows the decision."""
        with self._lock:
            self.failed = self.failed or span.error is not None
            if not self._decided:
                self._spans.append(span)
                return
            exported = self.reason is not None
        if exported:
            self._export([span])
        else:
            SPANS.add("not_kept")

    def decide(self, first: Span, seconds: float) -> None:
        """Export the trace or drop it, because its first span has ended."""
        reason = self.rules.reason(self.id, failed=self.failed, seconds=seconds, slow=self._slow)
        with self._lock:
            self._decided, self.reason = True, reason
            spans, self._spans = self._spans, []
            exemplars, self._exemplars = self._exemplars, []
        if reason is None:
            TRACES.add("not_kept")
            SPANS.add("not_kept", amount=len(spans))
            return
        TRACES.add(reason)
        first.attributes["iit.kept"] = reason
        if self._left_out:
            first.attributes["iit.spans_left_out"] = self._left_out
            SPANS.add("left_out", amount=self._left_out)
        self._export(spans)
        for mark in exemplars:
            mark(self.id)

    def when_kept(self, mark: Callable[[str], None]) -> None:
        """Call ``mark`` with the id of the trace if it is exported."""
        with self._lock:
            if not self._decided:
                if len(self._exemplars) < MOST_EXEMPLARS:
                    self._exemplars.append(mark)
                return
        if self.reason is not None:
            mark(self.id)


class Span:
    """One operation: a request, a statement, a call. ``with`` begins and ends it.

    Args:
        trace: the trace that it belongs to.
        name: such as ``SELECT patients``; of our own code, never of a request.
        kind: ``server``, ``client``, ``consumer`` or ``internal``.
        span_id: in hexadecimal.
        parent_id: of the span within which it is; None if it begins the trace.
        attributes: see ``core.tracing.attributes``.
        harmless: errors that do not make it a failure.
        links: spans to which it belongs without being within them.

    Attributes:
        first: whether it begins the trace, whose fate is decided when it ends.
    """

    __slots__ = (
        "_began",
        "_harmless",
        "_token",
        "attributes",
        "began",
        "ended",
        "error",
        "first",
        "kind",
        "links",
        "name",
        "parent_id",
        "seconds",
        "span_id",
        "trace",
    )

    def __init__(
        self,
        trace: Trace,
        name: str,
        kind: Kind,
        span_id: str,
        parent_id: str | None,
        attributes: dict[str, Value],
        *,
        harmless: tuple[type[BaseException], ...] = (),
        links: tuple[RemoteSpan, ...] = (),
    ) -> None:
        self.trace, self.name, self.kind = trace, name, kind
        self.span_id, self.parent_id, self.first = span_id, parent_id, False
        self.attributes, self.links, self._harmless = attributes, links, harmless
        self.error: str | None = None
        self.seconds: float | None = None
        self.began = self.ended = 0
        self._began = 0.0
        self._token: Token[Span | None] | None = None

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        self.began, self._began = time.time_ns(), time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        took = time.perf_counter() - self._began
        self.ended = self.began + int(took * 1e9)
        if isinstance(error, Exception) and not isinstance(error, self._harmless):
            self.fail(error)
        if self._token is not None:
            with suppress(ValueError):  # a stream may end its span in another copy of the context
                _current.reset(self._token)
            self._token = None
        self.trace.ended(self)
        if self.first:
            self.trace.decide(self, took if self.seconds is None else self.seconds)

    def note(self, name: str, value: Value) -> None:
        """Set an attribute."""
        self.attributes[name] = value

    def fail(self, error: BaseException | str) -> None:
        """Mark the span as failed, by the kind of the error alone: its text may be personal."""
        self.error = error if isinstance(error, str) else type(error).__name__
        self.attributes["error.type"] = self.error

    def answered(self) -> None:
        """Measure slowness up to now: what follows depends on how fast a client reads."""
        self.seconds = time.perf_counter() - self._began

    def traceparent(self) -> str:
        """Return the header that names this span to another process."""
        return render(self.trace.id, self.span_id, sampled=self.trace.rules.in_share(self.trace.id))


class NoSpan:
    """Stands for a span while tracing is off, or the trace is full: does nothing."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None

    def note(self, name: str, value: Value) -> None:
        """Do nothing."""

    def fail(self, error: BaseException | str) -> None:
        """Do nothing."""

    def answered(self) -> None:
        """Do nothing."""


NO_SPAN: Final = NoSpan()


def current() -> Span | None:
    """Return the span that the present code runs in."""
    return _current.get()
