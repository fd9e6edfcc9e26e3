"""The notice of maintenance: its table, in the control database, and its form in memory."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import CheckConstraint, DateTime, SmallInteger, Text, text
from sqlmodel import Field

from core.database import PlatformBase

STAMP: Any = DateTime(timezone=True)


class MaintenanceNotice(PlatformBase, table=True):
    """The notice of maintenance; without a row there is none.

    Attributes:
        id: always 1.
        message: the operator's text; empty for none.
        until: when the maintenance is over, and the notice with it.
    """

    __tablename__: ClassVar[str] = "maintenance_notice"
    __table_args__ = (CheckConstraint("id = 1", name="only_row"),)

    id: int = Field(default=1, primary_key=True, sa_type=SmallInteger)
    message: str = Field(sa_type=Text)
    until: datetime = Field(sa_type=STAMP)
    actor: str = Field(sa_type=Text)
    changed_at: datetime = Field(sa_type=STAMP, sa_column_kwargs={"server_default": text("now()")})


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice of maintenance.

    Attributes:
        message: the operator's text; empty for none.
        until: when the maintenance is over, in UTC.
    """

    message: str
    until: datetime
