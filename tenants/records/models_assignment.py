"""Table of assignments: who follows a patient. It is in this room, because it decides what people reach."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, Text
from sqlmodel import Field

from core.clock import now
from core.database import TenantBase


class PatientAssignment(TenantBase, table=True):
    """The person who follows a patient. The audit has who did before.

    Attributes:
        person_id: of ``platform.people``. Someone who left the tenant stays here, until somebody else is assigned.
        instead_of: the officer whom the patient was handed over from for an absence, and to whom the patient goes back.
        merged_uuid: the merged patient for whom the person was chosen, if a merge moved the assignment.
    """

    __tablename__ = "patient_assignments"
    __table_args__ = (Index("ix_patient_assignments_person_id", "person_id"),)

    patient_uuid: UUID = Field(primary_key=True)
    person_id: UUID
    assigned_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    assigned_by: str = Field(sa_type=Text)
    merged_uuid: UUID | None = None
    instead_of: UUID | None = None
