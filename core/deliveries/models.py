"""The columns of a table of deliveries."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Text
from sqlmodel import Field, SQLModel
from uuid_utils.compat import uuid7

from core.clock import now

_STAMP: Any = DateTime(timezone=True)


def delivery_checks() -> tuple[CheckConstraint, ...]:
    """Return the constraints of a table of deliveries, for its ``__table_args__``."""
    return (
        CheckConstraint("state IN ('waiting', 'sending', 'sent', 'failed', 'unknown')", name="state"),
        CheckConstraint("attempts >= 0", name="attempts"),
    )


class DeliveryColumns(SQLModel):
    """One message for one receiver.

    Attributes:
        state: ``waiting``; ``sending``: a try has begun; ``sent``; ``failed``: it is not tried again; ``unknown``:
            nobody knows whether it arrived.
        repeatable: whether the receiver recognizes a repetition.
        attempts: tries that have begun.
        due_at: when the next try is due.
        reason: a short code of the last failure.
        reference: the receiver's id of the message.
        ended_at: when it was sent or given up.
    """

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    state: str = Field(default="waiting", sa_type=Text)
    repeatable: bool = True
    attempts: int = 0
    due_at: datetime = Field(default_factory=now, sa_type=_STAMP)
    reason: str | None = Field(default=None, sa_type=Text)
    reference: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(default_factory=now, sa_type=_STAMP)
    ended_at: datetime | None = Field(default=None, sa_type=_STAMP)
