"""Tables of places: moves in progress and schemas that tenants left. In ``platform``; only the owner writes them."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Text, UniqueConstraint, text
from sqlmodel import Field

from core.clock import now
from core.database import PlatformBase


class TenantMove(PlatformBase, table=True):
    """A tenant's move and its step; the row is deleted when the move ends or is cancelled.

    ``copying``: the new schema is being filled. ``following``: the new schema follows the old one with a short delay.
    ``switching``: the old role may have lost its rights already, so the move can only be completed.
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
    """A schema that a tenant has left and that is retained for a while. The application can no longer take its role."""

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
