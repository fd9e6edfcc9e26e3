"""The table of warnings about quotas."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import Boolean, DateTime, Integer, Numeric, Text, text
from sqlmodel import Field

from core.clock import now
from core.database import PlatformBase

STAMP: Any = DateTime(timezone=True)


class QuotaLevel(PlatformBase, table=True):
    """The highest level of a quota's use that was announced in a period. It is deleted with the tenant.

    Attributes:
        level: percent: 80, 100 or 120.
        quota: the soft cap of the meter, or else its hard cap.
        is_over: whether the period has ended, and the end was announced.
    """

    __tablename__: ClassVar[str] = "quota_levels"
    __table_args__ = ({"info": {"app": "SELECT, INSERT, UPDATE (level, used, quota, announced_at, is_over)"}},)

    tenant_id: UUID = Field(primary_key=True)
    meter: str = Field(primary_key=True, sa_type=Text)
    period_start: date = Field(primary_key=True)
    level: int = Field(default=0, sa_type=Integer)
    used: Decimal = Field(sa_type=Numeric)
    quota: Decimal = Field(sa_type=Numeric)
    announced_at: datetime = Field(default_factory=now, sa_type=STAMP)
    is_over: bool = Field(default=False, sa_type=Boolean, sa_column_kwargs={"server_default": text("false")})
