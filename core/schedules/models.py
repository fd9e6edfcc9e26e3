"""The table of a tenant's schedules."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import DateTime, Text
from sqlmodel import Field

from core.database import TenantBase

STAMP: Any = DateTime(timezone=True)
_LOCAL: dict[str, Any] = {"archive": "the installation that runs the work computes when it is due"}


class ScheduleRow(TenantBase, table=True):
    """The state of one schedule. A feature declares the schedule; the row is added when a leader first sees it.

    Attributes:
        name: of the ``Schedule``.
        cron: the tenant's own times; None for the declared ones.
        active: whether the tenant switched it on or off; None for what is declared.
        basis: times and time zone from which ``next_run`` was computed. It is computed again when they differ.
        next_run: when it is due next.
        last_run: when it last ran; None: never.
    """

    __tablename__: ClassVar[str] = "schedules"
    __table_args__ = ({"info": {"archive_rows": "changed_at IS NOT NULL"}},)

    name: str = Field(primary_key=True, sa_type=Text)
    cron: str | None = Field(default=None, sa_type=Text)
    active: bool | None = None
    basis: str = Field(sa_type=Text, sa_column_kwargs={"info": {**_LOCAL, "restored_as": "''"}})
    next_run: datetime = Field(sa_type=STAMP, sa_column_kwargs={"info": {**_LOCAL, "restored_as": "now()"}})
    last_run: datetime | None = Field(default=None, sa_type=STAMP, sa_column_kwargs={"info": _LOCAL})
    changed_by: str | None = Field(default=None, sa_type=Text)
    changed_at: datetime | None = Field(default=None, sa_type=STAMP)
