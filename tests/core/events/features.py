"""Features that tests add to the installed ones."""

from __future__ import annotations

import core.feature_registry
from core.events import outbox


def declare(monkeypatch, *added):
    """Let these features be installed until the test ends."""
    installed = core.feature_registry.features()
    everyone = tuple(sorted((*installed, *added), key=lambda feature: feature.name))
    monkeypatch.setattr(core.feature_registry, "features", lambda: everyone)
    monkeypatch.setattr(outbox, "features", lambda: everyone)
