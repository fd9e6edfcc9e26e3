"""Tables of a tenant's own roles: the roles in its schema, and the version of them that every sign-in looks up."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Column, DateTime, ForeignKey, Text, Uuid, text
from sqlmodel import Field
from uuid_utils.compat import uuid7

from core.clock import now
from core.database import PlatformBase, TenantBase

STAMP: Any = DateTime(timezone=True)


class TenantRole(TenantBase, table=True):
    """A role of the tenant's own.

    Attributes:
        name: as memberships store it; never the name of a built-in role.
        version_id: changes with every write; the row's ETag.
        includes: names of built-in roles whose permissions it has too.
        permissions: names of permissions.
    """

    __tablename__: ClassVar[str] = "roles"
    __table_args__ = (CheckConstraint("name ~ '^[a-z][a-z0-9]*(-[a-z0-9]+)*$' AND length(name) <= 40", name="name"),)

    name: str = Field(primary_key=True, sa_type=Text)
    version_id: UUID = Field(default_factory=uuid7)
    meaning: str = Field(sa_type=Text)
    includes: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    permissions: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    changed_at: datetime = Field(default_factory=now, sa_type=STAMP)
    changed_by: str = Field(sa_type=Text)


class RoleVersion(PlatformBase, table=True):
    """The version of a tenant's own roles. A tenant without a row has never had a role of its own.

    Attributes:
        version: grows with every change.
        settled: false from before a change until after it: what is read meanwhile must not be cached.
    """

    __tablename__: ClassVar[str] = "role_versions"
    __table_args__ = ({"info": {"app": "SELECT, INSERT, UPDATE"}},)

    tenant_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("platform.tenants.id", ondelete="CASCADE"), primary_key=True)
    )
    version: int = Field(sa_column_kwargs={"server_default": text("0")})
    settled: bool = Field(sa_column_kwargs={"server_default": text("false")})
    changed_at: datetime = Field(default_factory=now, sa_type=STAMP)
