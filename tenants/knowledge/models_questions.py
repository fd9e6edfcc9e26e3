"""The table of questions that were asked, without personal data."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, DateTime, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from core.clock import now
from core.database import TenantBase
from tenants.records.ids import new_uuid

STAMP: Any = DateTime(timezone=True)


class KnowledgeQuestion(TenantBase, table=True):
    """A question as it was asked, but for what may name a person. Who asked it is not stored.

    Attributes:
        text: the question, redacted.
        facts: the coarse facts of the patient whom it was about, in words; empty if about none.
        outcome: ``quoted``, ``written`` by a language model, or ``none``: not in the guidelines.
        fallback: why no answer was written where the settings ask for one; None if it was, or they do not.
        probability: that the passages answer it.
        model: whose vectors found them.
        passages: the passages, as ``{"document": UUID, "version": 1, "number": 3}``, best first.
        feedback: ``useful``, ``wrong`` or ``missing``; None until somebody says so.
        note: what they add, redacted.
        handled_at: when the data team dealt with it.
    """

    __tablename__: ClassVar[str] = "knowledge_questions"
    __table_args__ = (
        CheckConstraint("outcome IN ('quoted', 'written', 'none')", name="outcome"),
        CheckConstraint("feedback IN ('useful', 'wrong', 'missing')", name="feedback"),
        Index("ix_knowledge_questions_asked_at", "asked_at", "uuid"),
        Index(
            "ix_knowledge_questions_open",
            "asked_at",
            "uuid",
            postgresql_where=text("handled_at IS NULL AND (outcome = 'none' OR feedback IN ('wrong', 'missing'))"),
        ),
    )

    uuid: UUID = Field(default_factory=new_uuid, primary_key=True)
    asked_at: datetime = Field(default_factory=now, sa_type=STAMP)
    language: str = Field(sa_type=Text)
    text: str = Field(sa_type=Text)
    facts: str = Field(default="", sa_type=Text)
    outcome: str = Field(sa_type=Text)
    fallback: str | None = Field(default=None, sa_type=Text)
    probability: float
    model: str = Field(sa_type=Text)
    passages: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSONB, nullable=False))
    feedback: str | None = Field(default=None, sa_type=Text)
    note: str | None = Field(default=None, sa_type=Text)
    feedback_at: datetime | None = Field(default=None, sa_type=STAMP)
    handled_at: datetime | None = Field(default=None, sa_type=STAMP)
