"""The table of notices about overdue invoices."""

from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKey, Index, Integer, Text, Uuid, text
from sqlmodel import Field
from uuid_utils.compat import uuid7

from core.database import PlatformBase

STAMP: Any = DateTime(timezone=True)


class DunningNotice(PlatformBase, table=True):
    """A step that was taken against an overdue invoice.

    Attributes:
        after_days: days after the due date, by which the plan's terms name the step; -1 for ``extras_on``.
        action: ``reminder``, ``extras_off``, or ``extras_on`` after payment.
        mailed_at: when a mail server took the letter; None if there is no address or no mail server, or it is due.
    """

    __tablename__: ClassVar[str] = "dunning_notices"
    __table_args__ = (
        CheckConstraint("action IN ('reminder', 'extras_off', 'extras_on')", name="action"),
        Index(
            "uq_dunning_notices_reminder",
            "invoice_id",
            "after_days",
            unique=True,
            postgresql_where=text("action = 'reminder'"),
        ),
        Index("ix_dunning_notices_tenant_id", "tenant_id", "taken_on"),
        Index("ix_dunning_notices_unmailed", "tenant_id", postgresql_where=text("mailed_at IS NULL")),
        {"info": {"app": "SELECT, INSERT, UPDATE (mailed_at)", "outlives_tenant": True}},
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    tenant_id: UUID
    invoice_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("platform.invoices.id"), nullable=False))
    after_days: int = Field(sa_type=Integer)
    action: str = Field(sa_type=Text)
    taken_on: date
    mailed_at: datetime | None = Field(default=None, sa_type=STAMP)
