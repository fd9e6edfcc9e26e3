"""The tables of rolled-up usage, in ``platform``: batches, hours, the state of each ledger, and uses that moved."""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Index, Integer, Numeric, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from core.clock import now
from core.database import PlatformBase

STAMP: Any = DateTime(timezone=True)
SEALED: dict[str, Any] = {"app": "SELECT, INSERT", "guard": "reject_change", "outlives_tenant": True}
"""Rights of a table whose rows invoices are computed from. A trigger stops the owner's login too."""


class UsageLedger(PlatformBase, table=True):
    """How far the ledger of one data database is rolled up.

    Attributes:
        transaction_id: with ``last_id``, the position of the last use that was rolled up.
        complete_until: every use that was recorded before it is rolled up; None before the first complete roll-up.
        carries: number of moves that took uses from this ledger or to it; a roll-up that ran meanwhile starts again.
        failed_at: time of the last failure; None once a roll-up has succeeded again.
        error: what failed.
        restored_at: when a roll-up saw that the database was restored to an earlier time; None once an operator has
            resumed the roll-up.
    """

    __tablename__: ClassVar[str] = "usage_ledgers"
    __table_args__ = (
        {
            "info": {
                "app": "SELECT, INSERT, UPDATE (transaction_id, last_id, complete_until, checked_at, failed_at, error,"
                " restored_at)",
                "outlives_tenant": True,
            }
        },
    )

    database: str = Field(primary_key=True, sa_type=Text)
    transaction_id: int = Field(default=0, sa_type=BigInteger, sa_column_kwargs={"server_default": text("0")})
    last_id: UUID = Field(
        default=UUID(int=0), sa_column_kwargs={"server_default": text("'00000000-0000-0000-0000-000000000000'")}
    )
    complete_until: datetime | None = Field(default=None, sa_type=STAMP)
    carries: int = Field(default=0, sa_type=Integer, sa_column_kwargs={"server_default": text("0")})
    checked_at: datetime | None = Field(default=None, sa_type=STAMP)
    failed_at: datetime | None = Field(default=None, sa_type=STAMP)
    error: str | None = Field(default=None, sa_type=Text)
    restored_at: datetime | None = Field(default=None, sa_type=STAMP)


class UsageBatch(PlatformBase, table=True):
    """Uses that were rolled up in one transaction. Batches are numbered without gaps, and nobody changes one.

    Attributes:
        number: batches up to a number never change, so usage as of a batch can be computed again at any time.
        after_transaction_id: with ``after_id``, the position in the ledger after which the batch begins.
        transaction_id: with ``last_id``, the position of its last use.
        events: uses that it counted.
    """

    __tablename__: ClassVar[str] = "usage_batches"
    __table_args__ = (
        UniqueConstraint("database", "after_transaction_id", "after_id"),
        {"info": SEALED},
    )

    number: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    database: str = Field(sa_type=Text)
    after_transaction_id: int = Field(sa_type=BigInteger)
    after_id: UUID
    transaction_id: int = Field(sa_type=BigInteger)
    last_id: UUID
    events: int
    sealed_at: datetime = Field(default_factory=now, sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")})


class UsageHour(PlatformBase, table=True):
    """The uses of one batch, tenant, meter and hour, with the same dimensions. Nobody changes a row.

    Attributes:
        hour: begin of the hour in which the uses occurred.
        dimensions_key: digest of ``dimensions``, for the primary key.
        total: sum of the values; counter-entries are negative.
        uses: number of uses, less that of the counter-entries.
        maximum: greatest value.
        latest: of a gauge, the value of the latest measurement, which is of ``latest_at``; else None.
    """

    __tablename__: ClassVar[str] = "usage_hours"
    __table_args__ = (
        Index("ix_usage_hours_hour", "hour"),
        {"info": SEALED},
    )

    tenant_id: UUID = Field(primary_key=True)
    meter: str = Field(primary_key=True, sa_type=Text)
    hour: datetime = Field(primary_key=True, sa_type=STAMP)
    batch: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    dimensions_key: str = Field(primary_key=True, sa_type=Text)
    dimensions: dict[str, str] = Field(sa_type=JSONB)
    total: Decimal = Field(sa_type=Numeric)
    uses: int
    maximum: Decimal = Field(sa_type=Numeric)
    latest: Decimal | None = Field(default=None, sa_type=Numeric)
    latest_at: datetime | None = Field(default=None, sa_type=STAMP)


class MovedUse(PlatformBase, table=True):
    """A use that moved to another data database with its tenant, and the only ledger that may count it.

    Attributes:
        counts_in: the database whose roll-up counts it; None if it is counted.
        recorded_at: when it was recorded; usage is incomplete from then on until it is counted.
    """

    __tablename__: ClassVar[str] = "moved_uses"
    __table_args__ = (
        Index("ix_moved_uses_tenant_id", "tenant_id"),
        Index("ix_moved_uses_uncounted", "recorded_at", postgresql_where=text("counts_in IS NOT NULL")),
        {"info": {"app": "SELECT, UPDATE (counts_in)", "outlives_tenant": True}},
    )

    use_id: UUID = Field(primary_key=True)
    tenant_id: UUID
    counts_in: str | None = Field(default=None, sa_type=Text)
    recorded_at: datetime = Field(sa_type=STAMP)
