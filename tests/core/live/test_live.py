"""What the installation does now: each process counts its last minute, and the operators see all of them together."""

import json
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from core.app import request_metrics
from core.cli.main import run
from core.clock import now
from core.connections.sharing import Sharing
from core.database import platform_session
from core.jobs import job_metrics
from core.live import service
from core.metrics.window import Window

ROUTE = "/v1/window-of-tests"


class Clock:
    """Time that a test moves on."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def count(status, seconds=0.02, route=ROUTE):
    class Route:
        path = route

    request_metrics.count({"type": "http", "method": "GET", "route": Route}, status, seconds)


def test_the_window_counts_what_happened_since_its_oldest_sample_and_forgets_the_rest():
    clock = Clock()
    window = Window(clock)
    count(200)
    assert window.figures()["requests"] == 0  # what was before nobody asked is not of the last minute
    clock.now += 30
    count(200)
    count(503, 2.0)
    count(200, route="/health/ready")
    job_metrics.count("window.of_tests", "done", 1.0)
    figures = window.figures()
    assert (figures["seconds"], figures["requests"], figures["failed"]) == (30.0, 2, 1)
    assert figures["jobs"] == {"done": 1}
    assert (figures["buckets"]["0.025"], figures["buckets"]["+Inf"]) == (1, 2)
    assert figures["routes"] == [[f"GET {ROUTE}", 2, pytest.approx(2.02)]]
    for _ in range(3):
        clock.now += 31
        last = window.figures()
    assert (last["requests"], last["routes"]) == (0, [])
    assert last["seconds"] <= 60


@given(
    st.dictionaries(st.sampled_from(["0.005", "0.1", "1.0", "10.0"]), st.integers(0, 50), min_size=1),
    st.floats(0.01, 1.0),
)
def test_a_quantile_lies_between_the_bounds_of_its_bucket_and_grows_with_the_share(counts, share):
    total, buckets = 0, {}
    for bound in sorted(counts, key=float):
        total += counts[bound]
        buckets[bound] = total
    buckets["+Inf"] = total
    value = service.quantile_ms(buckets, share)
    if not total:
        assert value is None
        return
    place = next(bound for bound in sorted(counts, key=float) if buckets[bound] >= share * total)
    below = [float(bound) for bound in counts if float(bound) < float(place)]
    assert max(below, default=0.0) * 1000 <= value <= float(place) * 1000 + 1e-6
    values = [service.quantile_ms(buckets, each / 10) for each in range(1, 11)]
    assert all(one <= two + 1e-6 for one, two in pairwise(values))
    assert not math.isinf(values[-1])


def test_a_process_shows_its_figures_until_it_is_silent(database):
    """Other tests, in other processes, delete the reports of all; so it may have to say it again."""
    sharing = Sharing("api")
    sharing._window.figures = lambda: {"of": str(sharing._id)}

    def shown():
        return [row for row in service.reports() if row["figures"] == {"of": str(sharing._id)}]

    for _ in range(10):
        sharing._written = None
        sharing.share()
        if shown():
            break
    assert [row["role"] for row in shown()] == ["api"]
    with platform_session() as session:
        session.execute(
            text("UPDATE platform.process_reports SET seen_at = now() - interval '1 minute' WHERE id = :id"),
            {"id": sharing._id},
        )
    assert shown() == []


@pytest.fixture
def two_processes(database, monkeypatch):
    """What two processes said of their last minute."""

    def report(role, seconds):
        figures = {
            "seconds": seconds,
            "requests": 40,
            "failed": 10,
            "shed": 2,
            "errors": 1,
            "jobs": {"done": 20, "dead": 2},
            "buckets": {"0.1": 20, "1.0": 40, "+Inf": 40},
            "routes": [["GET /v1/patients", 40, 4.0]],
        }
        return {"role": role, "host": "app-1", "process": 7, "figures": figures, "started_at": now()}

    monkeypatch.setattr(service, "reports", lambda: [report("api", 20.0), report("worker", 40.0)])


def test_all_processes_are_shown_together(two_processes):
    shown = service.live()
    assert [each.role for each in shown.processes] == ["api", "worker"]
    assert shown.requests_per_second == pytest.approx(40 / 20 + 40 / 40)
    assert shown.failed_share == 0.25
    assert (shown.p50_ms, shown.p95_ms) == (100.0, pytest.approx(910.0))
    assert shown.jobs_per_minute == {"done": pytest.approx(90.0), "dead": pytest.approx(9.0)}
    assert [(each.name, each.per_minute, each.mean_ms) for each in shown.routes] == [
        ("GET /v1/patients", pytest.approx(180.0), pytest.approx(100.0))
    ]
    assert [each.name for each in shown.databases] == ["default"]


def test_iit_top_shows_the_same_once_and_as_json(two_processes, capsys):
    assert run(["top", "--once"]) == 0
    text_shown = capsys.readouterr().out
    assert "requests: 3.0/s, 25.00% fail; half in 100 ms, 95% in 910 ms" in text_shown
    assert "GET /v1/patients" in text_shown
    assert run(["top", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["requests_per_second"] == pytest.approx(3.0)
