"""The ledger of usage, in ``node``, where it commits with the effect that it counts."""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import DateTime, Index, Numeric, Text, UniqueConstraint, text
from sqlmodel import Field
from uuid_utils.compat import uuid7

from core.clock import now
from core.database import NodeBase

STAMP: Any = DateTime(timezone=True)


class UsageEvent(NodeBase, table=True):
    """So much of one meter was used; ``key`` says by what, so that the same use is counted once."""

    __tablename__: ClassVar[str] = "usage_events"
    __table_args__ = (
        UniqueConstraint("tenant_role", "meter", "key"),
        Index("ix_usage_events_latest", "tenant_id", "meter", "recorded_at"),
        {"info": {"app": "SELECT", "tenant": "SELECT, INSERT", "outlives_tenant": True}},
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    tenant_id: UUID
    tenant_role: str = Field(sa_type=Text)
    meter: str = Field(sa_type=Text)
    value: Decimal = Field(sa_type=Numeric)
    key: str = Field(sa_type=Text)
    recorded_at: datetime = Field(
        default_factory=now, sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")}
    )
