"""Requests, statements, jobs and calls are traced, and nothing personal is in what is exported."""

import io
import json
import logging
from urllib.parse import quote

import pytest

from core import telemetry, tracing
from core.app.request_metrics import SECONDS
from core.database import tenant_session
from core.jobs import enqueue
from core.jobs.worker import drain
from core.outgoing import Request, parse_url, send
from core.resilience.dependencies import SIGN_IN_PROVIDERS
from tests.core.jobs.conftest import acts
from tests.core.tracing.collectors import attributes_of
from tests.keyed import KeyedClient

NAME, PHONE, IDENTIFIER, NOTE = "Zainabqx Okonkwoqx", "08031234567", "PID-QX-0042", "qxsecretnote"
PARTS = ("Zainabqx", "Okonkwoqx", PHONE, "QX-0042", NOTE)
TRACE = "ab" * 16
HEADER = f"00-{TRACE}-{'cd' * 8}-01"


acts["tracing"] = lambda _context, _payload: {}[NAME]


@pytest.fixture(scope="module")
def partner(make_tenant):
    return make_tenant()


@pytest.fixture
def client(toy_app, client_for, partner):
    return client_for(toy_app, partner.api_key)


def named(spans, name):
    return next(span for span in spans if span.name == name)


def test_a_request_is_a_span_by_its_route_with_its_statements(client, exported, partner):
    assert client.get("/v1/toy/one", headers={"traceparent": HEADER}).status_code == 200
    first = named(exported, "GET /v1/toy/one")
    assert first.attributes["http.response.status_code"] == 200
    assert first.attributes["iit.tenant"] == partner.ref.slug
    assert first.links[0].trace_id == TRACE
    statement = next(span for span in exported if span.attributes.get("db.query.text") == "SELECT ?")
    assert (statement.trace, statement.kind) == (first.trace, "client")
    assert {span.span_id for span in exported} >= {span.parent_id for span in exported} - {None}


def test_a_server_traces_from_its_start_and_sends_the_rest_when_it_stops(toy_app, partner, collector, settings_of):
    settings_of(tracing_endpoint=collector.receiver.url, tracing_share="1")
    with KeyedClient(toy_app, headers={"Authorization": f"Bearer {partner.api_key}"}) as client:
        assert client.get("/v1/toy/one").status_code == 200
    assert named(collector.spans, "GET /v1/toy/one")
    assert not tracing.is_on()


def test_probes_and_assets_are_not_traced(client, exported):
    client.get("/health/live")
    client.get("/health/ready")
    assert not exported


def test_an_unexpected_error_is_kept_by_its_kind(client):
    spans = []
    with tracing.tracing(tracing.Rules(share=0.0, slow_request=1000.0), spans.extend):
        client.get("/v1/toy/one")
        assert not spans
        assert client.post("/v1/toy/write-then-break").status_code == 500
    first = named(spans, "POST /v1/toy/write-then-break")
    assert (first.attributes["iit.kept"], first.attributes["error.type"]) == ("error", "500")


def test_a_job_is_linked_to_what_enqueued_it(exported, module_tenant):
    with tracing.request(None) as asked, tenant_session(module_tenant, actor="test:1") as session:
        job_id = enqueue(session, "testing.act", {"act": "tracing"})
    drain(module_tenant)
    job = named(exported, "job testing.act")
    assert job.links[0].trace_id == asked.trace.id
    assert job.trace is not asked.trace
    assert job.attributes["iit.job.id"] == str(job_id)
    assert (job.attributes["iit.job.outcome"], job.error) == ("queued", "KeyError")


def test_a_call_is_a_span_and_only_a_named_host_learns(collector, settings_of):
    settings_of(sso_private_addresses="true", environment="test")
    url = parse_url(collector.receiver.url + f"/{quote(NAME)}?phone={PHONE}")
    for hosts, receives in ((frozenset(), False), (frozenset({url.host}), True)):
        collector.receiver.requests.clear()
        spans = []
        with tracing.tracing(tracing.Rules(share=1.0), spans.extend, hosts=hosts), tracing.request(None):
            send(SIGN_IN_PROVIDERS, Request("POST", url), private=True)
        call = named(spans, "call sign_in_providers")
        assert (call.attributes["server.address"], call.attributes["http.response.status_code"]) == (url.host, 200)
        headers = {name.lower(): value for name, value in collector.receiver.requests[0][1].items()}
        assert ("traceparent" in headers) is receives
        if receives:
            assert headers["traceparent"] == call.traceparent()


def test_log_lines_say_their_trace_and_span(client, exported):
    out = io.StringIO()
    telemetry.configure(level="info", form="json", stream=out)
    try:
        client.get("/v1/toy/one")
    finally:
        telemetry.configure_from_settings()
    line = next(line for line in map(json.loads, out.getvalue().splitlines()) if line["event"] == "request")
    first = named(exported, "GET /v1/toy/one")
    assert (line["trace_id"], line["span_id"]) == (first.trace.id, first.span_id)


def test_a_histogram_shows_an_exported_trace_and_no_other(client):
    def marked():
        (reading,) = SECONDS.reading()
        return {mark.trace_id for (key, _), mark in reading.exemplars.items() if key == ("GET", "/v1/toy/pages")}

    with tracing.tracing(tracing.Rules(share=0.0, slow_request=1000.0), lambda _: None):
        client.get("/v1/toy/pages")
    assert not marked()
    spans = []
    with tracing.tracing(tracing.Rules(share=1.0), spans.extend):
        client.get("/v1/toy/pages")
    assert marked() == {spans[0].trace.id}


def test_nothing_personal_is_exported(client, collector, module_tenant, monkeypatch):
    """Names, phones and identifiers in paths, queries, headers, bodies, statements, errors and jobs."""
    monkeypatch.setattr(logging, "raiseExceptions", False)
    personal = (NAME, PHONE, IDENTIFIER, NOTE)
    with collector.tracing():
        for value in personal:
            client.get(f"/v1/patients/{quote(value)}")
            client.get(f"/{quote(value)}")
            client.get("/v1/toy/one", params={"q": value, value: "1"}, headers={"X-Request-ID": value.replace(" ", "")})
            client.post("/v1/toy/body", json={"name": value, "birthdate": value, value: value})
            client.post("/v1/toy/data-error", params={"text": value})
            client.get(
                "/v1/toy/one", headers={"traceparent": value, "tracestate": f"a={PHONE}", "baggage": f"n={PHONE}"}
            )
        client.post("/v1/toy/write-then-break")
        client.post("/v1/toy/bad-answer")
        client.post("/v1/toy/commit-fails")
        client.request(f"ODD{PHONE}", "/v1/toy/one")
        with tracing.request(None) as first, tenant_session(module_tenant, actor="test:1") as session:
            cursor = session.cursor()
            cursor.execute(f"SELECT '{NAME}' AS a /* {PHONE} */ -- {NOTE}")
            cursor.execute("SELECT %s, %s", (IDENTIFIER, NAME))
            cursor.executemany("SELECT %s", [(NAME,), (PHONE,)])
            cursor.execute(f'SELECT 1 AS "{NAME}"')
            enqueue(session, "testing.act", {"act": "tracing", "note": NOTE})
            first.fail(RuntimeError(NAME))
        drain(module_tenant)
    spans = collector.spans
    assert {"GET none", "POST /v1/toy/body", "POST /v1/toy/write-then-break", "job testing.act"} <= {
        span.name for span in spans
    }
    assert any("db.query.text" in attributes_of(span) for span in spans)
    whole = collector.whole
    assert [part for part in PARTS if part.lower() in whole.lower()] == []
