"""The table of tombstones: the remains of a deleted tenant."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import Column, DateTime, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from core.database import PlatformBase

STAMP: Any = DateTime(timezone=True)


class TenantTombstone(PlatformBase, table=True):
    """A deleted tenant: its name, who requested its deletion and when, and how much was destroyed.

    No other tenant may take its slug; only its own archive can bring it back. Its usage and its audit stay under its
    id.

    Attributes:
        counts: table -> destroyed rows; ``blobs``: destroyed files.
        audit_seals: the length of the chain of seals that was moved; ``audit_digest`` is its head.
        audit_problems: the problems that verification reported before the move; empty when the audit was intact.
        purged_at: when the purge ended; None while it runs.
    """

    __tablename__: ClassVar[str] = "tenant_tombstones"
    __table_args__ = ({"info": {"app": "SELECT", "outlives_tenant": True}},)

    tenant_id: UUID = Field(primary_key=True)
    slug: str = Field(sa_column=Column(Text, nullable=False, index=True))
    name: str = Field(sa_type=Text)
    schema_name: str = Field(sa_type=Text)
    database: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=STAMP)
    requested_at: datetime | None = Field(default=None, sa_type=STAMP)
    requested_by: str | None = Field(default=None, sa_type=Text)
    purge_began_at: datetime = Field(sa_type=STAMP)
    purged_by: str = Field(sa_type=Text)
    purged_at: datetime | None = Field(default=None, sa_type=STAMP)
    counts: dict[str, int] = Field(sa_column=Column(JSONB, nullable=False))
    audit_events: int
    audit_seals: int
    audit_digest: bytes | None = Field(default=None, sa_type=LargeBinary)
    audit_problems: list[str] = Field(sa_column=Column(JSONB, nullable=False))
