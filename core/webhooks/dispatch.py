"""The job that sends the due deliveries of one endpoint, one after another."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import httpx
from psycopg.rows import dict_row
from uuid_utils.compat import uuid7

from core import audit, metering
from core.clock import now
from core.events.operator_events import WEBHOOKS, changed
from core.events.outbox import publish_after_commit
from core.jobs import Retry, enqueue, job
from core.metrics import Counter
from core.outgoing import AddressRejected, AnswerTooLarge, Request, parse_url, send
from core.privacy.sealing import unseal
from core.resilience import BreakerOpen, BreakerPolicy, BulkheadFull, DeadlinePassed, Dependency
from core.webhooks import signing
from core.webhooks.fan_out import JOB
from core.webhooks.schedule import pause_before, pause_of_endpoint, retry_after, verdict_of

if TYPE_CHECKING:
    from core.database import TenantSession
    from core.jobs import JobContext

RECEIVERS: Final = Dependency(
    "webhook_receivers",
    "Partners' systems that receive webhooks. Without one, its deliveries wait.",
    timeout=15.0,
    at_once=2,
    at_once_per_tenant=2,
    breaker=BreakerPolicy(failure_rate=1.0, calls=1_000),
    by_instance=True,
)
PURPOSE: Final = "webhook"
EVENT: Final = "webhooks.endpoint_disabled"
ANNOUNCE: Final = "webhooks.announce"
AT_ONCE: Final = 20
"""Deliveries of one job; then it waits for its tenant's turn."""
METER: Final = "webhook_deliveries"
PER_MINUTE: Final = 120
DELIVERIES: Final = Counter("iit_webhook_deliveries_total", "Tries to deliver a webhook, by result.", ("outcome",))
FAILING_DAYS: Final = timedelta(days=5)
RETENTION: Final = timedelta(days=30)
_LARGEST_ANSWER: Final = 4_096
_NOT_SENT: Final = timedelta(seconds=5)

_ENDPOINT: Final = "SELECT * FROM webhook_endpoints WHERE id = %s AND state = 'active'"
_DUE: Final = """
SELECT id, event_id, body, attempts, due_at FROM webhook_deliveries
WHERE endpoint_id = %s AND state = 'waiting' AND due_at <= %s
ORDER BY due_at, id LIMIT 1
"""
_RATE: Final = """
SELECT at FROM webhook_attempts WHERE endpoint_id = %s AND at > %s - interval '1 minute'
ORDER BY at DESC OFFSET %s LIMIT 1
"""
_ATTEMPT: Final = """
INSERT INTO webhook_attempts (id, endpoint_id, delivery_id, at, status, error, milliseconds)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
_RECORD: Final = """
UPDATE webhook_deliveries SET attempts = attempts + 1, state = %s, due_at = coalesce(%s, due_at)
WHERE id = %s AND state = 'waiting' AND attempts = %s AND due_at = %s
"""
"""Changes nothing if the delivery was asked for again while it was being sent: then it is sent once more."""
_SUCCESS: Final = """
UPDATE webhook_endpoints SET failures = 0, failing_since = NULL, paused_until = NULL WHERE id = %s
"""
_FAILURE: Final = """
UPDATE webhook_endpoints SET failures = failures + 1, failing_since = coalesce(failing_since, %s), paused_until = %s
WHERE id = %s RETURNING failing_since
"""
_PAUSE: Final = "UPDATE webhook_endpoints SET paused_until = %s WHERE id = %s"
_DISABLE: Final = "UPDATE webhook_endpoints SET state = 'disabled', reason = %s WHERE id = %s"
_FREE: Final = "SELECT paused_until FROM webhook_endpoints WHERE id = %s FOR UPDATE SKIP LOCKED"
_NEXT: Final = "SELECT min(due_at) AS due_at FROM webhook_deliveries WHERE endpoint_id = %s AND state = 'waiting'"
_SWEEP: Final = """
DELETE FROM webhook_deliveries WHERE id IN (
    SELECT id FROM webhook_deliveries
    WHERE endpoint_id = %s AND state <> 'waiting' AND created_at < %s ORDER BY created_at LIMIT 1000
)
"""


@dataclass(frozen=True, slots=True)
class _Due:
    delivery_id: UUID
    attempts: int
    due_at: datetime
    failures: int
    request: Request


@dataclass(frozen=True, slots=True)
class _Outcome:
    status: int | None
    error: str | None
    pause: timedelta | None
    milliseconds: int


@job(JOB, retry=Retry(8), lease=timedelta(minutes=1), time_limit=timedelta(minutes=10), cancellable=False)
def dispatch(context: JobContext, payload: dict[str, Any]) -> None:
    """Send the due deliveries of an endpoint. After a failure the endpoint rests."""
    endpoint_id = UUID(payload["endpoint_id"])
    for _ in range(AT_ONCE):
        with context.session() as session:
            due = _next_due(session, endpoint_id)
        if due is None:
            break
        outcome = _attempt(due.request, context.tenant.id, endpoint_id)
        with context.session() as session:
            result = _record(session, endpoint_id, due, outcome)
        DELIVERIES.add(result)
        changed(WEBHOOKS)
    with context.session() as session:
        _finish(context, session, endpoint_id)


def _next_due(session: TenantSession, endpoint_id: UUID) -> _Due | None:
    """Return the next delivery that may be sent now, signed."""
    moment = now()
    with session.cursor() as plain, plain.connection.cursor(row_factory=dict_row) as cursor:
        endpoint = cursor.execute(_ENDPOINT, (endpoint_id,)).fetchone()
        if endpoint is None or (endpoint["paused_until"] or moment) > moment:
            return None
        if cursor.execute(_RATE, (endpoint_id, moment, PER_MINUTE - 1)).fetchone() is not None:
            cursor.execute(_PAUSE, (moment + _NOT_SENT, endpoint_id))
            return None
        row = cursor.execute(_DUE, (endpoint_id, moment)).fetchone()
        if row is None:
            return None
    secrets = [unseal(session, PURPOSE, endpoint_id, endpoint["sealed_secret"])]
    if endpoint["sealed_previous"] and endpoint["previous_until"] > moment:
        secrets.append(unseal(session, PURPOSE, endpoint_id, endpoint["sealed_previous"]))
    body = row["body"].encode()
    headers = signing.headers(secrets, str(row["event_id"]), int(moment.timestamp()), body)
    sent = {**headers, "Content-Type": "application/json", "User-Agent": "iit-webhooks/1"}
    request = Request("POST", httpx.URL(endpoint["url"]), headers=sent, content=body)
    return _Due(row["id"], row["attempts"], row["due_at"], endpoint["failures"], request)


def _attempt(request: Request, tenant_id: UUID, endpoint_id: UUID) -> _Outcome:
    """Send one delivery. Between two steps: no transaction is open."""
    began, status, error, pause = time.perf_counter(), None, None, None
    try:
        parse_url(str(request.url))
        answer = send(
            RECEIVERS, request, tenant=tenant_id, instance=str(endpoint_id), largest=_LARGEST_ANSWER, cut=True
        )
        status, pause = answer.status, retry_after(answer.headers.get("retry-after"), now())
    except (BreakerOpen, BulkheadFull, DeadlinePassed):
        error = "not_sent"
    except AddressRejected:
        error = "address"
    except AnswerTooLarge:
        error = "timeout"
    except (httpx.HTTPError, OSError) as failure:
        error = "timeout" if isinstance(failure, httpx.TimeoutException) else "connection"
    return _Outcome(status, error, pause, int((time.perf_counter() - began) * 1000))


def _record(session: TenantSession, endpoint_id: UUID, due: _Due, outcome: _Outcome) -> str:
    """Write the attempt into the log, and what follows from it; return its result for the metric."""
    moment = now()
    with session.cursor() as cursor:
        if outcome.error == "not_sent":
            cursor.execute(_PAUSE, (moment + _NOT_SENT, endpoint_id))
            return "not_sent"
        values = (uuid7(), endpoint_id, due.delivery_id, moment, outcome.status, outcome.error, outcome.milliseconds)
        cursor.execute(_ATTEMPT, values)
        sent, verdict = (due.delivery_id, due.attempts, due.due_at), verdict_of(outcome.status)
        if verdict == "delivered":
            cursor.execute(_RECORD, ("delivered", None, *sent))
            cursor.execute(_SUCCESS, (endpoint_id,))
            metering.record(session, METER, 1, key=str(values[0]))
            return "delivered"
        pause = pause_before(due.attempts + 1, outcome.pause)
        due_at = None if pause is None else moment + pause
        cursor.execute(_RECORD, ("failed" if pause is None else "waiting", due_at, *sent))
        rest = moment + pause_of_endpoint(due.failures + 1)
        row = cursor.execute(_FAILURE, (moment, rest, endpoint_id)).fetchone()
    if verdict == "gone":
        _disable(session, endpoint_id, "gone")
    elif row is not None and moment - row[0] >= FAILING_DAYS:
        _disable(session, endpoint_id, "failing")
    return "gone" if verdict == "gone" else "failed" if pause is None else "retried"


def _disable(session: TenantSession, endpoint_id: UUID, reason: str) -> None:
    """Stop sending to the endpoint. A job of its own tells the tenant's other endpoints.

    This step holds the row of its job. To publish, it would wait for the rows of the other endpoints' jobs, whose steps
    may wait for this one.
    """
    with session.cursor() as cursor:
        cursor.execute(_DISABLE, (reason, endpoint_id))
    audit.record(session, "job:webhook:disable", "webhook", endpoint_id, {"reason": reason})
    enqueue(session, ANNOUNCE, {"endpoint_id": str(endpoint_id), "reason": reason})


@job(ANNOUNCE, retry=Retry(8), lease=timedelta(minutes=1), time_limit=timedelta(minutes=10), cancellable=False)
def announce(context: JobContext, payload: dict[str, Any]) -> None:
    """Publish that an endpoint was disabled."""
    with context.session() as session:
        publish_after_commit(session, EVENT, subject=payload["endpoint_id"], payload=payload)
        context.finish(session)


def _finish(context: JobContext, session: TenantSession, endpoint_id: UUID) -> None:
    """End the job, and enqueue the next one if a delivery waits.

    An act that publishes holds the endpoint's lock. The job must not wait for it, because the act waits for the job's
    row: so the next job looks again.
    """
    moment = now()
    with session.cursor() as cursor:
        cursor.execute(_SWEEP, (endpoint_id, moment - RETENTION))
        free = cursor.execute(_FREE, (endpoint_id,)).fetchone()
        active = cursor.execute("SELECT state FROM webhook_endpoints WHERE id = %s", (endpoint_id,)).fetchone()
        row = cursor.execute(_NEXT, (endpoint_id,)).fetchone()
    context.finish(session)
    if active != ("active",):
        return
    due: datetime | None = moment + timedelta(seconds=1)
    if free is not None:
        due = None if row is None or row[0] is None else max(row[0], free[0] or row[0])
    if due is not None:
        enqueue(session, JOB, {"endpoint_id": str(endpoint_id)}, dedupe_key=str(endpoint_id), run_after=due)
