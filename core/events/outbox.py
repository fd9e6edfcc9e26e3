"""Publishing an event that subscribers get after the act has committed, and the features that subscribe."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb
from uuid_utils.compat import uuid7

from core.clock import now
from core.events import publish
from core.events.catalogue import check_payload, type_of
from core.events.wakes import wake_after_commit
from core.feature_registry import features

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.database import TenantSession
    from core.feature_registry import EventType

LARGEST_PAYLOAD: Final = 18_000
"""Most characters of a payload as JSON. A payload names what changed; it does not contain the changed data. A webhook's
body is under 20 kB, with the envelope."""
PUBLISHED: Final = "events.published"
"""What listeners get of a public event, in the transaction of its act: its envelope."""
_INSERT: Final = """
INSERT INTO node.outbox (id, tenant_id, tenant_role, event, subject, payload, actor, request_id)
VALUES (%s, %s, current_user, %s, %s, %s, %s, %s)
"""
_INSERT_NUMBERED: Final = """
WITH counter AS (
    INSERT INTO node.event_counters (tenant_role, tenant_id, last) VALUES (current_user, %s, 1)
    ON CONFLICT (tenant_role) DO UPDATE SET last = event_counters.last + 1 RETURNING last
)
INSERT INTO node.outbox (id, tenant_id, tenant_role, event, subject, payload, actor, request_id, sequence)
SELECT %s, %s, current_user, %s, %s, %s, %s, %s, last FROM counter
"""
NUMBER: Final = "(SELECT last FROM node.event_counters WHERE tenant_role = current_user)"
"""SQL of the number of the event that the transaction published last, in a statement of ``send_with_number``."""
_WAITING: Final = "iit.statements_with_number"


@dataclass(frozen=True, slots=True)
class Event:
    """An event as a subscriber gets it.

    Attributes:
        id: the same in every delivery, so that a subscriber recognises an event that it has handled before.
        name: the event's name.
        subject: what it is about.
        payload: what it carries.
        published_at: when it was published.
    """

    id: UUID
    name: str
    subject: str
    payload: Mapping[str, Any]
    published_at: datetime


def subscribers(event: str) -> tuple[str, ...]:
    """The functions that subscribe to an event, as ``"module:function"``, in the order of their features' names."""
    return tuple(feature.subscribers[event] for feature in features() if event in feature.subscribers)


def publish_after_commit(session: TenantSession, event: str, *, subject: str, payload: Mapping[str, Any]) -> UUID:
    """Write an event into the outbox with the caller's commit; the relay delivers it afterwards.

    Public events of a tenant are numbered in the order of the commits, without a gap.

    Args:
        session: the transaction of the act.
        event: its name, which a feature declares.
        subject: what it is about, such as the id of an import; each subscriber gets the events of a subject in order.
        payload: ids and figures as JSON, never a person's data.

    Returns:
        The id of the event.

    Raises:
        LookupError: no feature declares the event.
        ValueError: the subject is empty, or the payload is too large or does not match its schema.
        TypeError: the payload is not JSON.
    """
    event_type = type_of(event)
    if not subject:
        message = f"the event {event!r} needs a subject: the id of what it is about"
        raise ValueError(message)
    if len(json.dumps(dict(payload))) > LARGEST_PAYLOAD:
        message = f"the payload of {event!r} is over {LARGEST_PAYLOAD} characters: store the data and name it"
        raise ValueError(message)
    check_payload(event_type, payload)
    event_id = uuid7()
    wake_after_commit(session)
    values = (event_id, session.tenant.id, event, subject, Jsonb(dict(payload)), session.actor, session.request_id)
    if not event_type.public:
        session.at_commit(_INSERT, values)
        return event_id
    waiting: list[list[tuple[str, Sequence[object]]]] = session.info.setdefault(_WAITING, [])
    waiting.append([])
    try:
        publish(session, PUBLISHED, envelope(event_type, event_id, subject, payload))
    finally:
        statements = waiting.pop()
    # With the commit: the number's lock makes each act of the tenant that publishes wait for the one before it. In a
    # foreign transaction it is taken now. So what the listeners lock comes first everywhere, or acts would deadlock.
    session.at_commit(_INSERT_NUMBERED, (session.tenant.id, *values))
    for query, arguments in statements:
        session.at_commit(query, arguments)
    return event_id


def send_with_number(session: TenantSession, query: str, values: Sequence[object]) -> None:
    """Send a statement once the event has its ``NUMBER``. For listeners to ``events.published``.

    Args:
        session: the transaction of the act.
        query: the statement, with ``%s`` for each value.
        values: the values.
    """
    session.info[_WAITING][-1].append((query, values))


def envelope(event_type: EventType, event_id: UUID, subject: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return a public event as other systems receive it, without its number, ``sequence``, which its commit gives."""
    return {
        "id": str(event_id),
        "type": event_type.name,
        "version": event_type.version,
        "timestamp": now().isoformat(),
        "subject": subject,
        "data": dict(payload),
    }
