"""What operators see and decide of payments: the provider's state, its calls, messages and differences."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal, LiteralString, TypeVar
from uuid import UUID

from psycopg.rows import class_row

from billing.payments import outbox
from billing.payments.client import enabled
from billing.payments.dependency import STRIPE
from billing.payments.differences import alert
from core.audit.platform import record_act
from core.clock import now
from core.database import platform_session, psycopg_connection
from core.errors import Conflict, NotFound
from core.resilience.instances import instance_of

if TYPE_CHECKING:
    from billing.plans.service import Act

MOST: Final = 200
DifferenceState = Literal["open", "escalated", "mending", "mended", "gone", "closed", "all"]
EventState = Literal["waiting", "applied", "ignored", "failed", "all"]
CallState = Literal["waiting", "done", "failed", "dropped", "all"]
_T = TypeVar("_T")

_CALLS: Final = """
SELECT id, tenant_id, kind, own_id, state, attempts, created_at, due_at, ended_at, error
FROM platform.provider_calls WHERE (%(state)s = 'all' OR state = %(state)s) ORDER BY id DESC LIMIT %(most)s
"""
_EVENTS: Final = """
SELECT id, type, object_id, source, times, created_at, received_at, state, attempts, applied_at, error
FROM platform.provider_events WHERE (%(state)s = 'all' OR state = %(state)s)
ORDER BY received_at DESC, id DESC LIMIT %(most)s
"""
_DIFFERENCES: Final = """
SELECT id, tenant_id, kind, own_id, cause, ours, theirs, state, first_seen_at, last_seen_at, ended_at, ended_by
FROM platform.provider_differences
WHERE %(state)s = 'all' OR state = %(state)s OR (%(state)s = 'open' AND ended_at IS NULL)
ORDER BY last_seen_at DESC, id DESC LIMIT %(most)s
"""
_COUNTS: Final = """
SELECT count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'failed'),
    min(created_at) FILTER (WHERE state = 'waiting')
FROM platform.provider_calls
"""
_EVENT_COUNTS: Final = """
SELECT count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'failed'), max(received_at)
FROM platform.provider_events
"""
_RETRY_EVENT: Final = """
UPDATE platform.provider_events SET state = 'waiting', attempts = 0, due_at = %(now)s, received_at = %(now)s,
    error = NULL
WHERE id = %(id)s AND state IN ('failed', 'waiting')
"""
_NEW_IDENTIFIER: Final = """
UPDATE platform.provider_calls SET body = jsonb_set(body, '{identifier}', to_jsonb(left(own_id, 90) || ':' || turn))
WHERE id = %s AND kind = 'meter_event'
"""
_CLOSE: Final = """
UPDATE platform.provider_differences SET state = 'closed', ended_at = %(now)s, ended_by = %(actor)s
WHERE id = %(id)s AND ended_at IS NULL RETURNING tenant_id, kind, cause
"""


@dataclass(frozen=True, slots=True)
class CallView:
    """A write that Stripe is to receive; see ``models.ProviderCall``."""

    id: int
    tenant_id: UUID | None
    kind: str
    own_id: str
    state: str
    attempts: int
    created_at: datetime
    due_at: datetime
    ended_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class EventView:
    """A message of Stripe; see ``models.ProviderEvent``."""

    id: str
    type: str
    object_id: str | None
    source: str
    times: int
    created_at: datetime
    received_at: datetime
    state: str
    attempts: int
    applied_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class DifferenceView:
    """A difference between our ledger and Stripe; see ``models.ProviderDifference``."""

    id: UUID
    tenant_id: UUID | None
    kind: str
    own_id: str
    cause: str
    ours: str
    theirs: str
    state: str
    first_seen_at: datetime
    last_seen_at: datetime
    ended_at: datetime | None
    ended_by: str | None


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of the payment provider.

    Attributes:
        provider: ``stripe``, or ``manual`` where this installation has no account at Stripe.
        breaker: of the calls of this process: ``closed`` while Stripe answers.
        calls_waiting: writes that Stripe has not received yet; the oldest since ``oldest_call_at``.
        calls_failed: writes that Stripe rejected; a person corrects the cause and retries them.
        events_waiting: messages of Stripe that are not applied yet.
        differences: open differences that a person must decide.
        mending: open differences that mend themselves.
        batch: the last batch of usage that has become meter events.
    """

    provider: str
    breaker: str
    calls_waiting: int
    calls_failed: int
    oldest_call_at: datetime | None
    events_waiting: int
    events_failed: int
    last_event_at: datetime | None
    differences: int
    mending: int
    reconciled_at: datetime | None
    batch: int | None


def overview() -> Overview:
    """Return the state of the provider.

    Raises:
        Unavailable: the control database is not there.
    """
    with platform_session() as session:
        connection = psycopg_connection(session)
        waiting, failed, oldest = connection.execute(_COUNTS).fetchall()[0]
        events_waiting, events_failed, last_event_at = connection.execute(_EVENT_COUNTS).fetchall()[0]
        differences = connection.execute(
            "SELECT count(*) FILTER (WHERE state = 'escalated'), count(*) FILTER (WHERE state = 'mending')"
            " FROM platform.provider_differences WHERE ended_at IS NULL"
        ).fetchall()[0]
        cursors = {row[0]: row for row in connection.execute("SELECT name, batch, at FROM platform.provider_cursors")}
    return Overview(
        provider="stripe" if enabled() else "manual",
        breaker=instance_of(STRIPE).breaker.state,
        calls_waiting=waiting,
        calls_failed=failed,
        oldest_call_at=oldest,
        events_waiting=events_waiting,
        events_failed=events_failed,
        last_event_at=last_event_at,
        differences=differences[0],
        mending=differences[1],
        reconciled_at=cursors["reconciliation"][2] if "reconciliation" in cursors else None,
        batch=cursors["usage"][1] if "usage" in cursors else None,
    )


def list_calls(state: CallState = "waiting") -> list[CallView]:
    """Return the newest calls of a state; at most 200."""
    return _listed(_CALLS, state, CallView)


def list_events(state: EventState = "all") -> list[EventView]:
    """Return the newest messages of a state; at most 200."""
    return _listed(_EVENTS, state, EventView)


def list_differences(state: DifferenceState = "open") -> list[DifferenceView]:
    """Return the differences of a state, the last seen first; at most 200. ``open``: escalated or mending."""
    return _listed(_DIFFERENCES, state, DifferenceView)


def retry_call(call_id: int, *, act: Act) -> None:
    """Send a rejected call again, after its cause was corrected. It gets a new idempotency key.

    Raises:
        NotFound: there is no such call.
        Conflict: it was not rejected.
    """
    with platform_session() as session:
        connection = psycopg_connection(session)
        row = connection.execute(
            "SELECT state, turn, tenant_id FROM platform.provider_calls WHERE id = %s FOR UPDATE", (call_id,)
        ).fetchone()
        if row is None:
            raise NotFound("there is no such call", command="`iit billing payments calls` lists the calls")
        state, turn, tenant_id = row
        if state != "failed":
            raise Conflict("the call was not rejected", remedy="Only rejected calls can be sent again.")
        outbox.next_turn(session, call_id, turn)
        connection.execute(_NEW_IDENTIFIER, (call_id,))
        detail = {"call": call_id}
        record_act(session, f"{act.source}:provider_call:retry", actor=act.actor, tenant_id=tenant_id, detail=detail)


def retry_event(event_id: str, *, act: Act) -> None:
    """Apply a message again that could not be applied for days.

    Raises:
        NotFound: there is no such message, or it is applied.
    """
    with platform_session() as session:
        values = {"id": event_id, "now": now()}
        if psycopg_connection(session).execute(_RETRY_EVENT, values).rowcount == 0:
            raise NotFound("no message of this id waits", command="`iit billing payments events` lists the messages")
        detail = {"event": event_id}
        record_act(session, f"{act.source}:provider_event:retry", actor=act.actor, tenant_id=None, detail=detail)


def close_difference(difference_id: UUID, *, act: Act) -> None:
    """Close a difference that a person has decided. If it is seen again, it opens again.

    Raises:
        NotFound: there is no such open difference.
    """
    with platform_session() as session:
        values = {"id": difference_id, "actor": act.actor, "now": now()}
        row = psycopg_connection(session).execute(_CLOSE, values).fetchone()
        if row is None:
            raise NotFound("there is no such open difference")
        detail = {"difference": str(difference_id), "kind": row[1], "cause": row[2]}
        record_act(session, f"{act.source}:provider_difference:close", actor=act.actor, tenant_id=row[0], detail=detail)
    alert(difference_id, row[1], row[2], ended=True)


def is_delayed(state: Overview) -> bool:
    """Return whether calls have waited for more than an hour."""
    return state.oldest_call_at is not None and state.oldest_call_at < now() - timedelta(hours=1)


def _listed(query: LiteralString, state: str, view: type[_T]) -> list[_T]:
    with platform_session() as session, psycopg_connection(session).cursor(row_factory=class_row(view)) as cursor:
        return cursor.execute(query, {"state": state, "most": MOST}).fetchall()
