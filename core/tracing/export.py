"""Export of spans by OTLP over HTTP, in batches, from a thread of its own. No request waits for it.

Only this module imports OpenTelemetry's SDK. Every span passes the allow-list of ``core.tracing.attributes`` here.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, Final, Protocol

from core.telemetry import get_logger
from core.telemetry.repeated import RepeatFilter
from core.tracing.attributes import cleaned, cleaned_name
from core.tracing.units import SPANS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from core.tracing.units import Span

QUEUE: Final = 4_096
"""Most spans that wait for the exporter. Further ones are dropped, and counted."""

BATCH: Final = 512
EVERY_SECONDS: Final = 2.0
"""Longest time that a span waits for others before its batch is sent."""

TIMEOUT_SECONDS: Final = 5.0
"""Seconds within which a batch must be taken, repeated tries included; then it is dropped."""

FULL_WARNING_SECONDS: Final = 60.0

log = get_logger(__name__)


class Sender(Protocol):
    """Sends a batch, as ``OTLPSpanExporter`` does."""

    def export(self, spans: Sequence[ReadableSpan]) -> Any:  # noqa: ANN401 - an enumeration of the SDK
        """Send; return whether it was taken."""

    def shutdown(self) -> None:
        """End a call that is under way."""


class Exporter:
    """Exports spans until it is closed.

    Args:
        endpoint: the collector's address, without ``/v1/traces``.
        headers: sent with each batch, such as a credential.
        resource: attributes of this process.
    """

    def __init__(self, endpoint: str, headers: Mapping[str, str], resource: Mapping[str, str]) -> None:
        self._endpoint, self._headers, self._resource = endpoint, dict(headers), dict(resource)
        self._waiting: deque[Span] = deque()
        self._changed = Condition()
        self._closing = False
        self._sending = self._flushing = False
        self._sender: Sender | None = None
        self._warnings = RepeatFilter(FULL_WARNING_SECONDS)
        self._thread = Thread(target=self._run, name="iit-traces", daemon=True)
        self._thread.start()

    def offer(self, spans: list[Span]) -> None:
        """Queue spans; drop those for which there is no room. Never waits."""
        with self._changed:
            room = QUEUE - len(self._waiting)
            self._waiting.extend(spans[: max(0, room)])
            if len(self._waiting) >= BATCH:
                self._changed.notify_all()
        if len(spans) > room:
            SPANS.add("queue_full", amount=len(spans) - max(0, room))

    def flush(self, seconds: float) -> bool:
        """Send what is queued; return False if that takes longer than the seconds."""
        until = time.monotonic() + seconds
        with self._changed:
            self._flushing = True
            self._changed.notify_all()
            while (self._waiting or self._sending) and time.monotonic() < until:
                self._changed.wait(max(0.0, until - time.monotonic()))
            self._flushing = False
            return not (self._waiting or self._sending)

    def close(self, seconds: float) -> None:
        """Send what is queued within the seconds, and end the thread. What is left then is dropped."""
        done = self.flush(seconds)
        with self._changed:
            self._closing = True
            SPANS.add("queue_full", amount=len(self._waiting))
            self._waiting.clear()
            self._changed.notify_all()
        if not done and self._sender is not None:
            self._sender.shutdown()
        self._thread.join(seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._due, EVERY_SECONDS)
                if self._closing:
                    return
                batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
                self._sending = bool(batch)
            if batch:
                sent = self._send(batch)
                SPANS.add("exported" if sent else "failed", amount=len(batch))
            with self._changed:
                self._sending = False
                self._changed.notify_all()

    def _due(self) -> bool:
        return self._closing or len(self._waiting) >= BATCH or (self._flushing and bool(self._waiting))

    def _send(self, batch: list[Span]) -> bool:
        try:
            if self._sender is None:
                self._sender = _sender(self._endpoint, self._headers)
            result = self._sender.export(readable(batch, self._resource))
        except Exception as error:  # noqa: BLE001 - tracing must never stop, whatever the SDK raises
            self._warn(type(error).__name__)
            return False
        if result.name != "SUCCESS":
            self._warn(result.name)
            return False
        return True

    def _warn(self, kind: str) -> None:
        left_out = self._warnings.due(kind)
        if left_out is not None:
            log.warning("traces were not exported", error=kind, left_out=left_out)


def _sender(endpoint: str, headers: Mapping[str, str]) -> Sender:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # it logs what the collector answers
    return OTLPSpanExporter(
        endpoint=f"{endpoint.rstrip('/')}/v1/traces",
        headers=headers,
        timeout=TIMEOUT_SECONDS,
        compression=Compression.Gzip,
    )


def readable(spans: Sequence[Span], resource: Mapping[str, str]) -> list[ReadableSpan]:
    """Return spans as the SDK has them, with allowed names and attributes only."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags
    from opentelemetry.trace.status import Status, StatusCode

    of_process, scope = Resource(dict(resource)), InstrumentationScope("iit")

    def context(trace_id: str, span_id: str, *, remote: bool = False) -> SpanContext:
        return SpanContext(int(trace_id, 16), int(span_id, 16), remote, TraceFlags(TraceFlags.SAMPLED))

    return [
        ReadableSpan(
            name=cleaned_name(span.name),
            context=context(span.trace.id, span.span_id),
            parent=None if span.parent_id is None else context(span.trace.id, span.parent_id),
            resource=of_process,
            attributes=cleaned(span.attributes),
            links=[Link(context(link.trace_id, link.span_id, remote=True)) for link in span.links],
            kind=SpanKind[span.kind.upper()],
            instrumentation_scope=scope,
            status=Status(StatusCode.UNSET if span.error is None else StatusCode.ERROR),
            start_time=span.began,
            end_time=span.ended,
        )
        for span in spans
    ]
