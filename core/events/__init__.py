"""Events between rooms: a room publishes within its transaction, and does not know its subscribers.

An earlier room publishes; a later one names a function under ``listeners`` of its ``feature.py``. A listener runs in
the publisher's transaction, so an event and its effects commit together or not at all. Heavy work is enqueued as a job
there.

``core.events.outbox`` publishes events that are delivered after the act.

Events for listeners, and their payloads:

- ``records.changed``: a step of an import, or a request, changed records. ``patient_ids``: the patients.
  ``kind``: the table that changed, if it was one.
- ``records.written``: a step of an import wrote rows; ``records.changed`` follows when their patients are settled.
  ``import_id``.
- ``cohort.rebuilt``: statuses of patients were computed again, because the rules changed. Empty.
- ``settings.changed``: a group of the tenant's settings was changed, by API, command or an import's mapping (then
  before its records change). ``key``: the group. ``keys``: the dotted names whose values changed.
- ``tenant.restored``: an archive has just created the tenant; its unfinished work does not continue. Empty.
- ``jobs.given_up``: a job became a dead letter. ``job_id``, and the job's ``kind`` and ``payload``. ``reason``:
  ``attempts``, ``interruptions`` or ``refused``. ``error``: kind and place of the last error, or None.
- ``jobs.retried``, ``jobs.discarded``: an operator decided so about a dead letter. The same without ``reason``.
- ``jobs.cancelled``: somebody cancelled a job before its end. The same without ``reason``.
- ``attempts.changed``: ``patient_id``, ``attempt_id``. ``outcome``: None if the attempt was undone.
- ``statuses.verified``: a second person verified a death or transfer. ``patient_id``, ``state`` (``died`` or
  ``transferred_out``) and ``happened_on``.
- ``lists.issued``: a list was made. ``list_id``, ``kind``, ``as_of``, and ``facility_id``: None for all facilities.
- ``consents.changed``: a patient decided about messages. ``patient_id``, ``purpose``, ``agrees``.
- ``person.erased``: a person was erased. ``patient_ids``: all their records.
- ``events.published``: a public event was published; its envelope, see ``core.events.outbox``.
- ``plugin.channel_acts``, ``plugin.sms_reports``, ``plugin.sms_received``: what vendors sent; see
  ``core.integrations.incoming``.
- ``imports.completed``: an import, or its undoing, is complete. ``import_id``, ``data_date``, and ``facility_ids``: the
  facilities that it had rows of. The outbox has an event of this name, too, for imports only.
- ``plugin.channel_acts``: people acted on alerts in a channel. ``instance_id``; ``acts``: the SDK's ``ChannelAct``.
- ``models.drift``, ``plugins.failing``, ``quotas.near``: a signal about the platform begins, goes on or ends.
  ``subject``: what it is about, without personal data. ``value``: a whole number. ``ended``: whether it has ended.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from core.feature_registry import features, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from core.database import TenantSession

    Listener = Callable[[TenantSession, Mapping[str, Any]], None]
    Observer = Callable[[TenantSession, str, Mapping[str, Any]], None]


@cache
def listeners(event: str) -> tuple[Listener, ...]:
    """The functions that listen to an event, in the order of their features' names."""
    return tuple(resolve(feature.listeners[event]) for feature in features() if event in feature.listeners)


@cache
def observers() -> tuple[Observer, ...]:
    """The functions that see every event, in the order of their features' names."""
    return tuple(resolve(reference) for feature in features() for reference in feature.observers)


def publish(session: TenantSession, event: str, payload: Mapping[str, Any]) -> int:
    """Call every listener of the event in this transaction, then every observer; return how many listeners there are.

    An error of one rolls back the publisher's transaction.
    """
    functions = listeners(event)
    for listener in functions:
        listener(session, payload)
    for observer in observers():
        observer(session, event, payload)
    return len(functions)
