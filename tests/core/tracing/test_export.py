"""The exporter sends what it may, never makes a request wait, and counts what it drops."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

import core
from core import tracing
from core.tracing import export
from core.tracing.units import SPANS
from tests.core.outgoing.receivers import Receiver
from tests.core.tracing.collectors import RESOURCE, attributes_of

CORE = Path(core.__file__).parent


def one_request(statements=1):
    with tracing.request(None) as first:
        first.name = "GET /v1/toy"
        for _ in range(statements):
            with tracing.statement("SELECT * FROM patients WHERE id = 7"):
                pass


def test_a_collector_receives_the_spans_of_a_trace(collector):
    with collector.tracing():
        one_request()
    statement, first = collector.spans
    assert (first.name, statement.name) == ("GET /v1/toy", "SELECT patients")
    assert statement.parent_span_id == first.span_id
    assert statement.trace_id == first.trace_id
    assert attributes_of(statement)["db.query.text"] == "SELECT * FROM patients WHERE id = ?"
    assert collector.receiver.requests[0][0] == "/v1/traces"


def test_what_a_span_may_not_say_is_dropped_on_the_way_out(collector):
    with collector.tracing(), tracing.request(None) as first:
        first.name = "GET /v1/patients/08031234567"
        first.note("patient.name", "Amina Bello")
        first.note("http.route", "/v1/patients/08031234567")
        first.fail(ValueError("Amina Bello"))
    (span,) = collector.spans
    assert attributes_of(span) == {"error.type": "ValueError", "iit.kept": "error"}
    assert (span.name, span.status.message, list(span.events)) == ("unnamed", "", [])
    assert "Amina" not in collector.whole


def test_a_collector_that_hangs_makes_nobody_wait_and_what_is_dropped_is_counted(monkeypatch):
    hangs, goes_on = threading.Event(), threading.Event()

    class Hanging:
        def export(self, _spans):
            hangs.set()
            goes_on.wait(30)
            raise OSError

        def shutdown(self):
            goes_on.set()

    monkeypatch.setattr(export, "_sender", lambda *_: Hanging())
    monkeypatch.setattr(export, "QUEUE", 8)
    monkeypatch.setattr(export, "BATCH", 2)
    before = {name: SPANS.value(name) for name in ("queue_full", "failed", "exported")}
    exporter = export.Exporter("http://collector", {}, RESOURCE)
    with tracing.tracing(tracing.Rules(share=1.0), exporter.offer):
        one_request()
        assert hangs.wait(10)
        for _ in range(10):
            one_request()
    exporter.close(0.1)
    assert SPANS.value("failed") == before["failed"] + 2
    assert SPANS.value("queue_full") == before["queue_full"] + 20
    assert SPANS.value("exported") == before["exported"]


def test_a_collector_that_rejects_a_batch_is_not_asked_for_ever(collector):
    collector.receiver.answers.append((400, {}, b"no"))
    before = SPANS.value("failed")
    with collector.tracing():
        one_request()
    assert SPANS.value("failed") == before + 2


@pytest.fixture
def settings_with_collector(settings_of):
    receiver = Receiver()
    settings_of(tracing_endpoint=receiver.url, tracing_share=1.0, tracing_headers="x-scope=lakeside")
    yield receiver
    receiver.close()


def test_the_settings_switch_it_on_and_stopping_sends_the_rest(settings_with_collector):
    with tracing.traced("api"):
        assert tracing.is_on()
        one_request()
    assert not tracing.is_on()
    ((_, headers, _),) = settings_with_collector.requests
    assert {name.lower(): value for name, value in headers.items()}["x-scope"] == "lakeside"


def test_without_a_collector_it_is_off_and_the_exporter_is_not_imported():
    program = (
        "import sys\nfrom core import tracing\nwith tracing.traced('api'):\n assert not tracing.is_on()\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    importing = [str(file.relative_to(CORE)) for file in CORE.rglob("*.py") if "opentelemetry" in file.read_text()]
    assert importing == ["tracing/export.py"]


def test_fastapi_exports_nothing_of_its_own(application):
    """Its spans have paths with queries, and its logs the texts of errors."""
    assert not application._native_telemetry.enabled()
