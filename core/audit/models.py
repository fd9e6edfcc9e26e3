"""The audit's tables. A tenant's role adds and reads events and reads seals; it never changes or removes one."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE, JSONB
from sqlmodel import Field

from core.database import TenantBase


class AuditEvent(TenantBase, table=True):
    """One act: its actor, its kind and its subject, written in the transaction of the act.

    The tenant's role can set neither the number nor the time. With a chosen number it could make later events look as
    if they had been added after the sealing.
    """

    __tablename__: ClassVar[str] = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_subject_uuid_event_id", "subject_uuid", "event_id"),
        Index("ix_audit_events_occurred_at", "occurred_at"),
        {
            "info": {
                "append_only": True,
                "given": ("actor", "action", "subject_type", "subject_uuid", "request_id", "detail"),
            }
        },
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


class AuditSeal(TenantBase, table=True):
    """A sealed batch of committed events: a link of the chain that reveals later changes.

    The tenant's role reads seals; the application adds them with ``node.add_audit_seal``.

    Attributes:
        number: 1, 2, 3, ... without gaps.
        members: the numbers of its events, one by one, as a transaction may commit after one that has higher numbers.
        settled_through: every event up to this number is sealed by now; one that appears later is forged.
        rows_digest: SHA-256 of the events' canonical lines.
        previous: the digest of the previous seal; zeros for the first.
        digest: SHA-256 over all of this, see ``core.audit.chain``.
    """

    __tablename__: ClassVar[str] = "audit_seals"
    __table_args__ = (Index("ix_audit_seals_last_event", "last_event"), {"info": {"read_only": True}})

    number: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    first_event: int = Field(sa_type=BigInteger)
    last_event: int = Field(sa_type=BigInteger)
    members: Any = Field(sa_column=Column(INT8MULTIRANGE, nullable=False))
    events: int = Field(sa_type=BigInteger)
    settled_through: int = Field(sa_type=BigInteger)
    rows_digest: bytes = Field(sa_type=LargeBinary)
    previous: bytes = Field(sa_type=LargeBinary)
    digest: bytes = Field(sa_type=LargeBinary)
    sealed_at: datetime = Field(sa_type=DateTime(timezone=True))
