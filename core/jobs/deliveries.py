"""Delivery of the outbox's events: the relay enqueues a job for each subscriber, and the job calls the subscriber.

A delivery is a job like any other: it is tried again with growing pauses, becomes a dead letter in the end, and waits
for its tenant's turn.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb
from uuid_utils.compat import uuid7

from core import telemetry
from core.errors import AppError
from core.events.catalogue import event_types
from core.events.outbox import Event, subscribers
from core.feature_registry import resolve
from core.jobs import payloads
from core.jobs.bounds import Retry
from core.jobs.context import EarlierFirst, JobContext
from core.jobs.registry import job, kind_of
from core.tenancy import tenant_of_role

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

    from core.database import TenantRef, TenantSession

KIND: Final = "events.deliver"
READABLE: Final = frozenset({"event_id", "event", "subject", "published_at", "subscriber"})
"""Fields of a delivery that the order of deliveries needs in the database. The event's own payload is encrypted."""

RETRY: Final = Retry(8)
log = telemetry.get_logger(__name__)

_DUE: Final = """
SELECT id, tenant_id, tenant_role, event, subject, payload, published_at, actor, request_id FROM node.outbox
WHERE forwarded_at IS NULL AND event = ANY(%(events)s) AND (%(role)s::text IS NULL OR tenant_role = %(role)s)
    AND tenant_role <> ALL(%(skipped)s::text[])
ORDER BY published_at, id LIMIT %(batch)s FOR UPDATE SKIP LOCKED
"""
_ENQUEUE: Final = """
INSERT INTO node.jobs
    (id, tenant_id, tenant_role, kind, payload, dedupe_key, run_after, max_attempts, requested_by, request_id)
VALUES (%s, %s, %s, %s, %s, %s, now(), %s, %s, %s)
"""
_FORWARDED: Final = "UPDATE node.outbox SET forwarded_at = now() WHERE id = ANY(%s)"

_SWEEP: Final = """
DELETE FROM node.outbox WHERE id IN (
    SELECT id FROM node.outbox WHERE forwarded_at < now() - %(keep)s::interval
    LIMIT %(batch)s FOR UPDATE SKIP LOCKED
)
"""

# The texts are compared as bytes: the moment has a fixed width, and other kinds of jobs may have any payload.
_EARLIER: Final = """
SELECT EXISTS (
    SELECT FROM node.jobs
    WHERE tenant_role = current_user AND kind = %(kind)s AND dedupe_key IS NOT NULL
        AND state IN ('queued', 'sent', 'running') AND id <> %(job_id)s
        AND payload ->> 'subscriber' = %(subscriber)s AND payload ->> 'subject' = %(subject)s
        AND (payload ->> 'published_at' COLLATE "C", payload ->> 'event_id' COLLATE "C")
            < (%(published_at)s::text COLLATE "C", %(event_id)s::text COLLATE "C")
)
"""


def forward(connection: psycopg.Connection[Any], role: str | None, batch: int) -> list[UUID]:
    """Enqueue a delivery for each subscriber of the oldest waiting events; returns the tenant of each event.

    Events that no feature of this process declares wait for a process that knows them.

    Args:
        connection: a transaction in ``node``; the deliveries are enqueued when it commits, and only then.
        role: only this tenant's events; all tenants' when None.
        batch: most events to forward.
    """
    values = {"events": sorted(event_types()), "role": role, "batch": batch}
    due, owners = _readable_due(connection, values)
    if not due:
        return []
    attempts = kind_of(KIND).retry.attempts
    deliveries = []
    for event_id, tenant_id, tenant_role, name, subject, carried, published_at, actor, request_id in due:
        for subscriber in subscribers(name):
            payload = {
                "event_id": str(event_id),
                "event": name,
                "subject": subject,
                "payload": carried,
                "published_at": published_at.astimezone(UTC).isoformat(timespec="microseconds"),
                "subscriber": subscriber,
            }
            key = f"{event_id}:{subscriber}"
            job_id = uuid7()
            stored = payloads.seal_as(owners[tenant_role], job_id, payload, readable=READABLE)
            deliveries.append((job_id, tenant_id, tenant_role, KIND, Jsonb(stored), key, attempts, actor, request_id))
    with connection.cursor() as cursor:
        cursor.executemany(_ENQUEUE, deliveries)
        cursor.execute(_FORWARDED, ([row[0] for row in due],))
    return [row[1] for row in due]


def _readable_due(
    connection: psycopg.Connection[Any], values: Mapping[str, object]
) -> tuple[list[Any], dict[str, TenantRef]]:
    """Return the oldest waiting events, and their tenants, without tenants whose keys cannot be read now.

    Those are being moved, or are gone, or their keys are damaged: their events wait, and hold up nobody else's.
    """
    owners: dict[str, TenantRef] = {}
    skipped: list[str] = []
    while True:
        due = connection.execute(_DUE, {**values, "skipped": skipped}).fetchall()
        before = len(skipped)
        for role in {row[2] for row in due} - owners.keys():
            try:
                owners[role] = tenant_of_role(role)
                payloads.seal_as(owners[role], UUID(int=0), {})
            except AppError as error:
                log.warning("events wait: the keys of their tenant cannot be read", error=type(error).__name__)
                skipped.append(role)
        if len(skipped) == before:
            return due, owners


def sweep(connection: psycopg.Connection[Any], keep: timedelta, batch: int) -> int:
    """Remove events that were forwarded longer ago than ``keep``; returns the number of events."""
    return connection.execute(_SWEEP, {"keep": keep, "batch": batch}).rowcount


@job(KIND, retry=RETRY, time_limit=timedelta(minutes=30), cancellable=False)
def deliver(context: JobContext, payload: dict[str, Any]) -> None:
    """Call one subscriber with one event. Earlier events of the same subject come first.

    The job's row is written by tenants' roles too: only a function that a feature names as a subscriber is called.
    """
    subscriber, name = payload["subscriber"], payload["event"]
    if subscriber not in subscribers(name):
        message = f"no feature subscribes {subscriber!r} to {name!r}"
        raise LookupError(message)
    with context.session() as session:
        if _earlier_waits(session, context.job_id, payload):
            raise EarlierFirst
    event = Event(
        id=UUID(payload["event_id"]),
        name=name,
        subject=payload["subject"],
        payload=payload["payload"],
        published_at=datetime.fromisoformat(payload["published_at"]),
    )
    resolve(subscriber)(context, event)


def _earlier_waits(session: TenantSession, job_id: UUID, payload: dict[str, Any]) -> bool:
    """Return whether an earlier event of the same subject still waits for the same subscriber."""
    with session.cursor() as cursor:
        cursor.execute(_EARLIER, {**payload, "payload": None, "kind": KIND, "job_id": job_id})
        row = cursor.fetchone()
    return bool(row and row[0])
