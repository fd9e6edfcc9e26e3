"""Queries of the audit."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import col, func, select

from core.audit.models import AuditEvent
from core.database import TenantSession
from core.web.paging import PageRequest


def find_events(
    session: TenantSession,
    paging: PageRequest,
    *,
    subject_id: UUID | None,
    action: str | None,
    since: datetime | None,
    until: datetime | None,
) -> tuple[Sequence[AuditEvent], int]:
    """The events of a page, newest first, and the number of matches. ``until`` is exclusive."""
    conditions: list[ColumnElement[bool]] = []
    if subject_id is not None:
        conditions.append(col(AuditEvent.subject_uuid) == subject_id)
    if action is not None:
        conditions.append(col(AuditEvent.action) == action)
    if since is not None:
        conditions.append(col(AuditEvent.occurred_at) >= since)
    if until is not None:
        conditions.append(col(AuditEvent.occurred_at) < until)
    total = session.exec(select(func.count()).select_from(AuditEvent).where(*conditions)).one()
    wanted = (
        select(AuditEvent)
        .where(*conditions)
        .order_by(col(AuditEvent.event_id).desc())
        .limit(paging.limit)
        .offset(paging.offset)
    )
    return session.exec(wanted).all(), total
