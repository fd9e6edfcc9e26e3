"""Deliveries of a public event: written with the event, for each endpoint that wants it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from core.clock import now
from core.events.outbox import NUMBER, send_with_number
from core.jobs import enqueue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database import TenantSession

JOB: Final = "webhooks.dispatch"
# The lock makes a dispatcher that is about to end leave a successor. A stronger one would wait for the dispatcher's
# updates, while that waits for nothing but this transaction.
_WANTING: Final = """
SELECT id FROM webhook_endpoints WHERE state = 'active' AND (events = '{}' OR %s = ANY (events))
ORDER BY id FOR KEY SHARE
"""
_DELIVERY: Final = """
INSERT INTO webhook_deliveries (id, endpoint_id, event_id, event, body, state, attempts, due_at, created_at)
VALUES (%s, %s, %s, %s, %s::text || {number} || '}}', 'waiting', 0, %s, %s)
"""
_NUMBERED: Final = _DELIVERY.format(number=NUMBER)
_EXAMPLE: Final = _DELIVERY.format(number="0")


def event_published(session: TenantSession, published: Mapping[str, Any]) -> None:
    """Write a delivery for each endpoint that wants the event. Listens to ``events.published``."""
    with session.cursor() as cursor:
        endpoints = [row[0] for row in cursor.execute(_WANTING, (published["type"],)).fetchall()]
    for endpoint_id in endpoints:
        send_with_number(session, _NUMBERED, _values(uuid7(), endpoint_id, published))
        ask(session, endpoint_id)


def add_example(session: TenantSession, endpoint_id: UUID, published: Mapping[str, Any]) -> UUID:
    """Write the delivery of an example, which has the number 0. The caller has locked the endpoint."""
    delivery_id = uuid7()
    with session.cursor() as cursor:
        cursor.execute(_EXAMPLE, _values(delivery_id, endpoint_id, published))
    ask(session, endpoint_id)
    return delivery_id


def _values(delivery_id: UUID, endpoint_id: UUID, published: Mapping[str, Any]) -> tuple[object, ...]:
    """Return the values of a delivery. Its body ends where the statement adds the number."""
    begun = json.dumps(dict(published), separators=(",", ":")).removesuffix("}") + ',"sequence":'
    return (delivery_id, endpoint_id, published["id"], published["type"], begun, now(), now())


def ask(session: TenantSession, endpoint_id: UUID) -> None:
    """Have the due deliveries of an endpoint sent, once this transaction commits."""
    enqueue(session, JOB, {"endpoint_id": str(endpoint_id)}, dedupe_key=str(endpoint_id))
