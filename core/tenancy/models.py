"""Tables of tenancy: tenants (control), their schemas and failed migrations (each data database), their settings."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field
from uuid_utils.compat import uuid7

from core.clock import now
from core.database import DEFAULT_DATABASE, NodeBase, PlatformBase, TenantBase, TenantRef

STAMP: Any = DateTime(timezone=True)


class Tenant(PlatformBase, table=True):
    """An implementing partner on this installation, and the place of its data.

    The application reads it, and suspends and resumes one. Only the owner's login creates one or changes anything else.

    Attributes:
        state: active or suspended.
        phase: ``restoring`` (from an archive), ``deleting`` (its days of grace run until ``delete_after``) or
            ``purging`` (its data are being destroyed); otherwise None. In a phase its ``state`` is suspended.
        state_before: its state before the phase.
    """

    __tablename__: ClassVar[str] = "tenants"
    __table_args__ = (
        UniqueConstraint("slug"),
        UniqueConstraint("database", "schema_name"),
        UniqueConstraint("role_name"),
        CheckConstraint("state IN ('active', 'suspended')", name="state"),
        CheckConstraint("phase IN ('restoring', 'deleting', 'purging')", name="phase"),
        CheckConstraint("slug ~ '^[a-z][a-z0-9]*(-[a-z0-9]+)*$' AND length(slug) <= 40", name="slug"),
        {"info": {"app": "SELECT, UPDATE (state, updated_at)"}},
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    slug: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    state: str = Field(default="active", sa_type=Text)
    database: str = Field(default=DEFAULT_DATABASE, sa_type=Text)
    schema_name: str = Field(sa_type=Text)
    role_name: str = Field(sa_type=Text)
    time_zone: str = Field(sa_type=Text)
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
    updated_at: datetime = Field(default_factory=now, sa_type=STAMP)
    phase: str | None = Field(default=None, sa_type=Text)
    phase_since: datetime | None = Field(default=None, sa_type=STAMP)
    phase_by: str | None = Field(default=None, sa_type=Text)
    delete_after: datetime | None = Field(default=None, sa_type=STAMP)
    state_before: str | None = Field(default=None, sa_type=Text)

    def ref(self) -> TenantRef:
        """The reference that sessions take."""
        return TenantRef(
            id=self.id,
            slug=self.slug,
            name=self.name,
            schema_name=self.schema_name,
            role_name=self.role_name,
            database=self.database,
            state=self.phase or self.state,
            time_zone=self.time_zone,
        )


class TenantSchema(NodeBase, table=True):
    """A tenant's schema in this data database and its migration, so that one query finds tenants that are behind."""

    __tablename__: ClassVar[str] = "tenant_schemas"
    __table_args__ = (UniqueConstraint("tenant_id"), {"info": {"app": "SELECT"}})

    schema_name: str = Field(primary_key=True, sa_type=Text)
    tenant_id: UUID
    revision: str = Field(sa_type=Text)
    migrated_at: datetime = Field(
        default_factory=now, sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")}
    )


class MigrationFailure(NodeBase, table=True):
    """A tenant's schema that could not be migrated to head; the row is deleted when it is.

    Attributes:
        revision: the migration that was to be reached.
        error: the error, without values of rows.
        attempts: tries so far, in all runs.
    """

    __tablename__: ClassVar[str] = "migration_failures"
    __table_args__ = ({"info": {"app": "SELECT"}},)

    tenant_id: UUID = Field(primary_key=True)
    revision: str = Field(sa_type=Text)
    error: str = Field(sa_type=Text)
    attempts: int
    first_failed_at: datetime = Field(
        default_factory=now, sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")}
    )
    failed_at: datetime = Field(default_factory=now, sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")})


class TenantSetting(TenantBase, table=True):
    """One room's settings of this tenant: a pydantic model as JSON, under the model's ``settings_key``."""

    __tablename__: ClassVar[str] = "tenant_settings"

    key: str = Field(primary_key=True, sa_type=Text)
    value: dict[str, Any] = Field(sa_type=JSONB)
    updated_at: datetime = Field(default_factory=now, sa_type=STAMP)
    updated_by: str = Field(sa_type=Text)
