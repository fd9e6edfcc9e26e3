"""The platform's audit: operators' acts on whole tenants. It is in ``platform``, which tenants' roles cannot reach.

Acts within a tenant, such as the retry of a job, are in that tenant's own audit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb
from sqlalchemy import text

from core.audit.service import declared
from core.database import platform_session

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlmodel import Session

_ADD = text(
    "INSERT INTO platform.audit_events (actor, action, tenant_id, subject_type, subject_id, detail)"
    " VALUES (:actor, :action, :tenant, :type, :subject, :detail)"
)
_LIST = text(
    "SELECT e.event_id, e.occurred_at, e.actor, e.action, t.slug AS tenant, e.tenant_id, e.subject_type, e.subject_id,"
    " e.detail FROM platform.audit_events e LEFT JOIN platform.tenants t ON t.id = e.tenant_id"
    " WHERE (CAST(:tenant AS uuid) IS NULL OR e.tenant_id = :tenant)"
    " AND (CAST(:actions AS text[]) IS NULL OR e.action = ANY(:actions))"
    " ORDER BY e.event_id DESC LIMIT :limit"
)


def record_act(
    session: Session, action: str, *, actor: str, tenant_id: UUID | None, detail: dict[str, Any] | None = None
) -> None:
    """Add an act in the transaction of ``session``, which must be a session of the control database.

    Args:
        session: the owner's or the application's.
        action: ``source:subject:action``.
        actor: who acts.
        tenant_id: the tenant concerned; None for acts that concern all.
        detail: never a person's data.

    Raises:
        LookupError: no feature declares the action.
    """
    subject = None if tenant_id is None else str(tenant_id)
    values = {
        "actor": actor,
        "action": declared(action),
        "tenant": tenant_id,
        "type": action.split(":")[1],
        "subject": subject,
        "detail": None if detail is None else Jsonb(detail),
    }
    session.execute(_ADD, values)


def acts(
    *, tenant_id: UUID | None = None, actions: Sequence[str] | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """Return the newest acts: of one tenant or of all, of some actions or of all."""
    with platform_session() as session:
        rows = session.execute(
            _LIST, {"tenant": tenant_id, "actions": None if actions is None else list(actions), "limit": limit}
        ).mappings()
        return [dict(row) for row in rows]
