"""Which patients were found to be one person, and from when to when that was held."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Index, Text, text
from sqlmodel import Field

from core.database import TenantBase
from tenants.records.ids import new_uuid


class PatientIdentity(TenantBase, table=True):
    """From ``known_from`` to ``known_to`` the facts of ``patient_uuid`` count for ``canonical_uuid``.

    Nothing is rewritten: what was known before a merge reads as it did then, and an unmerge closes the row.

    Attributes:
        through_uuid: the row of the merge that took this patient along (it had been merged into the one merged then);
            empty where this patient itself was merged.
        decided_by: who merged; ``closed_by``, who unmerged or merged further.
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
