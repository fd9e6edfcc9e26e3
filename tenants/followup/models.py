"""The table of follow-up: interventions for patients."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, DateTime, Index, LargeBinary, Text, text
from sqlmodel import Field

from core.clock import now
from core.database import TenantBase
from tenants.records.ids import new_uuid
from tenants.risk.results import RESULT_CHECK, ResultFields


class Intervention(ResultFields, TenantBase, table=True):
    """One action, done or planned, to keep a patient in care or bring them back.

    Attributes:
        version_id: changes with every write; the row's ETag.
        prediction_uuid: the prediction for which it was done, and ``worklist_entry_uuid`` the place on the list.
        planned: whether it was planned first. An undo of its outcome makes it a plan again.
        expected_date: the expected contact of the list, against which its result is judged.
        completed_at: when it was done, failed or was cancelled, and ``completed_by`` by whom.
        assigned_cadre: case manager, tracking officer or clinician; shows which cadre succeeds.
        outcome: one of ``outcomes.OUTCOMES``; ``returned_on`` is the day of the contact that followed,
            ``promised_for`` the day on which the patient promised to come.
        interruption_reason: code of the patient's own reason.
        notes_enc: free text, encrypted with the patient's key, since people write names into notes.
        new_phone_enc: the right phone, in the place of a wrong one, which ``wrong_phone_enc`` keeps for an undo.
    """

    __tablename__ = "interventions"
    __table_args__ = (
        CheckConstraint(
            "intervention_type IN ('phone_call', 'home_visit', 'sms', 'in_person', 'counselling', 'transport_support', "
            "'rescheduling', 'peer_support', 'community_delivery', 'other')",
            name="intervention_type",
        ),
        CheckConstraint(
            "status IN ('planned', 'assigned', 'in_progress', 'completed', 'cancelled', 'failed')",
            name="status",
        ),
        CheckConstraint(
            "outcome IN ('returned', 'promised', 'reached', 'not_reached', 'wrong_number', 'moved', 'transferred_out', "
            "'died', 'refused')",
            name="outcome",
        ),
        CheckConstraint("attempts >= 0", name="attempts"),
        CheckConstraint(RESULT_CHECK, name="result"),
        CheckConstraint("NOT voided OR (voided_by IS NOT NULL AND date_voided IS NOT NULL)", name="voided"),
        Index("ix_interventions_patient_uuid", "patient_uuid"),
        Index("ix_interventions_created_at", "created_at", "uuid"),
        Index("ix_interventions_status", "status", "due_date"),
        Index("ix_interventions_intervention_type", "intervention_type"),
    )

    uuid: UUID = Field(default_factory=new_uuid, primary_key=True)
    version_id: UUID = Field(default_factory=new_uuid)
    patient_uuid: UUID
    facility_uuid: UUID
    prediction_uuid: UUID | None = None
    alert_uuid: UUID | None = None
    worklist_entry_uuid: UUID | None = None
    planned: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    expected_date: date | None = Field(default=None, sa_type=Date)
    intervention_type: str = Field(sa_type=Text)
    status: str = Field(default="planned", sa_type=Text)
    assigned_to: str | None = Field(default=None, sa_type=Text)
    assigned_cadre: str | None = Field(default=None, sa_type=Text)
    assigned_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    due_date: date | None = Field(default=None, sa_type=Date)
    attempts: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    started_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    completed_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    completed_by: str | None = Field(default=None, sa_type=Text)
    outcome: str | None = Field(default=None, sa_type=Text)
    outcome_date: date | None = Field(default=None, sa_type=Date)
    returned_on: date | None = Field(default=None, sa_type=Date)
    promised_for: date | None = Field(default=None, sa_type=Date)
    interruption_reason: str | None = Field(default=None, sa_type=Text)
    notes_enc: bytes | None = Field(default=None, sa_type=LargeBinary)
    new_phone_enc: bytes | None = Field(default=None, sa_type=LargeBinary)
    wrong_phone_enc: bytes | None = Field(default=None, sa_type=LargeBinary)
    created_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    created_by: str = Field(sa_type=Text)
    updated_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    voided: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    voided_by: str | None = Field(default=None, sa_type=Text)
    date_voided: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    void_reason: str | None = Field(default=None, sa_type=Text)
