"""Spans of language models and embeddings have figures and names of models, and no word of anybody."""

import gzip
import os
import subprocess
import sys

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tenants.knowledge import ai_tracing
from tenants.knowledge.costs import TokenUse
from tests.core.tracing.collectors import Collector, attributes_of


def spans_of(act):
    """What is exported of the spans that ``act(tracer)`` makes."""
    memory = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ai_tracing.filtering(memory)))
    act(provider.get_tracer("test"))
    return memory.get_finished_spans()


def test_only_allowed_attributes_are_exported():
    def act(tracer):
        attributes = {"gen_ai.prompt": "Musa", "gen_ai.request.model": "small-1", "db.query.text": "Musa"}
        with tracer.start_as_current_span("retrieve Musa 0803", attributes=attributes) as span:
            span.add_event("gen_ai.content.prompt", {"gen_ai.prompt": "Musa"})
            span.record_exception(ValueError("Musa"))

    (span,) = spans_of(act)
    assert span.name == "unnamed"
    assert dict(span.attributes) == {"gen_ai.request.model": "small-1"}
    assert (list(span.events), list(span.links), span.status.description) == ([], [], None)


def test_a_chat_has_its_model_tokens_and_cost(monkeypatch, settings_of):
    settings_of(language_model_name="small-1")
    monkeypatch.setattr(ai_tracing.tracing, "is_on", lambda: True)

    def act(tracer):
        monkeypatch.setattr(ai_tracing, "_tracer", lambda: tracer)
        with ai_tracing.chat("partner-one") as chat:
            chat.note_use(TokenUse("small-1", 900, 60))
        with ai_tracing.embeddings("e5"):
            pass

    chat, embeddings = spans_of(act)
    assert dict(chat.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "small-1",
        "gen_ai.usage.input_tokens": 900,
        "gen_ai.usage.output_tokens": 60,
        "gen_ai.usage.cost": 0.0,
        "iit.tenant": "partner-one",
    }
    assert dict(embeddings.attributes) == {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "e5"}


def test_while_tracing_is_off_nothing_is_imported():
    program = (
        "import sys; from tenants.knowledge import ai_tracing\n"
        "with ai_tracing.chat('t') as chat, ai_tracing.embeddings('e5'): pass\n"
        "assert 'openlit' not in sys.modules and 'opentelemetry.sdk' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_openlit_is_initialised_with_our_exporter_and_no_contents(monkeypatch, settings_of):
    import openlit

    options = {}
    monkeypatch.setattr(openlit, "init", lambda **settings: options.update(settings))
    monkeypatch.setattr("opentelemetry.trace.set_tracer_provider", lambda provider: None)
    settings_of(tracing_endpoint="http://127.0.0.1:4318")
    ai_tracing._initialised.__wrapped__()
    assert (options["capture_message_content"], options["disable_events"], options["disable_metrics"]) == (
        False,
        True,
        True,
    )
    assert "llama_index" not in options["disabled_instrumentors"]
    assert {"httpx", "requests", "psycopg", "fastapi"} <= set(options["disabled_instrumentors"])
    assert "://" not in options["pricing_json"]


PROGRAM = """
import time
from core import tracing
from tenants.knowledge import ai_tracing
from tenants.knowledge.costs import TokenUse

tracing.is_on = lambda: True
with ai_tracing.chat("partner-one") as chat:
    time.sleep(0.05)
    chat.note_use(TokenUse("small-1", 900, 60))
with ai_tracing.embeddings("e5"):
    pass
from opentelemetry import trace

trace.get_tracer_provider().force_flush()
"""


def test_a_collector_gets_tokens_cost_and_time_by_the_price_list(tmp_path):
    """openlit itself, in a process of its own: it changes libraries for good."""
    prices = tmp_path / "prices.json"
    prices.write_text('{"chat": {"small-1": {"promptPrice": 0.01, "completionPrice": 0.05}}}')
    collector = Collector()
    environment = {
        **os.environ,
        "IIT_TRACING_ENDPOINT": collector.receiver.url,
        "IIT_LANGUAGE_MODEL_NAME": "small-1",
        "IIT_LANGUAGE_MODEL_PRICES": str(prices),
    }
    try:
        subprocess.run([sys.executable, "-c", PROGRAM], check=True, env=environment, timeout=300)
        spans = {span.name: span for span in spans_in(collector)}
    finally:
        collector.receiver.close()
    chat = attributes_of(spans["chat"])
    assert (chat["gen_ai.usage.input_tokens"], chat["gen_ai.usage.output_tokens"]) == (900, 60)
    assert chat["gen_ai.usage.cost"] == pytest.approx(0.9 * 0.01 + 0.06 * 0.05)
    assert spans["chat"].end_time_unix_nano - spans["chat"].start_time_unix_nano >= 50_000_000
    assert attributes_of(spans["embeddings"])["gen_ai.request.model"] == "e5"


def spans_in(collector):
    """The spans that arrived, compressed or not."""
    for _, _, body in collector.receiver.requests:
        content = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        for resource in ExportTraceServiceRequest.FromString(content).resource_spans:
            for scope in resource.scope_spans:
                yield from scope.spans
