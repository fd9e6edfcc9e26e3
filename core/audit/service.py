"""Writing the audit: plain inserts in the transaction of the act: both stand or fall together."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from core.features import features

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from core.database import TenantSession

GRAMMAR = re.compile(r"[a-z][a-z_]*:[a-z][a-z_]*:[a-z][a-z_]*")
"""``source:subject:action``, such as ``api:patient:read``."""


@cache
def declared_actions() -> frozenset[str]:
    """The actions that the installed features say they write.

    Raises:
        RuntimeError: a feature declares one that is not ``source:subject:action``.
    """
    found = frozenset(action for feature in features() for action in feature.audit_actions)
    for action in sorted(found):
        if not GRAMMAR.fullmatch(action):
            message = f"audit action {action!r} is not source:subject:action"
            raise RuntimeError(message)
    return found


def declared(action: str) -> str:
    """The action, if a feature declares it.

    Raises:
        LookupError: none does.
    """
    if action not in declared_actions():
        message = f"audit action {action!r} is not declared: add it to audit_actions of the room's feature.py"
        raise LookupError(message)
    return action


_ONE = (
    "INSERT INTO audit_events (actor, action, subject_type, subject_uuid, request_id, detail)"
    " VALUES (%s, %s, %s, %s, %s, %s)"
)
_MANY = (
    "INSERT INTO audit_events (actor, action, subject_type, subject_uuid, request_id, detail)"
    " SELECT %s, %s, %s, subject, %s, %s FROM unnest(%s::uuid[]) AS read (subject)"
)


_TOLD = (
    "WITH read AS MATERIALIZED ({query}), told AS ("
    "INSERT INTO audit_events (actor, action, subject_type, subject_uuid, request_id, detail)"
    " SELECT %(told_actor)s, %(told_action)s, %(told_subject_type)s, read.uuid, %(told_request_id)s,"
    " %(told_detail)s::jsonb FROM read ORDER BY read.uuid) SELECT * FROM read ORDER BY uuid"
)


def told(
    query: str,
    values: Mapping[str, object],
    action: str,
    subject_type: str,
    *,
    by: tuple[str, str],
    detail: dict[str, Any] | None = None,
) -> tuple[str, dict[str, object]]:
    """A query that tells the audit of each row that it reads, in the statement that reads it.

    Args:
        query: reads rows with a ``uuid``, the subjects; they come in its order.
        values: of its parameters.
        action: ``source:subject:action``.
        subject_type: what the rows are.
        by: actor and request id.
        detail: which fields or filters, never a person's data.

    Raises:
        LookupError: no feature declares the action.
    """
    return _TOLD.format(query=query), {
        **values,
        "told_actor": by[0],
        "told_action": declared(action),
        "told_subject_type": subject_type,
        "told_request_id": by[1],
        "told_detail": None if detail is None else Jsonb(detail),
    }


def record(
    session: TenantSession,
    action: str,
    subject_type: str,
    subject_uuid: UUID | None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Add one event, sent with the commit. ``detail`` says which fields or filters, never a person's data.

    Raises:
        LookupError: no feature declares the action.
    """
    said = None if detail is None else Jsonb(detail)
    values = (session.actor, declared(action), subject_type, subject_uuid, session.request_id, said)
    session.at_commit(_ONE, values)


def record_many(
    session: TenantSession,
    action: str,
    subject_type: str,
    uuids: Iterable[UUID],
    detail: dict[str, Any] | None = None,
) -> int:
    """Add one event per subject in one statement (a list that was read, an import's rows); returns how many.

    Raises:
        LookupError: no feature declares the action.
    """
    subjects = list(uuids)
    declared(action)
    if subjects:
        said = None if detail is None else Jsonb(detail)
        session.at_commit(_MANY, (session.actor, action, subject_type, session.request_id, said, subjects))
    return len(subjects)
