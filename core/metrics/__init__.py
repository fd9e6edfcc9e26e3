"""Metrics of this process for Prometheus, served on a port of their own when ``IIT_METRICS_PORT`` is set."""

from core.metrics.instruments import LABELS, OTHER, Counter, Gauge, Histogram, Reading, Sample, readings, register

__all__ = ["LABELS", "OTHER", "Counter", "Gauge", "Histogram", "Reading", "Sample", "readings", "register"]
