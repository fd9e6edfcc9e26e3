"""The table of which tenants may use which third-party plugins, in the control database."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import Column, DateTime, ForeignKey, Text, Uuid, text
from sqlmodel import Field
from uuid_utils.compat import uuid7

from core.database import PlatformBase

STAMP: Any = DateTime(timezone=True)


class PluginPermission(PlatformBase, table=True):
    """A third-party plugin that a tenant may use.

    Attributes:
        plugin: the name of its entry point.
        tenant_id: the tenant; NULL for all.
        set_by: the operator.
    """

    __tablename__: ClassVar[str] = "plugin_permissions"

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    plugin: str = Field(sa_type=Text)
    tenant_id: UUID | None = Field(
        default=None, sa_column=Column(Uuid, ForeignKey("platform.tenants.id", ondelete="CASCADE"), nullable=True)
    )
    set_by: str = Field(sa_type=Text)
    set_at: datetime = Field(sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")})
