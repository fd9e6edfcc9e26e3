"""The tables of costs, in the control database: versions of the cost table, budgets, and notices to operators."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Identity, Index, Numeric, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field
from uuid_utils.compat import uuid7

from core.clock import now
from core.database import PlatformBase

STAMP: Any = DateTime(timezone=True)
EVERY_TENANT = UUID(int=0)
"""The ``tenant_id`` of what concerns the costs of all partners together."""


class CostTable(PlatformBase, table=True):
    """One version of the prices of resources. It is never changed: a correction is a further version.

    Attributes:
        number: its version. Of several that are effective on a day, the highest counts.
        effective_on: the first day (UTC) that it prices.
        rates: see ``billing.costs.rates.Rates``.
        note: where the prices come from.
    """

    __tablename__: ClassVar[str] = "cost_tables"
    __table_args__ = ({"info": {"app": "SELECT, INSERT"}},)

    number: int | None = Field(default=None, sa_type=BigInteger, primary_key=True, sa_column_args=[Identity()])
    effective_on: date
    rates: dict[str, Any] = Field(sa_type=JSONB)
    note: str = Field(sa_type=Text)
    created_by: str = Field(sa_type=Text)
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)


class CostBudget(PlatformBase, table=True):
    """What a partner, or all together, may cost in a calendar month (UTC). It warns, and stops nothing.

    Attributes:
        tenant_id: the partner; ``EVERY_TENANT`` for all together.
        amount: US dollars a month.
        thresholds: percentages at which operators are informed.
        ended_at: when another budget took its place, or an operator ended it.
    """

    __tablename__: ClassVar[str] = "cost_budgets"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        Index("uq_cost_budgets_present", "tenant_id", unique=True, postgresql_where=text("ended_at IS NULL")),
        {"info": {"app": "SELECT, INSERT, UPDATE (ended_at)", "outlives_tenant": True}},
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    tenant_id: UUID
    amount: Decimal = Field(sa_type=Numeric)
    thresholds: list[int] = Field(sa_type=JSONB)
    created_by: str = Field(sa_type=Text)
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
    ended_at: datetime | None = Field(default=None, sa_type=STAMP)


class CostNotice(PlatformBase, table=True):
    """Something about costs that an operator should look at: an unusual day, or a budget's threshold.

    Attributes:
        kind: ``unusual_day`` or ``budget``.
        tenant_id: the partner; ``EVERY_TENANT`` for the budget of all together.
        day: the unusual day; the first day of the budget's month.
        threshold: the percentage of the budget that was reached; 0 for an unusual day.
        amount: the cost of the day, or of the month so far, in US dollars.
        expected: the median of the days before, or the budget.
        seen_at: when an operator said that they have seen it.
    """

    __tablename__: ClassVar[str] = "cost_notices"
    __table_args__ = (
        CheckConstraint("kind IN ('unusual_day', 'budget')", name="kind"),
        CheckConstraint("(seen_at IS NULL) = (seen_by IS NULL)", name="seen"),
        UniqueConstraint("kind", "tenant_id", "day", "threshold"),
        Index("ix_cost_notices_unseen", "created_at", postgresql_where=text("seen_at IS NULL")),
        {"info": {"app": "SELECT, INSERT, UPDATE (seen_at, seen_by)", "outlives_tenant": True}},
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    kind: str = Field(sa_type=Text)
    tenant_id: UUID
    day: date
    threshold: int
    amount: Decimal = Field(sa_type=Numeric)
    expected: Decimal = Field(sa_type=Numeric)
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
    seen_at: datetime | None = Field(default=None, sa_type=STAMP)
    seen_by: str | None = Field(default=None, sa_type=Text)
