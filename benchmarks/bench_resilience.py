"""Benchmark of the guard around a call to another server: alone, and around the quickest call there is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from benchmarks.measure import Ratio, compare

LIMIT_SECONDS: Final = 200e-6
CALLS: Final = {"small": 200, "full": 2_000}


def run() -> Iterator[Ratio]:
    """Compare guarded calls with bare ones."""
    from redis import Redis

    from core.app import request_metrics
    from core.resilience import Dependency, deadline, guarded
    from core.services import ensure

    calls = CALLS[os.environ.get("IIT_BENCH_SCALE", "small")]
    sample = Dependency("sample", "A sample.", timeout=5.0)

    def alone() -> None:
        with guarded(sample, tenant="lakeside"):
            pass

    guard = compare("the guard", alone, lambda: None, calls=calls).ours
    yield Ratio("the guard alone, over its limit of 200 µs", guard, LIMIT_SECONDS, target=1.0)
    with Redis.from_url(ensure().redis_url) as client:

        def ours() -> None:
            with guarded(sample, tenant="lakeside"):
                client.ping()

        def within_a_deadline() -> None:
            with deadline(60):
                ours()

        yield compare("a PING of Valkey", ours, client.ping, calls=calls)
        yield compare("a PING of Valkey, within a deadline", within_a_deadline, client.ping, calls=calls)
    scope = {"method": "GET", "type": "http"}
    counted = compare("metrics", lambda: request_metrics.count(scope, 200, 0.01), lambda: None, calls=calls).ours
    yield Ratio("the metrics of one request, over their limit of 20 µs", counted, 20e-6, target=1.0)
