"""Metrics: bounded series without personal values, in Prometheus' format, on a port of their own."""

from urllib.request import Request, urlopen

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from core.errors import Unavailable
from core.metrics import LABELS, OTHER, Counter, Histogram, instruments
from core.metrics.exposition import exposed, text


@pytest.fixture(autouse=True)
def own_readers(monkeypatch):
    monkeypatch.setattr(instruments, "_readers", [])


def families():
    return {family.name: family for family in text_string_to_metric_families(text())}


def test_however_many_tenants_there_are_the_series_stay_bounded():
    counter = Counter("iit_samples_total", "Samples.", ("tenant", "outcome"))
    for number in range(1000):
        counter.add(f"tenant-{number}", f"outcome-{number}")
    samples = families()["iit_samples"].samples
    assert len({sample.labels["tenant"] for sample in samples}) == LABELS["tenant"]
    assert len({sample.labels["outcome"] for sample in samples}) == LABELS["outcome"]
    assert sum(sample.value for sample in samples) == 1000
    assert counter.value(OTHER, OTHER) == 1000 - LABELS["tenant"] + 1


@pytest.mark.parametrize("value", ["Amina Bello", "amina@example.org", "", "+234 803 000 0000", "é", "a" * 200])
def test_a_value_that_could_be_personal_is_not_a_label(value):
    counter = Counter("iit_samples_total", "Samples.", ("tenant",))
    counter.add(value)
    assert counter.value(OTHER) == 1


def test_only_bounded_labels_exist():
    with pytest.raises(ValueError, match="patient"):
        Counter("iit_samples_total", "Samples.", ("patient",))
    with pytest.raises(ValueError, match="name"):
        Counter("samples", "Samples.")


@given(st.lists(st.floats(0, 100), max_size=50))
def test_a_histogram_counts_each_value_once(values):
    histogram = Histogram("iit_sample_seconds", "Samples.", bounds=(1.0, 10.0))
    for value in values:
        histogram.observe(value)
    (reading,) = histogram.reading()
    if not values:
        assert not reading.buckets
        return
    ((_, buckets, total),) = reading.buckets
    assert [count for _, count in buckets] == [
        sum(value <= 1.0 for value in values),
        sum(value <= 10.0 for value in values),
        len(values),
    ]
    assert total == pytest.approx(sum(values))


def test_prometheus_reads_them_on_their_own_port():
    Counter("iit_samples_total", "Samples.", ("tenant",)).add("lakeside")
    with exposed("127.0.0.1", 0) as port:
        with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            assert 'iit_samples_total{tenant="lakeside"} 1.0' in answer.read().decode()
        with pytest.raises(Unavailable, match="metrics"), exposed("127.0.0.1", port):
            pass


def test_without_a_port_nothing_listens():
    with exposed("127.0.0.1", None) as port:
        assert port is None


def test_openmetrics_shows_the_trace_of_a_bucket_and_the_plain_format_does_not(monkeypatch):
    monkeypatch.setattr(instruments, "when_kept", lambda mark: mark("ab" * 16))
    Histogram("iit_sample_seconds", "Samples.", bounds=(1.0, 10.0)).observe(2.0)
    shown = {}
    with exposed("127.0.0.1", 0) as port:
        for form in ("text/plain", "application/openmetrics-text"):
            with urlopen(Request(f"http://127.0.0.1:{port}/metrics", headers={"Accept": form})) as answer:
                shown[form] = answer.read().decode()
    buckets = {
        sample.labels["le"]: sample.exemplar
        for family in openmetrics(shown["application/openmetrics-text"])
        if family.name == "iit_sample_seconds"
        for sample in family.samples
        if sample.name.endswith("_bucket")
    }
    assert (buckets["1.0"], buckets["+Inf"]) == (None, None)
    assert (buckets["10.0"].labels, buckets["10.0"].value) == ({"trace_id": "ab" * 16}, 2.0)
    assert "trace_id" not in shown["text/plain"]
