"""Deliveries of a public event: written with the event, for each endpoint that wants it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from core.clock import now
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
VALUES (%s, %s, %s, %s, %s, 'waiting', 0, %s, %s)
"""


def event_published(session: TenantSession, published: Mapping[str, Any]) -> None:
    """Write a delivery for each endpoint that wants the event. Listens to ``events.published``."""
    with session.cursor() as cursor:
        endpoints = [row[0] for row in cursor.execute(_WANTING, (published["type"],)).fetchall()]
    for endpoint_id in endpoints:
        add_delivery(session, endpoint_id, published)


def add_delivery(session: TenantSession, endpoint_id: UUID, published: Mapping[str, Any]) -> UUID:
    """Write a delivery and have it sent. The caller has locked the endpoint."""
    delivery_id = uuid7()
    body = json.dumps(dict(published), separators=(",", ":"))
    with session.cursor() as cursor:
        values = (delivery_id, endpoint_id, published["id"], published["type"], body, now(), now())
        cursor.execute(_DELIVERY, values)
    ask(session, endpoint_id)
    return delivery_id


def ask(session: TenantSession, endpoint_id: UUID) -> None:
    """Have the due deliveries of an endpoint sent, once this transaction commits."""
    enqueue(session, JOB, {"endpoint_id": str(endpoint_id)}, dedupe_key=str(endpoint_id))
