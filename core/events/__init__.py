"""Events between rooms: a room publishes within its transaction, and does not know its subscribers.

An earlier room publishes; a later one names a function under ``listeners`` of its ``feature.py``. A listener runs in
the publisher's transaction, so an event and its effects commit together or not at all: heavy work is enqueued as a job
there.

``core.events.outbox`` publishes events that are delivered after the act.

Events for listeners and what they carry:
    ``records.changed``: ``patients``, the UUIDs whose records a step of an import (or a request) changed;
        ``kind``, the table that changed, where it was one.
    ``settings.changed``: ``key``, the group of the tenant's settings that was changed, by API, command or an import's
        mapping (then before its records change); ``keys``, the dotted names whose values changed.
    ``tenant.restored``: nothing: an archive has just created the tenant; its unfinished work does not continue.
    ``jobs.given_up``: ``job_uuid``, ``kind`` and ``payload`` of a job that became a dead letter; ``reason``, which is
        ``attempts``, ``interruptions`` or ``refused``; ``error``, kind and place of the last error, or None.
    ``jobs.retried``, ``jobs.discarded``: the same without ``reason``: what an operator decided about a dead letter.
    ``attempts.changed``: ``patient`` and ``attempt``, UUIDs; ``outcome``, None where the attempt was undone.
    ``imports.finished``: ``import_uuid``, ``data_date`` and ``facilities``, the UUIDs it had rows of.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from core.feature_registry import features, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from core.database import TenantSession

    Listener = Callable[[TenantSession, Mapping[str, Any]], None]


@cache
def listeners(event: str) -> tuple[Listener, ...]:
    """The functions that listen to an event, in the order of their features' names."""
    return tuple(resolve(feature.listeners[event]) for feature in features() if event in feature.listeners)


def publish(session: TenantSession, event: str, payload: Mapping[str, Any]) -> int:
    """Call every listener of the event in this transaction; return how many there are.

    An error of a listener rolls back the publisher's transaction.
    """
    functions = listeners(event)
    for listener in functions:
        listener(session, payload)
    return len(functions)
