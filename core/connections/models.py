"""Tables of the breakers, in the control database: what operators force, and what each process last said of itself."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from core.database import PlatformBase

STAMP: Any = DateTime(timezone=True)


class BreakerOverride(PlatformBase, table=True):
    """A breaker that an operator holds open or closed on every process.

    Attributes:
        target: name of a dependency, or ``dependency/instance``.
        state: ``open`` stops all calls; ``closed`` lets all through.
        reason: why, for other operators; never a person's data.
    """

    __tablename__: ClassVar[str] = "breaker_overrides"
    __table_args__ = (CheckConstraint("state IN ('open', 'closed')", name="state"),)

    target: str = Field(primary_key=True, sa_type=Text)
    state: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    set_by: str = Field(sa_type=Text)
    set_at: datetime = Field(sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")})


class ProcessReport(PlatformBase, table=True):
    """What a process last said of its breakers and its last minute.

    Attributes:
        role: ``api`` or ``worker``.
        process: its process number on ``host``.
        instances: the state of each instance that it has called; see ``core.connections.sharing``.
        figures: what it did in the last minute; see ``core.metrics.window``.
    """

    __tablename__: ClassVar[str] = "process_reports"
    __table_args__ = (CheckConstraint("role IN ('api', 'worker')", name="role"),)

    id: UUID = Field(primary_key=True)
    role: str = Field(sa_type=Text)
    host: str = Field(sa_type=Text)
    process: int
    instances: list[dict[str, Any]] = Field(sa_type=JSONB)
    figures: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    started_at: datetime = Field(sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")})
    seen_at: datetime = Field(sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")})
