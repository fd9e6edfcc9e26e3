"""Queries of the audit."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import col, select

from core.audit.models import AuditEvent
from core.database import TenantSession
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
) -> Slice[AuditEvent]:
    """The events of a page, and how many match in all. ``until`` is exclusive."""
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
    return read_slice(
        session,
        select(AuditEvent).where(*conditions),
        paging,
        {"id": col(AuditEvent.event_id)},
        col(AuditEvent.event_id),
    )
