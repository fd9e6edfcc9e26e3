"""The outbox: events that were published with an act and are delivered after it has committed."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field
from uuid_utils.compat import uuid7

from core.database import NodeBase

STAMP: Any = DateTime(timezone=True)


class OutboxEvent(NodeBase, table=True):
    """An event, written in the transaction of the act that it describes.

    Attributes:
        id: the event's id; every delivery carries it.
        event: its name, which a feature declares.
        subject: what it is about; a subscriber gets the events of a subject in the order of ``published_at``.
        published_at: by the clock of the database, when the row was written.
        forwarded_at: when a job for each subscriber was enqueued; NULL until then.
        sequence: the number of a public event, in the order in which the tenant's acts committed; NULL for others.
    """

    __tablename__: ClassVar[str] = "outbox"
    __table_args__ = (
        Index("ix_outbox_waiting", "published_at", "id", postgresql_where=text("forwarded_at IS NULL")),
        Index("ix_outbox_forwarded", "forwarded_at", postgresql_where=text("forwarded_at IS NOT NULL")),
        Index("ix_outbox_sequence", "tenant_id", "sequence", postgresql_where=text("sequence IS NOT NULL")),
        {"info": {"app": "SELECT, UPDATE, DELETE", "tenant": "INSERT"}},
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    tenant_id: UUID
    tenant_role: str = Field(sa_type=Text)
    event: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    payload: dict[str, Any] = Field(sa_type=JSONB)
    actor: str = Field(sa_type=Text)
    request_id: str | None = Field(default=None, sa_type=Text)
    published_at: datetime = Field(sa_type=STAMP, sa_column_kwargs={"server_default": text("clock_timestamp()")})
    forwarded_at: datetime | None = Field(default=None, sa_type=STAMP)
    sequence: int | None = Field(default=None, sa_type=BigInteger)


class EventCounter(NodeBase, table=True):
    """The number of a tenant's last public event.

    It is not in the tenant's schema, so that no number is given again after the schema was restored from a backup.

    Attributes:
        last: taken with the commit of an act, whose lock on the row makes the next act wait until it has committed.
    """

    __tablename__: ClassVar[str] = "event_counters"
    __table_args__ = ({"info": {"app": "SELECT, DELETE", "tenant": "SELECT, INSERT, UPDATE"}},)

    tenant_role: str = Field(primary_key=True, sa_type=Text)
    tenant_id: UUID
    last: int = Field(sa_type=BigInteger)
