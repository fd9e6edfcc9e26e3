"""Writing of the audit: plain inserts in the transaction of the act, so that both commit or neither."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from core.feature_registry import features

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from core.database import TenantSession

GRAMMAR = re.compile(r"[a-z][a-z_]*:[a-z][a-z_]*:[a-z][a-z_]*")
"""The form of actions: ``source:subject:action``, such as ``api:patient:read``."""


@cache
def declared_actions() -> frozenset[str]:
    """The actions that the installed features declare.

    Raises:
        RuntimeError: a declared action is not ``source:subject:action``.
    """
    actions = frozenset(action for feature in features() for action in feature.audit_actions)
    for action in sorted(actions):
        if not GRAMMAR.fullmatch(action):
            message = f"audit action {action!r} is not source:subject:action"
            raise RuntimeError(message)
    return actions


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


_AUDITED = (
    "WITH read AS MATERIALIZED ({query}), inserted AS ("
    "INSERT INTO audit_events (actor, action, subject_type, subject_uuid, request_id, detail)"
    " SELECT %(audit_actor)s, %(audit_action)s, %(audit_subject_type)s, read.uuid, %(audit_request_id)s,"
    " %(audit_detail)s::jsonb FROM read ORDER BY read.uuid) SELECT * FROM read ORDER BY uuid"
)


def audited_query(
    query: str,
    values: Mapping[str, object],
    action: str,
    subject_type: str,
    *,
    by: tuple[str, str],
    detail: dict[str, Any] | None = None,
) -> tuple[str, dict[str, object]]:
    """Return a query that records each row that it reads in the audit, in the same statement.

    Args:
        query: reads rows with a ``uuid``, which identifies the subject. The new query returns them in the same order.
        values: the parameters of ``query``.
        action: ``source:subject:action``.
        subject_type: the kind of the rows.
        by: actor and request id.
        detail: which fields or filters, never a person's data.

    Raises:
        LookupError: no feature declares the action.
    """
    return _AUDITED.format(query=query), {
        **values,
        "audit_actor": by[0],
        "audit_action": declared(action),
        "audit_subject_type": subject_type,
        "audit_request_id": by[1],
        "audit_detail": None if detail is None else Jsonb(detail),
    }


def record(
    session: TenantSession,
    action: str,
    subject_type: str,
    subject_uuid: UUID | None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Add one event to the audit.

    It commits with the session. ``detail`` names fields or filters, never a person's data.

    Raises:
        LookupError: no feature declares the action.
    """
    details = None if detail is None else Jsonb(detail)
    values = (session.actor, declared(action), subject_type, subject_uuid, session.request_id, details)
    session.at_commit(_ONE, values)


def record_many(
    session: TenantSession,
    action: str,
    subject_type: str,
    uuids: Iterable[UUID],
    detail: dict[str, Any] | None = None,
) -> int:
    """Add one event per subject in one statement, for an import or for a list that a caller read.

    Return their number.

    Raises:
        LookupError: no feature declares the action.
    """
    subjects = list(uuids)
    declared(action)
    if subjects:
        details = None if detail is None else Jsonb(detail)
        session.at_commit(_MANY, (session.actor, action, subject_type, session.request_id, details, subjects))
    return len(subjects)
