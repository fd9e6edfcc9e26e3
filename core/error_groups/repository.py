"""All SQL of grouped errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from psycopg.types.json import Jsonb
from sqlalchemy import text
from uuid_utils.compat import uuid7

from core.database import psycopg_connection

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlmodel import Session

    from core.error_groups.reports import Sighting

_STORE: Final = """
INSERT INTO platform.error_groups AS known
    (id, fingerprint, kind, place, frames, role, release, count, first_seen, last_seen, trace_id, request_id)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (fingerprint) DO UPDATE SET
    place = excluded.place, frames = excluded.frames, role = excluded.role, release = excluded.release,
    count = known.count + excluded.count,
    first_seen = least(known.first_seen, excluded.first_seen),
    last_seen = greatest(known.last_seen, excluded.last_seen),
    trace_id = coalesce(excluded.trace_id, known.trace_id),
    request_id = coalesce(excluded.request_id, known.request_id)
"""
_REOPEN: Final = """
UPDATE platform.error_groups SET state = 'open', state_by = NULL, state_at = NULL, reopened = reopened + 1
WHERE fingerprint = %s AND state = 'resolved' AND %s > state_at
"""
_COLUMNS: Final = (
    "id, kind, place, frames, role, release, count, first_seen, last_seen, trace_id, request_id, state, state_by,"
    " state_at, reopened"
)
_LIST: Final = text(
    f"SELECT {_COLUMNS} FROM platform.error_groups WHERE (:state = '' OR state = :state)"  # noqa: S608 - constants
    " ORDER BY last_seen DESC, id LIMIT :most"
)
_ONE: Final = text(f"SELECT {_COLUMNS} FROM platform.error_groups WHERE id = :id")  # noqa: S608 - constants
_CHANGE: Final = text(
    "UPDATE platform.error_groups SET state = :state, state_by = CASE WHEN :state = 'open' THEN NULL ELSE :actor END,"
    " state_at = CASE WHEN :state = 'open' THEN NULL ELSE now() END WHERE id = :id AND state <> :state"
)
_SWEEP: Final = text("DELETE FROM platform.error_groups WHERE last_seen < now() - make_interval(days => :days)")


def store(session: Session, seen: Sequence[Sighting]) -> None:
    """Add to the groups. A resolved group that was seen later than it was resolved is open again."""
    ordered = sorted(seen, key=lambda each: each.report.fingerprint)  # two processes must lock rows in one order
    with psycopg_connection(session).cursor() as cursor:
        for each in ordered:
            report = each.report
            values = (uuid7(), report.fingerprint, report.kind, str(report.place), Jsonb(list(map(str, report.frames))))
            times = (each.count, each.first_seen, each.last_seen, each.trace_id, each.request_id)
            cursor.execute(_STORE, (*values, each.role, each.release, *times))
            cursor.execute(_REOPEN, (report.fingerprint, each.last_seen))


def list_rows(session: Session, state: str, most: int) -> list[dict[str, Any]]:
    """Return the groups of a state, or of all if it is empty, last seen first."""
    rows = session.execute(_LIST, {"state": state, "most": most}).mappings()
    return [dict(row) for row in rows]


def one_row(session: Session, group_id: UUID) -> dict[str, Any] | None:
    """Return a group; None if there is none of this id."""
    row = session.execute(_ONE, {"id": group_id}).mappings().one_or_none()
    return None if row is None else dict(row)


def change_state(session: Session, group_id: UUID, state: str, actor: str) -> bool:
    """Set the state of a group; return whether it changed."""
    changed: Any = session.execute(_CHANGE, {"id": group_id, "state": state, "actor": actor})
    return bool(changed.rowcount)


def remove_unseen(session: Session, days: int) -> int:
    """Remove groups that were not seen for so many days; return how many."""
    removed: Any = session.execute(_SWEEP, {"days": days})
    return int(removed.rowcount)
