"""Tables of the team: what each officer can do in a day, who is away, targets of facilities, and proposed statuses."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, DateTime, Index, Text, text
from sqlmodel import Field

from core.clock import now
from core.database import TenantBase
from tenants.records.ids import new_uuid


class OfficerCapacity(TenantBase, table=True):
    """The most people of today's lists that an officer follows at a facility.

    Attributes:
        person_id: of ``platform.people``.
        people: people a day.
    """

    __tablename__ = "officer_capacities"
    __table_args__ = (CheckConstraint("people BETWEEN 0 AND 10000", name="people"),)

    person_id: UUID = Field(primary_key=True)
    facility_uuid: UUID = Field(primary_key=True)
    people: int
    set_by: str = Field(sa_type=Text)
    set_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))


class OfficerAbsence(TenantBase, table=True):
    """Days on which an officer is away. Their patients count as those of the cover until the last day.

    Attributes:
        cover_id: the colleague who follows the officer's people meanwhile; None: everybody does, until the lists are
            shared out; see ``tenants.followup.sharing``.
    """

    __tablename__ = "officer_absences"
    __table_args__ = (
        CheckConstraint("first_day <= last_day", name="days"),
        CheckConstraint("cover_id <> person_id", name="cover"),
        Index("ix_officer_absences_last_day", "last_day"),
    )

    uuid: UUID = Field(default_factory=new_uuid, primary_key=True)
    person_id: UUID
    first_day: date = Field(sa_type=Date)
    last_day: date = Field(sa_type=Date)
    cover_id: UUID | None = None
    created_by: str = Field(sa_type=Text)
    created_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))


class FacilityTarget(TenantBase, table=True):
    """The shares that a facility aims at, of the people who come on its lists, from a month until its next target.

    Attributes:
        month: the first day of the month from which it is in force.
        reached: share from 0 to 1 to speak with, and ``returned`` to be back after that; None: no target.
    """

    __tablename__ = "facility_targets"
    __table_args__ = (
        CheckConstraint("extract(day FROM month) = 1", name="month"),
        CheckConstraint("reached BETWEEN 0 AND 1", name="reached"),
        CheckConstraint("returned BETWEEN 0 AND 1", name="returned"),
    )

    facility_uuid: UUID = Field(primary_key=True)
    month: date = Field(primary_key=True, sa_type=Date)
    reached: float | None = None
    returned: float | None = None
    set_by: str = Field(sa_type=Text)
    set_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))


class StatusProposal(TenantBase, table=True):
    """A death or transfer that a tracker heard of. A second person verifies or rejects it.

    Attributes:
        state: ``died`` or ``transferred_out``; ``happened_on`` is its day.
        decision: ``proposed``, ``verified`` or ``rejected``.
        attempt_uuid: the attempt at which it became known; an undo of the attempt takes an undecided proposal with it,
            and a decided one stays beside what is recorded anew.
    """

    __tablename__ = "status_proposals"
    __table_args__ = (
        CheckConstraint("state IN ('died', 'transferred_out')", name="state"),
        CheckConstraint("decision IN ('proposed', 'verified', 'rejected')", name="decision"),
        CheckConstraint("(decision = 'proposed') = (decided_by IS NULL)", name="decided"),
        CheckConstraint("decided_by <> proposed_by", name="second_person"),
        Index("ix_status_proposals_patient_uuid", "patient_uuid"),
        Index(
            "uq_status_proposals_attempt_uuid",
            "attempt_uuid",
            unique=True,
            postgresql_where=text("decision = 'proposed'"),
        ),
        Index("ix_status_proposals_proposed_at", "proposed_at", "uuid"),
    )

    uuid: UUID = Field(default_factory=new_uuid, primary_key=True)
    patient_uuid: UUID
    facility_uuid: UUID
    state: str = Field(sa_type=Text)
    happened_on: date = Field(sa_type=Date)
    decision: str = Field(default="proposed", sa_type=Text)
    attempt_uuid: UUID | None = None
    proposed_by: str = Field(sa_type=Text)
    proposed_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    decided_by: str | None = Field(default=None, sa_type=Text)
    decided_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
