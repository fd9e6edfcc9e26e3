"""The tables of plugins: what a tenant has set up, and what failed."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKey, Index, Text, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field
from uuid_utils.compat import uuid7

from core.clock import now
from core.database import TenantBase

STAMP: Any = DateTime(timezone=True)
_SEALED: dict[str, Any] = {
    "server_default": text("''"),
    "info": {"archive": "sealed with a key of this installation: enter the secrets again where it is restored"},
}
_LOCAL: dict[str, Any] = {"archive": "what worked and failed on this installation"}
_STATE: dict[str, Any] = {"archive": "a restored instance is disabled until somebody enables it there"}


class PluginInstance(TenantBase, table=True):
    """One use of a plugin by the tenant, with its settings. A plugin may have several.

    Attributes:
        kind: a name of ``core.plugins.kinds.KINDS``, such as ``alert-channel``.
        plugin: the name of the offer, such as ``slack``.
        name: the name that the tenant gives it, unique in its kind.
        enabled: whether the platform uses it.
        events: the events that it listens to, of a listener.
        settings: without the secrets.
        secrets_set: names of the secrets that are set.
        sealed_secrets: the secrets as JSON, sealed with the tenant's key.
        sealed_token: the part of the address for a vendor's requests that nobody can guess, sealed likewise.
        consecutive_failures: outcomes since the last one that was a success.
        failing_since: when it began to fail again and again; None if it does not.
        last_success_at: when it last worked, to the minute; None if it never did.
        last_failure_at: when it last failed; None if it never did.
        last_failure_reason: a short code of that failure.
        version_id: of what people choose.
    """

    __tablename__: ClassVar[str] = "plugin_instances"
    __table_args__ = (UniqueConstraint("kind", "name"),)

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    kind: str = Field(sa_type=Text)
    plugin: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    enabled: bool = Field(default=True, sa_column_kwargs={"server_default": text("false"), "info": _STATE})
    events: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    settings: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    secrets_set: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    sealed_secrets: str = Field(sa_type=Text, sa_column_kwargs=_SEALED)
    sealed_token: str = Field(sa_type=Text, sa_column_kwargs=_SEALED)
    consecutive_failures: int = Field(default=0, sa_column_kwargs={"server_default": text("0"), "info": _STATE})
    failing_since: datetime | None = Field(default=None, sa_type=STAMP, sa_column_kwargs={"info": _STATE})
    last_success_at: datetime | None = Field(default=None, sa_type=STAMP, sa_column_kwargs={"info": _LOCAL})
    last_failure_at: datetime | None = Field(default=None, sa_type=STAMP, sa_column_kwargs={"info": _LOCAL})
    last_failure_reason: str | None = Field(default=None, sa_type=Text, sa_column_kwargs={"info": _LOCAL})
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
    created_by: str = Field(sa_type=Text)
    updated_at: datetime = Field(default_factory=now, sa_type=STAMP)
    version_id: UUID = Field(default_factory=uuid7)


class PluginFailure(TenantBase, table=True):
    """One failure of a plugin, for its author: of a tenant's instance, or of a model that was to score.

    Attributes:
        instance_id: the instance; None of a model.
        model: the kind of the model; None of an instance.
        operation: the method that was called, or ``send``.
        reason: a short code, or what the platform found wrong.
        output: the end of what the plugin wrote to its output; empty where that could name a person.
    """

    __tablename__: ClassVar[str] = "plugin_failures"
    __table_args__ = (
        CheckConstraint("(instance_id IS NULL) <> (model IS NULL)", name="of_one"),
        Index("ix_plugin_failures_instance", "instance_id", "at"),
        {"info": {"archive": "what failed on this installation, stored for 30 days"}},
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    instance_id: UUID | None = Field(
        default=None, sa_column=Column(Uuid, ForeignKey("plugin_instances.id", ondelete="CASCADE"), nullable=True)
    )
    model: str | None = Field(default=None, sa_type=Text)
    at: datetime = Field(default_factory=now, sa_type=STAMP)
    operation: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    output: str = Field(default="", sa_type=Text)
