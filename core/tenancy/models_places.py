"""Tables of where tenants are: moves under way, and places that were left. In ``platform``, written by the owner."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Text, UniqueConstraint, text
from sqlmodel import Field

from core.clock import now
from core.database import PlatformBase


class TenantMove(PlatformBase, table=True):
    """A tenant that is being moved, and how far; the row goes when it has arrived or the move was given up.

    ``copying``: the new schema is being filled. ``following``: it is the old one as of a moment ago. ``switching``: the
    old role may have lost its rights already, so that the move can only be ended.
    """

    __tablename__: ClassVar[str] = "tenant_moves"
    __table_args__ = (
        CheckConstraint("step IN ('copying', 'following', 'switching')", name="step"),
        {"info": {"app": "SELECT"}},
    )

    tenant_id: UUID = Field(primary_key=True)
    database: str = Field(sa_type=Text, description="Where to.")
    schema_name: str = Field(sa_type=Text, description="Its schema and role there.")
    step: str = Field(sa_type=Text)
    started_at: datetime = Field(
        default_factory=now, sa_type=DateTime(timezone=True), sa_column_kwargs={"server_default": text("now()")}
    )


class RetiredSchema(PlatformBase, table=True):
    """A schema that a tenant has left, kept for a while. The application can no longer take its role."""

    __tablename__: ClassVar[str] = "retired_schemas"
    __table_args__ = (
        UniqueConstraint("role_name"),
        CheckConstraint("reason IN ('moved', 'restored')", name="reason"),
        {"info": {"app": "SELECT"}},
    )

    schema_name: str = Field(primary_key=True, sa_type=Text)
    database: str = Field(sa_type=Text)
    role_name: str = Field(sa_type=Text)
    tenant_id: UUID = Field(index=True)
    reason: str = Field(sa_type=Text)
    rows_left: bool = Field(description="Whether the tenant's rows in ``node`` have yet to follow it.")
    retired_at: datetime = Field(
        default_factory=now, sa_type=DateTime(timezone=True), sa_column_kwargs={"server_default": text("now()")}
    )
    drop_after: datetime = Field(sa_type=DateTime(timezone=True))
