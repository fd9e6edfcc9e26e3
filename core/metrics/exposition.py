"""The port on which Prometheus reads the metrics of this process."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from core.errors import Unavailable
from core.metrics.instruments import Exemplar, Reading, readings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric


class _Readings:
    """Gives ``prometheus_client`` our metrics in its own classes."""

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        for reading in readings():
            yield _family(reading)


def _family(reading: Reading) -> Metric:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    if reading.kind == "histogram":
        histogram = HistogramMetricFamily(reading.name, reading.help, labels=reading.labels)
        for key, buckets, total in reading.buckets:
            marked: Any = [
                (*bucket, _exemplar(exemplar)) if (exemplar := reading.exemplars.get((key, place))) else bucket
                for place, bucket in enumerate(buckets)
            ]
            histogram.add_metric(key, marked, total)
        return histogram
    family_of: Any = CounterMetricFamily if reading.kind == "counter" else GaugeMetricFamily
    family = family_of(reading.name, reading.help, labels=reading.labels)
    for sample in reading.samples:
        family.add_metric(sample.labels, sample.value)
    return cast("Metric", family)


def _exemplar(exemplar: Exemplar) -> Any:  # noqa: ANN401 - as above
    from prometheus_client.samples import Exemplar as Shown

    return Shown({"trace_id": exemplar.trace_id}, exemplar.value, exemplar.at)


def text() -> str:
    """Return the metrics of this process in Prometheus' text format."""
    from prometheus_client import generate_latest

    return generate_latest(_registry()).decode()


def _registry() -> Any:  # noqa: ANN401 - prometheus_client is imported only where the port is open
    from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector

    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(_Readings())
    return registry


@contextmanager
def exposed(host: str, port: int | None) -> Iterator[int | None]:
    """Serve the metrics while the block runs; does nothing if ``port`` is None.

    Args:
        host: the address to listen on.
        port: the port; 0 takes a free one.

    Yields:
        The port, or None.

    Raises:
        Unavailable: the port is not free.
    """
    if port is None:
        yield None
        return
    from prometheus_client import start_http_server

    try:
        server, thread = start_http_server(port, host, registry=_registry())
    except OSError as error:
        detail = f"cannot serve metrics on port {port} of {host}: {error.strerror}"
        raise Unavailable(detail, remedy="Stop what uses the port, or set another IIT_METRICS_PORT.") from error
    try:
        yield int(server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
