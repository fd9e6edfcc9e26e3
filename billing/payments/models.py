"""Tables of a payment provider: what it is called for, what it says, and where it differs from our ledger.

They are in ``platform`` and outlive a tenant, as its invoices do.
"""

from datetime import datetime
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


class ProviderObject(PlatformBase, table=True):
    """An object at the provider that mirrors one of ours.

    Attributes:
        kind: such as ``customer`` or ``price``.
        own_id: names ours within the kind.
        provider_id: names it at the provider; None while a Checkout session is being created.
        detail: what we must remember of it, such as the amount of a Checkout session. Never a person's data.
    """

    __tablename__: ClassVar[str] = "provider_objects"
    __table_args__ = (
        UniqueConstraint("kind", "provider_id"),
        Index("ix_provider_objects_tenant_id", "tenant_id"),
        {"info": {"app": "SELECT, INSERT, UPDATE (provider_id, detail)", "outlives_tenant": True}},
    )

    kind: str = Field(primary_key=True, sa_type=Text)
    own_id: str = Field(primary_key=True, sa_type=Text)
    tenant_id: UUID | None = None
    provider_id: str | None = Field(default=None, sa_type=Text)
    detail: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    recorded_at: datetime = Field(default_factory=now, sa_type=STAMP)


class ProviderCall(PlatformBase, table=True):
    """A write that the provider is to receive: the outbox. It is sent outside transactions, in the order of its lane.

    States: ``waiting``; ``done``; ``failed`` (rejected for good: an operator decides); ``dropped`` (no longer needed).

    Attributes:
        kind: what the call does, such as ``customer`` or ``meter_event``.
        own_id: names our side of it.
        lane: calls of one lane are sent one after the other.
        path: of the API. ``{kind|own_id}`` in it and in the body stands for an object's id at the provider.
        idempotency_key: the same for each repetition, so that the provider acts one time.
        turn: number of idempotency keys that it has used; a new one follows only after a look at the provider.
        attempts: how often it was sent with the present key.
        first_sent_at: when it was first sent with the present key. The provider remembers keys for a day.
        leased_until: until when the sender that took it may still be sending it.
        hour: of a meter event, and its ``meter`` and ``quantity``.
    """

    __tablename__: ClassVar[str] = "provider_calls"
    __table_args__ = (
        UniqueConstraint("idempotency_key"),
        CheckConstraint("state IN ('waiting', 'done', 'failed', 'dropped')", name="state"),
        CheckConstraint("method IN ('post', 'delete')", name="method"),
        Index("ix_provider_calls_waiting", "lane", "id", postgresql_where=text("state = 'waiting'")),
        Index("ix_provider_calls_failed", "id", postgresql_where=text("state = 'failed'")),
        Index("ix_provider_calls_usage", "tenant_id", "hour", postgresql_where=text("kind = 'meter_event'")),
        {"info": {"outlives_tenant": True}},
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=(Identity(),))
    tenant_id: UUID | None = None
    kind: str = Field(sa_type=Text)
    own_id: str = Field(sa_type=Text)
    lane: str = Field(sa_type=Text)
    method: str = Field(default="post", sa_type=Text)
    path: str = Field(sa_type=Text)
    body: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    idempotency_key: str = Field(sa_type=Text)
    turn: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    state: str = Field(default="waiting", sa_type=Text, sa_column_kwargs={"server_default": text("'waiting'")})
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    created_at: datetime = Field(default_factory=now, sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")})
    due_at: datetime = Field(default_factory=now, sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")})
    first_sent_at: datetime | None = Field(default=None, sa_type=STAMP)
    leased_until: datetime | None = Field(default=None, sa_type=STAMP)
    ended_at: datetime | None = Field(default=None, sa_type=STAMP)
    error: str | None = Field(default=None, sa_type=Text)
    hour: datetime | None = Field(default=None, sa_type=STAMP)
    meter: str | None = Field(default=None, sa_type=Text)
    quantity: int | None = Field(default=None, sa_type=BigInteger)


class ProviderUsage(PlatformBase, table=True):
    """How much of a tenant's meter has become meter events. The provider takes whole numbers; the rest is carried.

    Attributes:
        after_batch: the last batch before the mirroring began.
        sent: sum of the events.
        carried: what is not in an event yet, between 0 and 1.
    """

    __tablename__: ClassVar[str] = "provider_usage"
    __table_args__ = ({"info": {"app": "SELECT, INSERT, UPDATE (sent, carried)", "outlives_tenant": True}},)

    tenant_id: UUID = Field(primary_key=True)
    meter: str = Field(primary_key=True, sa_type=Text)
    after_batch: int = Field(sa_type=BigInteger)
    sent: int = Field(default=0, sa_type=BigInteger)
    carried: Decimal = Field(default=Decimal(0), sa_type=Numeric)


class ProviderCursor(PlatformBase, table=True):
    """How far a loop has come: ``usage`` (a batch), ``events`` and ``reconciliation`` (a time)."""

    __tablename__: ClassVar[str] = "provider_cursors"
    __table_args__ = ({"info": {"app": "SELECT, INSERT, UPDATE (batch, at)"}},)

    name: str = Field(primary_key=True, sa_type=Text)
    batch: int | None = Field(default=None, sa_type=BigInteger)
    at: datetime | None = Field(default=None, sa_type=STAMP)


class ProviderEvent(PlatformBase, table=True):
    """A message of the provider, stored one time. It only says what to ask about, and not what is true now.

    States: ``waiting``; ``applied``; ``ignored`` (of no concern to us); ``failed`` (an operator decides).

    Attributes:
        id: of the event, at the provider.
        type: such as ``checkout.session.completed``.
        object_id: the object that it is about.
        thin: whether its data must be retrieved by its id.
        source: how it came: ``webhook``, or ``list`` where the webhook was lost.
        times: how often it came by webhook.
        created_at: when the provider made it.
    """

    __tablename__: ClassVar[str] = "provider_events"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'applied', 'ignored', 'failed')", name="state"),
        CheckConstraint("source IN ('webhook', 'list')", name="source"),
        Index("ix_provider_events_waiting", "due_at", postgresql_where=text("state = 'waiting'")),
        Index("ix_provider_events_received_at", "received_at"),
        {"info": {"app": "SELECT, INSERT, UPDATE, DELETE"}},
    )

    id: str = Field(primary_key=True, sa_type=Text)
    type: str = Field(sa_type=Text)
    object_id: str | None = Field(default=None, sa_type=Text)
    thin: bool = Field(default=False)
    source: str = Field(sa_type=Text)
    times: int = Field(default=0)
    created_at: datetime = Field(sa_type=STAMP)
    received_at: datetime = Field(default_factory=now, sa_type=STAMP)
    state: str = Field(default="waiting", sa_type=Text)
    attempts: int = Field(default=0)
    due_at: datetime = Field(default_factory=now, sa_type=STAMP)
    applied_at: datetime | None = Field(default=None, sa_type=STAMP)
    error: str | None = Field(default=None, sa_type=Text)


class ProviderDifference(PlatformBase, table=True):
    """Where the provider and our ledger differ, and why.

    States: ``escalated`` (a person decides); ``mending`` (a call is on its way); ``mended``; ``gone`` (no longer seen);
    ``closed`` (by a person).

    Attributes:
        kind: what differs, such as ``usage``, ``payment`` or ``subscription``.
        own_id: names our side of it.
        cause: why, as a code such as ``rejected_by_provider``.
        ours: what our ledger says.
        theirs: what the provider says.
    """

    __tablename__: ClassVar[str] = "provider_differences"
    __table_args__ = (
        CheckConstraint("state IN ('escalated', 'mending', 'mended', 'gone', 'closed')", name="state"),
        Index(
            "uq_provider_differences_open",
            "kind",
            "own_id",
            "cause",
            unique=True,
            postgresql_where=text("state IN ('escalated', 'mending')"),
        ),
        {"info": {"app": "SELECT, INSERT, UPDATE", "outlives_tenant": True}},
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    tenant_id: UUID | None = None
    kind: str = Field(sa_type=Text)
    own_id: str = Field(sa_type=Text)
    cause: str = Field(sa_type=Text)
    ours: str = Field(sa_type=Text)
    theirs: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    first_seen_at: datetime = Field(default_factory=now, sa_type=STAMP)
    last_seen_at: datetime = Field(default_factory=now, sa_type=STAMP)
    ended_at: datetime | None = Field(default=None, sa_type=STAMP)
    ended_by: str | None = Field(default=None, sa_type=Text)
