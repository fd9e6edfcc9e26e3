"""Table of what happened to each model: approvals, promotions, comparisons, roll-backs."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, DateTime, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from core.clock import now
from core.database import TenantBase
from tenants.records.ids import new_uuid

ACTIONS = ("approved", "promoted", "rolled_back", "retired", "trial_started", "trial_ended")


class ModelEvent(TenantBase, table=True):
    """What happened to a model, and who did it. Rows are added, never changed.

    Attributes:
        model_uuid, version: the model that the event is about; after a roll-back, the one that serves again.
        former_uuid: the model that served before, of a promotion or a roll-back.
        note: why, in the words of whoever did it, or the reason of the platform.
        facts: the terms or the result of a trial.
    """

    __tablename__: ClassVar[str] = "model_events"
    __table_args__ = (
        CheckConstraint(f"action IN ({', '.join(map(repr, ACTIONS))})", name="action"),
        Index("ix_model_events_happened_at", "happened_at"),
        Index("ix_model_events_model_uuid", "model_uuid"),
    )

    uuid: UUID = Field(default_factory=new_uuid, primary_key=True)
    model_uuid: UUID
    version: str = Field(sa_type=Text)
    action: str = Field(sa_type=Text)
    former_uuid: UUID | None = None
    actor: str = Field(sa_type=Text)
    happened_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    note: str = Field(default="", sa_type=Text)
    facts: dict[str, Any] = Field(
        default_factory=dict, sa_column=Column(JSONB, nullable=False, server_default=text("'{}'"))
    )
