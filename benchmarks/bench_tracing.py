"""Benchmark of tracing: one request with tracing off, on and dropped, and on and exported; and the spans alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Final

from benchmarks.measure import Ratio, compare

CALLS: Final = {"small": 20, "full": 500}
STATEMENTS: Final = 10
LIMIT_SECONDS: Final = 300e-6


class _Collector(BaseHTTPRequestHandler):
    """Takes every batch."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Write nothing."""


def run() -> Iterator[Ratio]:
    """Compare requests that are traced with the same requests without tracing."""
    from core import tracing
    from core.database import platform_session
    from core.services import ensure
    from core.tracing.export import Exporter

    calls = CALLS[os.environ.get("IIT_BENCH_SCALE", "small")]
    ensure()
    dropped = tracing.Rules(share=0.0, slow_request=1e9)
    exported = tracing.Rules(share=1.0)

    def request() -> None:
        """Do what a request does: its span, and one transaction with a few statements."""
        with tracing.request(None), platform_session() as session:
            connection = session.connection()
            for _ in range(STATEMENTS):
                connection.exec_driver_sql("SELECT slug FROM platform.tenants WHERE slug = 'lakeside'")

    def spans() -> None:
        """Make the spans of a request alone."""
        with tracing.request(None):
            for _ in range(STATEMENTS):
                with tracing.statement("SELECT slug FROM platform.tenants WHERE slug = 'lakeside'"):
                    pass

    collector = ThreadingHTTPServer(("127.0.0.1", 0), _Collector)
    Thread(target=collector.serve_forever, daemon=True).start()
    exporter = Exporter(f"http://127.0.0.1:{collector.server_port}", {}, {"service.name": "bench"})

    def traced(rules: tracing.Rules | None, act: Callable[[], None]) -> Callable[[], None]:
        def call() -> None:
            switch: AbstractContextManager[None] = (
                nullcontext() if rules is None else tracing.tracing(rules, exporter.offer)
            )
            with switch:
                act()

        return call

    try:
        off = traced(None, request)
        yield compare("a request of ten statements, traced and dropped", traced(dropped, request), off, calls=calls)
        yield compare("a request of ten statements, traced and exported", traced(exported, request), off, calls=calls)
        alone = compare("spans", traced(dropped, spans), lambda: None, calls=calls).ours
        yield Ratio("the eleven spans alone, over their limit of 300 µs", alone, LIMIT_SECONDS, target=1.0)
    finally:
        exporter.close(5.0)
        collector.shutdown()
        collector.server_close()
