"""The table of origins, in the control schema: a preflight names no tenant, so all are asked at once."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKey, Index, Text, Uuid
from sqlmodel import Field

from core.clock import now
from core.database import PlatformBase


class TenantOrigin(PlatformBase, table=True):
    """An origin that a tenant allows.

    Attributes:
        origin: scheme, host and port as browsers send them, such as ``https://forms.example.org``.
    """

    __tablename__: ClassVar[str] = "tenant_origins"
    __table_args__ = (
        CheckConstraint("length(origin) <= 300", name="origin"),
        Index("ix_tenant_origins_origin", "origin"),
        {"info": {"app": "SELECT, INSERT, DELETE"}},
    )

    tenant_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("platform.tenants.id", ondelete="CASCADE"), primary_key=True)
    )
    origin: str = Field(sa_column=Column(Text, primary_key=True))
    created_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    created_by: str = Field(sa_type=Text)
