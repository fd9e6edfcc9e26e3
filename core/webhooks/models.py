"""The tables of webhooks."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Column, DateTime, ForeignKey, Index, Text, Uuid, text
from sqlmodel import Field
from uuid_utils.compat import uuid7

from core.clock import now
from core.database import TenantBase

STAMP: Any = DateTime(timezone=True)
_LOCAL: dict[str, Any] = {"info": {"archive": "they send from this installation; its keys seal their secrets"}}


class WebhookEndpoint(TenantBase, table=True):
    """An address that receives the tenant's public events.

    Attributes:
        events: names of events; empty for all.
        sealed_secret: the secret that signs, sealed with the tenant's key.
        sealed_previous: the secret before it, which signs too until ``previous_until``.
        state: ``active``, or ``disabled``: it receives nothing.
        reason: why it was disabled: ``gone`` (it answered 410), ``failing`` or ``person``.
        failures: failed attempts since the last success.
        failing_since: the first of them.
        paused_until: no attempt before this time.
        version_id: of what people choose; it changes with each choice, never with an attempt.
    """

    __tablename__: ClassVar[str] = "webhook_endpoints"
    __table_args__ = (CheckConstraint("state IN ('active', 'disabled')", name="state"), _LOCAL)

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    url: str = Field(sa_type=Text)
    events: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    sealed_secret: str = Field(sa_type=Text)
    sealed_previous: str | None = Field(default=None, sa_type=Text)
    previous_until: datetime | None = Field(default=None, sa_type=STAMP)
    state: str = Field(default="active", sa_type=Text)
    reason: str | None = Field(default=None, sa_type=Text)
    failures: int = Field(default=0)
    failing_since: datetime | None = Field(default=None, sa_type=STAMP)
    paused_until: datetime | None = Field(default=None, sa_type=STAMP)
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
    created_by: str = Field(sa_type=Text)
    version_id: UUID = Field(default_factory=uuid7)


class WebhookDelivery(TenantBase, table=True):
    """One event for one endpoint.

    Attributes:
        event_id: the ``webhook-id``, the same in every attempt and at every endpoint.
        body: what is sent, to the byte.
        state: ``waiting``, ``delivered``, or ``failed`` after the last attempt.
        attempts: how many there were.
        due_at: when the next one is due.
    """

    __tablename__: ClassVar[str] = "webhook_deliveries"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'delivered', 'failed')", name="state"),
        Index("ix_webhook_deliveries_due", "endpoint_id", "due_at", postgresql_where=text("state = 'waiting'")),
        Index("ix_webhook_deliveries_created", "endpoint_id", "created_at"),
        _LOCAL,
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    endpoint_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), nullable=False)
    )
    event_id: UUID
    event: str = Field(sa_type=Text)
    body: str = Field(sa_type=Text)
    state: str = Field(default="waiting", sa_type=Text)
    attempts: int = Field(default=0)
    due_at: datetime = Field(default_factory=now, sa_type=STAMP)
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)


class WebhookAttempt(TenantBase, table=True):
    """One attempt of a delivery. The receiver's answer is not stored: it may contain anything.

    Attributes:
        status: of the answer; None if there was none.
        error: the kind of error, if there was no answer.
        milliseconds: how long it took.
    """

    __tablename__: ClassVar[str] = "webhook_attempts"
    __table_args__ = (Index("ix_webhook_attempts_endpoint", "endpoint_id", "at"), _LOCAL)

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    endpoint_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), nullable=False)
    )
    delivery_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("webhook_deliveries.id", ondelete="CASCADE"), nullable=False, index=True)
    )
    at: datetime = Field(default_factory=now, sa_type=STAMP)
    status: int | None = None
    error: str | None = Field(default=None, sa_type=Text)
    milliseconds: int
