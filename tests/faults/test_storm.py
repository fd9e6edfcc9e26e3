"""Under random kills of every part, no acknowledged write is lost, and none takes effect twice."""

from __future__ import annotations

import os
import secrets

import pytest

from core.tenancy import create_tenant
from tests.core.events.features import declare
from tests.faults import noting
from tests.faults.storm.storm import storm

ROUNDS = 8


@pytest.fixture
def declared(monkeypatch):
    """The event of the storm, declared in this process as in the workers."""
    declare(monkeypatch, noting.FEATURE)


def test_random_kills_lose_nothing_and_repeat_nothing(own_services, declared):
    partner = create_tenant("storm", "Storm")
    seed = int(os.environ.get("STORM_SEED", secrets.randbelow(10**6)))
    report = storm(partner, rounds=ROUNDS, seed=seed, isolating=False)
    assert report.problems == [], report
    assert sum(report.kills.values()) == ROUNDS
    assert all(report.acknowledged.get(kind, 0) > 0 for kind in ("facility", "key", "import", "job", "event")), report
