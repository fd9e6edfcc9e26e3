"""A subscriber whose effect shows twice if it happens twice, and that waits where the test kills its process."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import core.feature_registry
from core.events import outbox
from core.feature_registry import Feature
from core.jobs import deliveries, registry
from tests.core.events.features import any_event
from tests.faults.effects import effect, wait_here_once

EVENT = "faults.noted"
LEASE = timedelta(seconds=1)
FEATURE = Feature("faults", events=(any_event(EVENT),), subscribers={EVENT: "tests.faults.noting:note"})


def note(context, event):
    """Write the id of the event; wait within the transaction or after it, as the payload says, the first time."""
    place, folder = event.payload["wait"], event.payload["folder"]
    with context.session() as session:
        effect(session, str(event.id))
        if place == "within":
            wait_here_once(folder, place)
    if place == "after":
        wait_here_once(folder, place)


def install():
    """Declare the event and its subscriber in this process, with a lease that runs out soon."""
    everyone = (*core.feature_registry.features(), FEATURE)
    core.feature_registry.features = outbox.features = lambda: everyone
    registry._kinds[deliveries.KIND] = replace(registry.kind_of(deliveries.KIND), lease=LEASE)
