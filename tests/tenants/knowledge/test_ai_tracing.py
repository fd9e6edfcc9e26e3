"""Spans of language models and embeddings have figures and names of models, and no word of anybody."""

import subprocess
import sys

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tenants.knowledge import ai_tracing
from tenants.knowledge.costs import TokenUse


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
