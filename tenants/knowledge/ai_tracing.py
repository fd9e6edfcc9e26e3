"""Spans of embeddings, searches by meaning and language models, by openlit, where tracing is switched on.

They go to the same collector as all spans, and like these only with attributes of an allow-list: names of models,
tokens, costs and times, never a word of a question, an answer or a passage.
"""

from __future__ import annotations

import re
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Protocol

from core import tracing
from core.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from tenants.knowledge.costs import TokenUse

ALLOWED: Final = frozenset(
    {
        "db.operation.name",
        "db.system.name",
        "error.type",
        "gen_ai.operation.name",
        "gen_ai.provider.name",
        "gen_ai.request.model",
        "gen_ai.system",
        "gen_ai.usage.cost",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "iit.tenant",
    }
)
"""Attributes that may leave. openlit's others can contain texts, or addresses with names in them."""

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z_. ]{0,60}")


class Chat(Protocol):
    """A call of a language model that is under way."""

    def note_use(self, use: TokenUse) -> None:
        """Note the tokens and the cost."""


class _NoChat:
    def note_use(self, use: TokenUse) -> None:
        """Do nothing."""


class _Span:
    def __init__(self, span: Any) -> None:  # noqa: ANN401 - of a library that is imported only where tracing is on
        self._span = span

    def note_use(self, use: TokenUse) -> None:
        """Note the tokens and the cost."""
        self._span.set_attribute("gen_ai.usage.input_tokens", use.read)
        self._span.set_attribute("gen_ai.usage.output_tokens", use.written)
        self._span.set_attribute("gen_ai.usage.cost", float(use.cost))


@contextmanager
def chat(tenant: str) -> Iterator[Chat]:
    """Trace a call of the language model while the block runs."""
    if not tracing.is_on():
        yield _NoChat()
        return
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": get_settings().language_model_name,
        "iit.tenant": tenant,
    }
    with _tracer().start_as_current_span("chat", attributes=attributes, record_exception=False) as span:
        yield _Span(span)


def embeddings(model: str) -> AbstractContextManager[object]:
    """Return a span of embeddings by a model, for ``with``; nothing where tracing is off."""
    if not tracing.is_on():
        return nullcontext()
    attributes = {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": model}
    span: AbstractContextManager[object] = _tracer().start_as_current_span(
        "embeddings", attributes=attributes, record_exception=False
    )
    return span


def _tracer() -> Any:  # noqa: ANN401 - as above
    """Return the tracer. Only the first call initialises openlit, however many come at once."""
    with _initialising:
        return _initialised()


_initialising: Final = Lock()


@cache
def _initialised() -> Any:  # noqa: ANN401 - as above
    """Initialise openlit, which takes some seconds, and return a tracer of its provider."""
    import openlit
    from openlit._instrumentors import MODULE_NAME_MAP
    from opentelemetry import trace
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    settings = get_settings()
    provider = TracerProvider(resource=Resource({"service.name": "iit-knowledge"}))
    provider.add_span_processor(BatchSpanProcessor(_exporter()))
    trace.set_tracer_provider(provider)  # openlit takes the provider that is there, and with it our exporter
    prices = settings.language_model_prices
    openlit.init(
        environment=settings.environment,
        application_name="iit-knowledge",
        otlp_endpoint=None,
        capture_message_content=False,
        disable_metrics=True,
        disable_events=True,
        # Only what this room calls: others would trace requests with their addresses, and statements with their values.
        disabled_instrumentors=[name for name in MODULE_NAME_MAP if name != "llama_index"],
        # Without a file openlit fetches a price list from elsewhere.
        pricing_json=str(prices or Path(__file__).with_name("no_prices.json")),
    )
    return trace.get_tracer("iit.knowledge")


def _exporter() -> Any:  # noqa: ANN401 - as above
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    settings = get_settings()
    return filtering(
        OTLPSpanExporter(
            endpoint=f"{(settings.tracing_endpoint or '').rstrip('/')}/v1/traces",
            headers=settings.tracing_header_pairs(),
            timeout=5.0,
        )
    )


def filtering(exporter: Any) -> Any:  # noqa: ANN401 - as above
    """Return an exporter that removes from each span what is not in ``ALLOWED``, and then exports it by another."""
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
    from opentelemetry.trace.status import Status

    def clean(span: ReadableSpan) -> ReadableSpan:
        return ReadableSpan(
            name=span.name if _NAME.fullmatch(span.name) else "unnamed",
            context=span.get_span_context(),
            parent=span.parent,
            resource=span.resource,
            attributes={name: value for name, value in (span.attributes or {}).items() if name in ALLOWED},
            kind=span.kind,
            instrumentation_scope=span.instrumentation_scope,
            start_time=span.start_time,
            end_time=span.end_time,
            status=Status(span.status.status_code),
        )

    class Filtering(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            result: SpanExportResult = exporter.export([clean(span) for span in spans])
            return result

        def shutdown(self) -> None:
            exporter.shutdown()

    return Filtering()
