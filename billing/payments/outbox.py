"""The outbox: what Stripe is to receive, written in the transaction of its cause, and taken by one sender at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from core.clock import now
from core.database import platform_session, psycopg_connection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlmodel import Session

LEASE: Final = timedelta(minutes=3)
"""Longer than a call can take. A sender that was killed leaves its call for as long."""
KEYS_LAST: Final = timedelta(hours=23)
"""How long a repetition with the same idempotency key is safe: Stripe forgets keys after a day."""
_LONGEST_PAUSE: Final = timedelta(hours=1)

_PLAN: Final = """
INSERT INTO platform.provider_calls
    (tenant_id, kind, own_id, lane, method, path, body, idempotency_key, hour, meter, quantity, created_at, due_at)
VALUES (%(tenant_id)s, %(kind)s, %(own_id)s, %(lane)s, %(method)s, %(path)s, %(body)s, %(key)s, %(hour)s, %(meter)s,
    %(quantity)s, %(now)s, %(now)s)
ON CONFLICT (idempotency_key) DO NOTHING
"""
_TAKE: Final = """
UPDATE platform.provider_calls SET leased_until = %(until)s, attempts = attempts + 1,
    first_sent_at = coalesce(first_sent_at, %(now)s)
WHERE id = (
    SELECT id FROM platform.provider_calls AS candidate
    WHERE state = 'waiting' AND due_at <= %(now)s AND (leased_until IS NULL OR leased_until <= %(now)s)
        AND NOT id = ANY(%(not_now)s)
        AND NOT EXISTS (
            SELECT FROM platform.provider_calls AS earlier
            WHERE earlier.lane = candidate.lane AND earlier.state = 'waiting' AND earlier.id < candidate.id)
    ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, tenant_id, kind, own_id, method, path, body, idempotency_key, turn, attempts, first_sent_at, hour, meter,
    quantity
"""
_DONE: Final = """
UPDATE platform.provider_calls SET state = 'done', ended_at = %(now)s, leased_until = NULL, error = NULL
WHERE id = %(id)s AND state = 'waiting'
"""
_FAILED: Final = """
UPDATE platform.provider_calls SET state = 'failed', ended_at = %(now)s, leased_until = NULL, error = %(error)s
WHERE id = %(id)s
"""
_LATER: Final = """
UPDATE platform.provider_calls SET leased_until = NULL, due_at = %(due)s, error = %(error)s
WHERE id = %(id)s AND state = 'waiting'
"""
_UNSENT: Final = """
UPDATE platform.provider_calls SET leased_until = NULL, attempts = attempts - 1,
    first_sent_at = CASE WHEN attempts > 1 THEN first_sent_at END
WHERE id = %(id)s AND state = 'waiting'
"""
_NEXT_TURN: Final = """
UPDATE platform.provider_calls SET turn = turn + 1, state = 'waiting', attempts = 0, first_sent_at = NULL,
    leased_until = NULL, due_at = %(now)s, ended_at = NULL WHERE id = %(id)s AND turn = %(turn)s
"""
_OBJECT: Final = """
INSERT INTO platform.provider_objects (kind, own_id, tenant_id, provider_id, detail, recorded_at)
VALUES (%(kind)s, %(own_id)s, %(tenant_id)s, %(provider_id)s, '{}', %(now)s) ON CONFLICT (kind, own_id) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Call:
    """A call that a sender took; see ``ProviderCall``."""

    id: int
    tenant_id: UUID | None
    kind: str
    own_id: str
    method: str
    path: str
    body: dict[str, Any]
    idempotency_key: str
    turn: int
    attempts: int
    first_sent_at: datetime
    hour: datetime | None
    meter: str | None
    quantity: int | None

    @property
    def key(self) -> str:
        """The idempotency key of its present turn."""
        return self.idempotency_key if self.turn == 1 else f"{self.idempotency_key}:{self.turn}"

    @property
    def is_doubtful(self) -> bool:
        """Whether it may have taken effect so long ago that Stripe no longer knows its key."""
        return self.attempts > 1 and self.first_sent_at <= now() - KEYS_LAST


def plan(  # noqa: PLR0913 - the columns of one call
    session: Session,
    kind: str,
    own_id: str,
    path: str,
    body: Mapping[str, Any],
    *,
    tenant_id: UUID | None = None,
    lane: str | None = None,
    version: str = "",
    method: str = "post",
    usage: tuple[datetime, str, int] | None = None,
) -> bool:
    """Plan a call one time: kind, own id and version name it. Return whether it is new.

    Args:
        session: the transaction of its cause, in the control database.
        kind: what the call does.
        own_id: names our side of it.
        path: of the API; ``{kind|own_id}`` in it and in the body stands for an object's id at Stripe.
        body: the parameters.
        tenant_id: the tenant concerned.
        lane: calls of one lane are sent in order; kind and own id when None.
        version: tells calls about one object apart.
        method: ``post`` or ``delete``.
        usage: hour, meter and quantity of a meter event.
    """
    hour, meter, quantity = usage or (None, None, None)
    values = {
        "tenant_id": tenant_id,
        "kind": kind,
        "own_id": own_id,
        "lane": lane or f"{kind}:{own_id}",
        "method": method,
        "path": path,
        "body": Jsonb(dict(body)),
        "key": f"iit:{kind}:{own_id}" + (f":{version}" if version else ""),
        "hour": hour,
        "meter": meter,
        "quantity": quantity,
        "now": now(),
    }
    return psycopg_connection(session).execute(_PLAN, values).rowcount == 1


def take(not_now: list[int]) -> Call | None:
    """Lease the next call that is due, and commit; None if there is none. ``not_now`` are calls to pass over."""
    with platform_session() as session, psycopg_connection(session).cursor(row_factory=class_row(Call)) as cursor:
        values = {"now": now(), "until": now() + LEASE, "not_now": not_now}
        return cursor.execute(_TAKE, values).fetchone()


def end(call: Call, provider_id: str | None) -> None:
    """Mark a call as done, together with the object that it created."""
    with platform_session() as session:
        connection = psycopg_connection(session)
        if provider_id is not None:
            values = {"kind": call.kind, "own_id": call.own_id, "tenant_id": call.tenant_id, "now": now()}
            connection.execute(_OBJECT, {**values, "provider_id": provider_id})
        connection.execute(_DONE, {"id": call.id, "now": now()})


def fail(call_id: int, error: str) -> None:
    """Mark a call as rejected for good."""
    with platform_session() as session:
        psycopg_connection(session).execute(_FAILED, {"id": call_id, "error": error, "now": now()})


def postpone(call: Call, error: str, pause: timedelta | None = None) -> None:
    """Try a call again later: after ``pause``, or after a time that doubles with each attempt."""
    after = min(_LONGEST_PAUSE, timedelta(seconds=2 ** min(call.attempts, 12))) if pause is None else pause
    with platform_session() as session:
        psycopg_connection(session).execute(_LATER, {"id": call.id, "due": now() + after, "error": error})


def give_back(call: Call) -> None:
    """Give back a call that was not sent."""
    with platform_session() as session:
        psycopg_connection(session).execute(_UNSENT, {"id": call.id})


def next_turn(session: Session, call_id: int, turn: int) -> bool:
    """Let a call be sent again with a new idempotency key. Only after a look at Stripe, or by a person's decision."""
    values = {"id": call_id, "turn": turn, "now": now()}
    return psycopg_connection(session).execute(_NEXT_TURN, values).rowcount == 1


def provider_ids(session: Session, references: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the ids at Stripe of our objects, by kind and own id; those that are not there yet are absent."""
    if not references:
        return {}
    kinds, ids = zip(*sorted(references), strict=True)
    query = (
        "SELECT kind, own_id, provider_id FROM platform.provider_objects JOIN unnest(%s::text[], %s::text[])"
        " AS wanted (kind, own_id) USING (kind, own_id) WHERE provider_id IS NOT NULL"
    )
    rows = psycopg_connection(session).execute(query, (list(kinds), list(ids))).fetchall()
    return {(row[0], row[1]): row[2] for row in rows}
