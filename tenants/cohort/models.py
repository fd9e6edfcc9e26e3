"""The table of status transitions."""

from datetime import date as day_type
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, Index, SmallInteger, Text
from sqlmodel import Field

from core.database import TenantBase


class StatusTransition(TenantBase, table=True):
    """A patient's change from one status to another, derived from the records and never written by hand.

    A patient's last transition may lie ahead: the day on which the person will be in IIT unless a contact comes first.

    Attributes:
        seq: order within the patient, from 0 (two may fall on one date).
        date: the first day of the new status.
        reason: new, first_seen, transferred_in, returned, interrupted, died, transferred_out, stopped, unread (a
        contact is not readable), invalid (the source invalidated the record) or partner_list (the partner's own
        status replaces an unreadable contact).
    """

    __tablename__: ClassVar[Any] = "status_transitions"
    __table_args__ = (
        CheckConstraint(
            "from_status IN ('none', 'active', 'iit', 'died', 'transferred_out', 'stopped', 'unknown', 'invalid')",
            name="from_status",
        ),
        CheckConstraint(
            "to_status IN ('active', 'iit', 'died', 'transferred_out', 'stopped', 'unknown', 'invalid')",
            name="to_status",
        ),
        CheckConstraint("from_status <> to_status", name="change"),
        CheckConstraint(
            "reason IN ('new', 'first_seen', 'transferred_in', 'returned', 'interrupted', 'died', 'transferred_out',"
            " 'stopped', 'unread', 'invalid', 'partner_list')",
            name="reason",
        ),
        Index("ix_status_transitions_date", "date"),
    )

    patient_uuid: UUID = Field(primary_key=True)
    seq: int = Field(primary_key=True, sa_type=SmallInteger)
    from_status: str = Field(sa_type=Text)
    to_status: str = Field(sa_type=Text)
    date: day_type = Field(sa_type=Date)
    reason: str = Field(sa_type=Text)
