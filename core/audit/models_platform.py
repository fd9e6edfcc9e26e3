"""The tables of audits outside tenants' schemas: anchors of the chains, and the audits of deleted tenants."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Identity, Index, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE, JSONB
from sqlmodel import Field
from uuid_utils.compat import uuid7

from core.database import PlatformBase

STAMP: Any = DateTime(timezone=True)


class AuditAnchor(PlatformBase, table=True):
    """The head of a tenant's chain at a moment, stored out of reach of the tenant's role.

    Attributes:
        kind: ``head``, or ``reset``: a restore reset the chain to this seal, for the given reason.
    """

    __tablename__: ClassVar[str] = "audit_anchors"
    __table_args__ = (
        CheckConstraint("kind IN ('head', 'reset')", name="kind"),
        CheckConstraint("(kind = 'reset') = (reason IS NOT NULL)", name="reason"),
        Index("ix_audit_anchors_tenant_id", "tenant_id", "id"),
        {"info": {"app": "SELECT, INSERT", "outlives_tenant": True}},
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    tenant_id: UUID
    seal: int = Field(sa_type=BigInteger)
    digest: bytes | None = Field(default=None, sa_type=LargeBinary)
    kind: str = Field(default="head", sa_type=Text, sa_column_kwargs={"server_default": text("'head'")})
    reason: str | None = Field(default=None, sa_type=Text)
    anchored_by: str = Field(sa_type=Text)
    anchored_at: datetime = Field(sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")})


class PlatformAuditEvent(PlatformBase, table=True):
    """An operator's act on the platform, on a tenant, a job or keys, written in the transaction of the act.

    Attributes:
        tenant_id: the tenant concerned; None for acts that concern all.
    """

    __tablename__: ClassVar[str] = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_tenant_id", "tenant_id", "event_id"),
        {
            "info": {
                "app": "SELECT, INSERT (actor, action, tenant_id, subject_type, subject_id, detail)",
                "outlives_tenant": True,
            }
        },
    )

    event_id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    occurred_at: datetime = Field(sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")})
    actor: str = Field(sa_type=Text)
    action: str = Field(sa_type=Text)
    tenant_id: UUID | None = None
    subject_type: str = Field(sa_type=Text)
    subject_id: str | None = Field(default=None, sa_type=Text)
    detail: dict[str, Any] | None = Field(default=None, sa_type=JSONB)


class GoneAuditEvent(PlatformBase, table=True):
    """An event of a deleted tenant's audit, unchanged."""

    __tablename__: ClassVar[str] = "gone_audit_events"
    __table_args__ = ({"info": {"app": "SELECT", "outlives_tenant": True}},)

    tenant_id: UUID = Field(primary_key=True)
    event_id: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    occurred_at: datetime = Field(sa_type=STAMP)
    actor: str = Field(sa_type=Text)
    action: str = Field(sa_type=Text)
    subject_type: str = Field(sa_type=Text)
    subject_uuid: UUID | None = None
    request_id: str | None = Field(default=None, sa_type=Text)
    detail: dict[str, Any] | None = Field(default=None, sa_type=JSONB)


class GoneAuditSeal(PlatformBase, table=True):
    """A seal of a deleted tenant's audit, which still verifies its events."""

    __tablename__: ClassVar[str] = "gone_audit_seals"
    __table_args__ = ({"info": {"app": "SELECT", "outlives_tenant": True}},)

    tenant_id: UUID = Field(primary_key=True)
    number: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    first_event: int = Field(sa_type=BigInteger)
    last_event: int = Field(sa_type=BigInteger)
    members: Any = Field(sa_column=Column(INT8MULTIRANGE, nullable=False))
    events: int = Field(sa_type=BigInteger)
    settled_through: int = Field(sa_type=BigInteger)
    rows_digest: bytes = Field(sa_type=LargeBinary)
    previous: bytes = Field(sa_type=LargeBinary)
    digest: bytes = Field(sa_type=LargeBinary)
    sealed_at: datetime = Field(sa_type=STAMP)
