"""Requests are counted by route template, and nothing of what they were called with is in a metric."""

import re
from importlib import import_module

import pytest

from core.app.request_metrics import REQUESTS
from core.metrics import LABELS, readings
from core.metrics.exposition import text


@pytest.fixture
def client(toy_app, client_for, make_tenant):
    return client_for(toy_app, make_tenant().api_key)


def test_requests_are_counted_by_template_and_status(client):
    before = REQUESTS.value("GET", "/v1/jobs/{job_id}", "404")
    for number in range(3):
        assert client.get(f"/v1/jobs/0197c1f0-0000-7000-8000-00000000000{number}").status_code == 404
    assert REQUESTS.value("GET", "/v1/jobs/{job_id}", "404") == before + 3
    shown = text()
    assert "0197c1f0" not in shown
    assert 'iit_http_request_seconds_bucket{le="60.0",method="GET",route="/v1/jobs/{job_id}"}' in shown


def test_unknown_paths_and_methods_make_no_series(client):
    for number in range(50):
        client.request(f"ODD{number}", f"/v1/nothing-{number}")
        client.get(f"/{number}/amina@example.org")
    shown = text()
    assert "nothing-" not in shown
    assert "amina" not in shown
    assert "ODD" not in shown


def test_every_metric_of_the_platform_is_named_and_bounded(application):
    application.openapi()
    import_module("core.jobs.job_metrics")  # of workers
    metrics = readings()
    names = [reading.name for reading in metrics]
    assert sorted(names) == sorted(set(names))
    assert all(re.fullmatch(r"iit_[a-z0-9_]+", name) for name in names)
    assert all(reading.help.endswith(".") for reading in metrics)
    assert all(set(reading.labels) <= LABELS.keys() for reading in metrics)
    assert {
        "iit_http_requests",
        "iit_usage",
        "iit_sign_ins",
        "iit_attempts",
        "iit_imports",
        "iit_pool_connections",
    } <= set(names)
