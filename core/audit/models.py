"""The audit's table. A tenant's role may add and read rows, never change or remove them."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from core.database import TenantBase


class AuditEvent(TenantBase, table=True):
    """One act: who did what to which subject, in the transaction of the act.

    ``info["append_only"]`` is what provisioning grants by: INSERT and SELECT.
    """

    __tablename__: ClassVar[str] = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_subject_uuid_event_id", "subject_uuid", "event_id"),
        Index("ix_audit_events_occurred_at", "occurred_at"),
        {"info": {"append_only": True}},
    )

    event_id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    occurred_at: datetime = Field(
        sa_type=DateTime(timezone=True),
        sa_column_kwargs={"server_default": text("now()")},
    )
    actor: str = Field(sa_type=Text)
    action: str = Field(sa_type=Text)
    subject_type: str = Field(sa_type=Text)
    subject_uuid: UUID | None = None
    request_id: str | None = Field(default=None, sa_type=Text)
    detail: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
