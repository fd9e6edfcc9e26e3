"""Breakers with a clock that tests move."""

from types import SimpleNamespace

import pytest

from core.resilience import BreakerPolicy, Dependency, instances


@pytest.fixture
def clock(monkeypatch):
    moving = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(instances, "clock", lambda: moving.now)
    return moving


@pytest.fixture
def dependency():
    """Makes dependencies with the bounds that a test needs."""

    def make(name="sample", *, timeout=5.0, **bounds):
        policy = BreakerPolicy(
            **{bound: bounds.pop(bound) for bound in list(bounds) if bound in BreakerPolicy.__slots__}
        )
        return Dependency(name, "A sample.", timeout=timeout, breaker=policy, **bounds)

    return make
