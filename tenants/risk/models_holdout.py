"""Table of the ethics approvals under which a share of the people at risk is left off the shown lists."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, DateTime, Index, Text, text
from sqlmodel import Field

from core.clock import now
from core.database import TenantBase
from tenants.records.ids import new_uuid


class HoldoutApproval(TenantBase, table=True):
    """An ethics approval to hold out a random share of the people on lists at risk. One is in force at most.

    Attributes:
        share: the share of people, above 0 and at most one half.
        reference: the committee's reference.
        approved_on: the day of the approval, and ``approved_by`` who gave it.
        ended_at: when it went out of force; None while it is in force.
    """

    __tablename__ = "holdout_approvals"
    __table_args__ = (
        CheckConstraint("share > 0 AND share <= 0.5", name="share"),
        Index(
            "uq_holdout_approvals_in_force",
            text("(ended_at IS NULL)"),
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    uuid: UUID = Field(default_factory=new_uuid, primary_key=True)
    share: float
    reference: str = Field(sa_type=Text)
    approved_on: date = Field(sa_type=Date)
    approved_by: str = Field(sa_type=Text)
    recorded_by: str = Field(sa_type=Text)
    recorded_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    ended_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
