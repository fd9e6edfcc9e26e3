"""A collector of OpenTelemetry that keeps what it receives."""

from __future__ import annotations

import gzip
from contextlib import contextmanager

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from core import tracing
from core.tracing.export import Exporter
from tests.core.outgoing.receivers import Receiver

RESOURCE = {"service.name": "iit-test"}


class Collector:
    """Receives spans over HTTP; ``whole`` is everything that was sent, as text, and ``spans`` the spans."""

    def __init__(self):
        self.receiver = Receiver()

    def _requests(self):
        for _, _, body in self.receiver.requests:
            yield ExportTraceServiceRequest.FromString(gzip.decompress(body))

    @property
    def whole(self):
        headers = [str(headers) for _, headers, _ in self.receiver.requests]
        return "\n".join([*map(str, self._requests()), *headers])

    @property
    def spans(self):
        return [
            span
            for request in self._requests()
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @contextmanager
    def tracing(self, rules=None, **options):
        """Trace while the block runs; afterwards, everything is received."""
        exporter = Exporter(self.receiver.url, {}, RESOURCE)
        try:
            with tracing.tracing(rules or tracing.Rules(share=1.0), exporter.offer, **options):
                yield
            assert exporter.flush(20)
        finally:
            exporter.close(5)


def attributes_of(span):
    """The attributes of a received span."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}
