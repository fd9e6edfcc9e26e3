"""Tables of the feature ``reports``: files that jobs make, and schedules that ask for them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Index, SmallInteger, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field

from core.clock import now
from core.database import TenantBase
from tenants.records.ids import new_uuid

_STAMP = DateTime(timezone=True)


def _people() -> Column[Any]:
    return Column(ARRAY(Uuid), nullable=False, server_default=text("'{}'"))


class ReportFile(TenantBase, table=True):
    """A report that a job makes, and its file.

    Attributes:
        options: what the report is about: day or period, facility, dimensions, identifiers.
        needs: the permissions that a reader needs.
        facility_uuids: the facilities in the file; empty for those of the whole tenant, whatever comes later.
        state: waiting; made; failed, with the problem.
        blob: key of the file in the tenant's store.
        schedule_uuid: the schedule that asked for it; empty where a person did.
        recipients: the people who get a mail when the file is there.
        erasures: how many erasures of people came while the file was being made.
    """

    __tablename__ = "report_files"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'made', 'failed')", name="state"),
        Index("ix_report_files_requested_at", "requested_at", "uuid"),
    )

    uuid: UUID = Field(default_factory=new_uuid, primary_key=True)
    kind: str = Field(sa_type=Text)
    format: str = Field(sa_type=Text)
    options: dict[str, Any] = Field(
        sa_column=Column(JSONB, nullable=False, server_default=text("'{}'")), default_factory=dict
    )
    needs: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    facility_uuids: list[UUID] | None = Field(default=None, sa_column=Column(ARRAY(Uuid)))
    requested_by: str = Field(sa_type=Text)
    requested_at: datetime = Field(default_factory=now, sa_type=_STAMP)
    schedule_uuid: UUID | None = None
    state: str = Field(default="waiting", sa_type=Text)
    problem: str | None = Field(default=None, sa_type=Text)
    made_at: datetime | None = Field(default=None, sa_type=_STAMP)
    expires_at: datetime | None = Field(default=None, sa_type=_STAMP)
    blob: str | None = Field(default=None, sa_type=Text)
    size: int | None = Field(default=None, sa_type=BigInteger)
    recipients: list[UUID] = Field(default_factory=list, sa_column=_people())
    erasures: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False, server_default=text("0")))


class ReportSchedule(TenantBase, table=True):
    """A report that is made each week or month.

    Attributes:
        every: ``week`` or ``month``.
        on_day: day of the week (1 is Monday) or of the month.
        at_hour: hour of the day, in the tenant's time zone.
        next_at: when it is due next.
        reach_facilities, reach_states: what the person who made it reached then; empty for all.
        recipients: the people who get a mail when a file is there.
        stopped_at, stopped_why: when and why it stopped: its creator has left, or lacks a permission or reach, or its
            list has become too long for paper.
    """

    __tablename__ = "report_schedules"
    __table_args__ = (
        CheckConstraint("every IN ('week', 'month')", name="every"),
        CheckConstraint("on_day BETWEEN 1 AND 28 AND at_hour BETWEEN 0 AND 23", name="moment"),
        CheckConstraint("stopped_why IN ('creator', 'permission', 'reach', 'length')", name="stopped_why"),
        Index("ix_report_schedules_next_at", "next_at"),
    )

    uuid: UUID = Field(default_factory=new_uuid, primary_key=True)
    kind: str = Field(sa_type=Text)
    format: str = Field(sa_type=Text)
    options: dict[str, Any] = Field(
        sa_column=Column(JSONB, nullable=False, server_default=text("'{}'")), default_factory=dict
    )
    every: str = Field(sa_type=Text)
    on_day: int = Field(sa_type=SmallInteger)
    at_hour: int = Field(sa_type=SmallInteger)
    next_at: datetime = Field(sa_type=_STAMP)
    needs: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    facility_uuids: list[UUID] | None = Field(default=None, sa_column=Column(ARRAY(Uuid)))
    reach_facilities: list[UUID] | None = Field(default=None, sa_column=Column(ARRAY(Uuid)))
    reach_states: list[str] | None = Field(default=None, sa_column=Column(ARRAY(Text)))
    created_by: str = Field(sa_type=Text)
    created_at: datetime = Field(default_factory=now, sa_type=_STAMP)
    recipients: list[UUID] = Field(default_factory=list, sa_column=_people())
    stopped_at: datetime | None = Field(default=None, sa_type=_STAMP)
    stopped_why: str | None = Field(default=None, sa_type=Text)
