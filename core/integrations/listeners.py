"""Public events for the listeners that a tenant has set up: one job for each event and listener."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from core.database import node_session, psycopg_connection
from core.errors import NotFound, Unavailable, phrase
from core.events.catalogue import type_of
from core.jobs import Retry, enqueue, job
from core.plugins import instances
from core.plugins.sending import send_event
from core.plugins.usable_instances import log_failure
from core.webhooks import fan_out
from plugins.sdk import Event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.database import TenantRef, TenantSession
    from core.jobs import JobContext

JOB: Final = "integrations.listen"
_WANTING: Final = """
SELECT id FROM plugin_instances
WHERE kind = 'event-listener' AND enabled AND events @> jsonb_build_array(%s::text) ORDER BY id
"""
_EVENT: Final = """
SELECT sequence, event, subject, payload, published_at FROM node.outbox WHERE tenant_id = %s AND id = %s
"""


def event_published(session: TenantSession, published: Mapping[str, Any]) -> None:
    """Hand a public event to webhooks and to plugins' listeners. Listens to ``events.published``."""
    fan_out.event_published(session, published)
    with session.cursor() as cursor:
        wanting = [row[0] for row in cursor.execute(_WANTING, (published["type"],)).fetchall()]
    for instance_id in wanting:
        enqueue(session, JOB, {"instance_id": str(instance_id), "event_id": published["id"]})


@job(JOB, retry=Retry(8), lease=timedelta(minutes=1), time_limit=timedelta(minutes=10))
def listen(context: JobContext, payload: dict[str, Any]) -> None:
    """Send what the listener makes of one event.

    Raises:
        Unavailable: it could not be sent now; the job is tried again.
    """
    instance_id = UUID(payload["instance_id"])
    with context.session() as session:
        usable = _is_enabled(session, instance_id)
    event = _event(context.tenant, UUID(payload["event_id"]))
    if event is not None and usable:
        outcome = send_event(context.tenant, instance_id, event)
        if outcome.state == "retry":
            detail = phrase("an event could not be sent to a listener: {reason}", reason=outcome.reason or "")
            raise Unavailable(detail)
        if outcome.state != "sent":
            log_failure(context.tenant, instance_id, "outcome", outcome.reason or outcome.state)


def _is_enabled(session: TenantSession, instance_id: UUID) -> bool:
    try:
        return instances.get_instance(session, instance_id).enabled
    except NotFound:
        return False


def _event(tenant: TenantRef, event_id: UUID) -> Event | None:
    """Return a published event; None if it is older than events are stored."""
    with node_session(tenant.database) as session:
        row = psycopg_connection(session).execute(_EVENT, (tenant.id, event_id)).fetchone()
    if row is None:
        return None
    sequence, name, subject, payload, published_at = row
    return Event(str(event_id), name, type_of(name).version, sequence, subject, published_at, payload)
