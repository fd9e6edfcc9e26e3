"""The tables of the usage ledger. They are in ``node``, so that a use commits with the effect that it counts."""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Index, Numeric, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field
from uuid_utils.compat import uuid7

from core.clock import now
from core.database import NodeBase

STAMP: Any = DateTime(timezone=True)


class UsageEvent(NodeBase, table=True):
    """A quantity of one meter that a tenant used; ``key`` names the use, so that it is counted once.

    Attributes:
        value: the quantity, in the unit of the meter.
        occurred_at: time of the use; NULL in rows of earlier versions, where ``recorded_at`` counts.
        dimensions: the dimensions of the use, which the meter declares.
        transaction_id: the transaction that wrote the row in this database; ``read_usage`` orders by it.
        corrects: the use that this counter-entry takes off again; its value is negative. None for a use.
        reason: why it was corrected.
    """

    __tablename__: ClassVar[str] = "usage_events"
    __table_args__ = (
        UniqueConstraint("tenant_role", "meter", "key"),
        Index("ix_usage_events_transaction_id", "transaction_id", "id"),
        Index("ix_usage_events_latest", "tenant_id", "meter", "recorded_at"),
        {"info": {"app": "SELECT", "tenant": "SELECT, INSERT", "guard": "guard_use", "outlives_tenant": True}},
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
    occurred_at: datetime | None = Field(default=None, sa_type=STAMP)
    dimensions: dict[str, str] = Field(
        default_factory=dict, sa_type=JSONB, sa_column_kwargs={"server_default": text("'{}'")}
    )
    transaction_id: int | None = Field(
        default=None,
        sa_type=BigInteger,
        sa_column_kwargs={"server_default": text("(pg_current_xact_id()::text)::bigint")},
    )
    corrects: UUID | None = None
    reason: str | None = Field(default=None, sa_type=Text)
