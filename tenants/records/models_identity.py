"""The table of merges: which patients count as one person, from when to when."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Index, Text, text
from sqlmodel import Field

from core.database import TenantBase
from tenants.records.ids import new_uuid


class PatientIdentity(TenantBase, table=True):
    """A merge: from ``known_from`` to ``known_to``, the facts of ``patient_uuid`` count for ``canonical_uuid``.

    A merge rewrites no fact, so answers about earlier days do not change. An unmerge closes the row.

    Attributes:
        through_uuid: the row of the merge that moved this patient along with the patient into whom it was merged; empty
        if this patient was merged by itself.
        decided_by: who merged.
        closed_by: who unmerged, or merged again.
    """

    __tablename__ = "patient_identities"
    __table_args__ = (
        CheckConstraint("patient_uuid <> canonical_uuid", name="two"),
        CheckConstraint("known_to IS NULL OR known_to >= known_from", name="known_order"),
        Index(
            "uq_patient_identities_patient_uuid_open",
            "patient_uuid",
            unique=True,
            postgresql_where=text("known_to IS NULL"),
        ),
        Index("ix_patient_identities_patient_uuid", "patient_uuid"),
        Index("ix_patient_identities_canonical_uuid", "canonical_uuid"),
    )

    uuid: UUID = Field(default_factory=new_uuid, primary_key=True)
    patient_uuid: UUID
    canonical_uuid: UUID
    through_uuid: UUID | None = None
    known_from: datetime = Field(sa_type=DateTime(timezone=True))
    known_to: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    decided_by: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    closed_by: str | None = Field(default=None, sa_type=Text)
    close_reason: str | None = Field(default=None, sa_type=Text)
