"""The table of alerts. An alert asks somebody to look at one patient now."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, DateTime, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from core.clock import now
from core.database import TenantBase
from tenants.records.ids import new_uuid


class Alert(TenantBase, table=True):
    """An alert about one patient, from its opening to its end.

    Attributes:
        version_id: changes with every write; the row's ETag.
        alert_type: name of the rule that raised it, such as ``high_risk`` or ``missed_appointment``.
        reasons: codes and numbers of the reasons, without names and phones.
        data_date: the date to which the data of the rule ran.
        dedupe_key: one open alert per key, so that a rule run twice on one evening raises the alert once.
    """

    __tablename__ = "alerts"
    __table_args__ = (
        CheckConstraint(
            "status IN ('open', 'acknowledged', 'assigned', 'resolved', 'dismissed', 'expired')",
            name="status",
        ),
        CheckConstraint("severity IN ('info', 'low', 'medium', 'high', 'critical')", name="severity"),
        CheckConstraint("NOT voided OR (voided_by IS NOT NULL AND date_voided IS NOT NULL)", name="voided"),
        Index("ix_alerts_patient_uuid", "patient_uuid"),
        Index("ix_alerts_status", "status", "created_at"),
        Index("ix_alerts_alert_type", "alert_type"),
        Index("ix_alerts_severity", "severity"),
        Index("ix_alerts_created_at", "created_at"),
        Index(
            "uq_alerts_dedupe_key_open",
            "dedupe_key",
            unique=True,
            postgresql_where=text("dedupe_key IS NOT NULL AND status IN ('open', 'acknowledged', 'assigned')"),
        ),
    )

    uuid: UUID = Field(default_factory=new_uuid, primary_key=True)
    version_id: UUID = Field(default_factory=new_uuid)
    patient_uuid: UUID
    facility_uuid: UUID
    prediction_uuid: UUID | None = None
    alert_type: str = Field(sa_type=Text)
    severity: str = Field(sa_type=Text)
    status: str = Field(default="open", sa_type=Text)
    reasons: list[Any] = Field(default_factory=list, sa_type=JSONB, sa_column_kwargs={"server_default": text("'[]'")})
    data_date: date | None = Field(default=None, sa_type=Date)
    dedupe_key: str | None = Field(default=None, sa_type=Text)
    assigned_to: str | None = Field(default=None, sa_type=Text)
    assigned_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    due_date: date | None = Field(default=None, sa_type=Date)
    acknowledged_by: str | None = Field(default=None, sa_type=Text)
    acknowledged_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    resolved_by: str | None = Field(default=None, sa_type=Text)
    resolved_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    resolution: str | None = Field(default=None, sa_type=Text)
    expires_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    created_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    created_by: str = Field(sa_type=Text)
    updated_at: datetime = Field(default_factory=now, sa_type=DateTime(timezone=True))
    voided: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    voided_by: str | None = Field(default=None, sa_type=Text)
    date_voided: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    void_reason: str | None = Field(default=None, sa_type=Text)
