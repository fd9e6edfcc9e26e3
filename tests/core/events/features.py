"""Features that tests add to the installed ones."""

from __future__ import annotations

import core.feature_registry
from core.events import outbox
from core.feature_registry import EventType


def any_event(name, *, public=False):
    """Return a type of event whose payload is any object."""
    return EventType(name, 1, "Something was noted.", "anything", {"type": "object"}, {}, public=public)


def declare(monkeypatch, *added):
    """Let these features be installed until the test ends."""
    installed = core.feature_registry.features()
    everyone = tuple(sorted((*installed, *added), key=lambda feature: feature.name))
    monkeypatch.setattr(core.feature_registry, "features", lambda: everyone)
    monkeypatch.setattr(outbox, "features", lambda: everyone)
