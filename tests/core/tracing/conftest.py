"""A collector for each file, empty at the start of each test; and spans that were exported within this process."""

import pytest

from core import tracing
from tests.core.tracing.collectors import Collector


@pytest.fixture(scope="module")
def module_collector():
    collector = Collector()
    yield collector
    collector.receiver.close()


@pytest.fixture
def collector(module_collector):
    module_collector.receiver.requests.clear()
    module_collector.receiver.answers.clear()
    return module_collector


@pytest.fixture
def exported():
    """The spans of exported traces; every trace is exported."""
    spans = []
    with tracing.tracing(tracing.Rules(share=1.0), spans.extend):
        yield spans
