"""Queries of the audit."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row
from sqlalchemy import ColumnElement, and_, false
from sqlmodel import col, select

from core.audit.models import AuditEvent
from core.database import TenantSession, psycopg_connection
from core.web.keyset import Slice, read_slice
from core.web.paging import PageRequest


def find_events(
    session: TenantSession,
    paging: PageRequest,
    *,
    subject_id: UUID | None,
    action: str | None,
    since: datetime | None,
    until: datetime | None,
    actor: str | None = None,
    look: int | None = None,
) -> Slice[AuditEvent]:
    """The events of a page, and how many match in all. ``until`` is exclusive.

    ``look`` is the number of an event: only those of its look, as ``find_looks`` groups them.
    """
    conditions: list[ColumnElement[bool]] = []
    if subject_id is not None:
        conditions.append(col(AuditEvent.subject_uuid) == subject_id)
    if actor is not None:
        conditions.append(col(AuditEvent.actor) == actor)
    if action is not None:
        conditions.append(col(AuditEvent.action) == action)
    if since is not None:
        conditions.append(col(AuditEvent.occurred_at) >= since)
    if until is not None:
        conditions.append(col(AuditEvent.occurred_at) < until)
    if look is not None:
        conditions.append(_of_look(session, look))
    return read_slice(
        session,
        select(AuditEvent).where(*conditions),
        paging,
        {"id": col(AuditEvent.event_id)},
        col(AuditEvent.event_id),
    )


def _of_look(session: TenantSession, number: int) -> ColumnElement[bool]:
    event = session.get(AuditEvent, number)
    if event is None:
        return false()
    return and_(
        col(AuditEvent.occurred_at) == event.occurred_at,
        col(AuditEvent.actor) == event.actor,
        col(AuditEvent.action) == event.action,
        col(AuditEvent.request_id).is_not_distinct_from(event.request_id),
    )


@dataclass(frozen=True, slots=True)
class Look:
    """The events of one act on several records: one reader, one moment, one request. The newest stands for them.

    Attributes:
        event_id: the newest event; ``subject_uuid`` and ``detail`` are its own.
        events: number of events, those outside of the filters included.
        newest: the newest event of the look that passes the filters.
    """

    event_id: int
    occurred_at: datetime
    actor: str
    action: str
    subject_type: str
    subject_uuid: UUID | None
    request_id: str | None
    detail: dict[str, object] | None
    events: int
    newest: int


_SAME: Final = sql.SQL("(e.occurred_at, e.actor, e.action, e.request_id)")
_LOOKS: Final = sql.SQL("""
WITH RECURSIVE looks AS (
  (SELECT e.* FROM audit_events e WHERE {wanted} AND (%(before)s::bigint IS NULL OR e.event_id < %(before)s)
   ORDER BY e.event_id DESC LIMIT 1)
  UNION ALL
  SELECT following.* FROM looks CROSS JOIN LATERAL (
    SELECT e.* FROM audit_events e WHERE {wanted} AND e.event_id < looks.event_id
      AND {same} IS DISTINCT FROM (looks.occurred_at, looks.actor, looks.action, looks.request_id)
    ORDER BY e.event_id DESC LIMIT 1
  ) following
)
SELECT looks.event_id, looks.occurred_at, looks.actor, looks.action, looks.subject_type, looks.subject_uuid,
  looks.request_id, looks.detail, whole.events, whole.newest
FROM (SELECT * FROM looks LIMIT %(limit)s) looks CROSS JOIN LATERAL (
  SELECT count(*) AS events, max(e.event_id) FILTER (WHERE {wanted}) AS newest FROM audit_events e
  WHERE e.occurred_at = looks.occurred_at AND e.actor = looks.actor AND e.action = looks.action
    AND e.request_id IS NOT DISTINCT FROM looks.request_id
) whole
ORDER BY looks.event_id DESC
""")
"""Steps from look to look, so that one look at many records costs no more than it must. Events of others may lie
between those of a look: only its newest event stands for it, on whichever page that is."""


def find_looks(
    session: TenantSession,
    *,
    before: int | None,
    limit: int,
    subject_id: UUID | None = None,
    actions: Collection[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    actor: str | None = None,
) -> Sequence[Look]:
    """The newest looks that match, at most ``limit``.

    Args:
        session: the tenant's transaction.
        before: the number of an event: only looks whose newest event is older.
        limit: the most looks.
        subject_id: only looks that concern this subject.
        actions: only these codes; all if there are none.
        since: from this instant on.
        until: before this instant.
        actor: only looks of this actor.
    """
    wanted = sql.SQL(" AND ").join(
        [
            sql.SQL("true"),
            *(
                sql.SQL(condition)
                for value, condition in (
                    (subject_id, "e.subject_uuid = %(subject_id)s"),
                    (actor, "e.actor = %(actor)s"),
                    (since, "e.occurred_at >= %(since)s"),
                    (until, "e.occurred_at < %(until)s"),
                    (actions or None, "e.action = ANY(%(actions)s)"),
                )
                if value is not None
            ),
        ]
    )
    values = {
        "before": before, "limit": limit, "subject_id": subject_id, "actor": actor,
        "since": since, "until": until, "actions": list(actions),
    }  # fmt: skip
    query, looks = _LOOKS.format(wanted=wanted, same=_SAME), list[Look]()
    with psycopg_connection(session).cursor(row_factory=class_row(Look)) as cursor:
        while len(looks) < limit:
            pieces = cursor.execute(query, values).fetchall()
            looks += [piece for piece in pieces if piece.event_id == piece.newest]
            if len(pieces) < limit:
                break
            values["before"] = pieces[-1].event_id
    return looks[:limit]
