"""The table of grouped errors, in the control database."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field
from uuid_utils.compat import uuid7

from core.database import PlatformBase

STAMP: Any = DateTime(timezone=True)


class ErrorGroup(PlatformBase, table=True):
    """Errors of one type that were raised at one place. It has no values of any of them.

    States: ``open``; ``resolved`` until the next one opens it again; ``ignored`` until an operator opens it.

    Attributes:
        fingerprint: digest of the type and the place.
        kind: name of the error's type.
        place: file, function and line of our code that raised it, as last seen.
        frames: the traceback, outermost first: file, line and function.
        role: ``api`` or ``worker``: the process that last saw it.
        release: version of the platform that last saw it.
        trace_id: the trace in which it was last seen.
        request_id: the request or job in which it was last seen.
        reopened: times that it was seen after it had been resolved.
    """

    __tablename__: ClassVar[str] = "error_groups"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'resolved', 'ignored')", name="state"),
        CheckConstraint("role IN ('api', 'worker')", name="role"),
        CheckConstraint("(state = 'open') = (state_at IS NULL)", name="state_at"),
        Index("ix_error_groups_state_last_seen", "state", "last_seen"),
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    fingerprint: str = Field(sa_type=Text, unique=True)
    kind: str = Field(sa_type=Text)
    place: str = Field(sa_type=Text)
    frames: list[str] = Field(sa_type=JSONB)
    role: str = Field(sa_type=Text)
    release: str = Field(sa_type=Text)
    count: int = Field(sa_type=BigInteger)
    first_seen: datetime = Field(sa_type=STAMP)
    last_seen: datetime = Field(sa_type=STAMP)
    trace_id: str | None = Field(default=None, sa_type=Text)
    request_id: str | None = Field(default=None, sa_type=Text)
    state: str = Field(default="open", sa_type=Text, sa_column_kwargs={"server_default": text("'open'")})
    state_by: str | None = Field(default=None, sa_type=Text)
    state_at: datetime | None = Field(default=None, sa_type=STAMP)
    reopened: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
