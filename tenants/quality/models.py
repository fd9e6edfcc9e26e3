"""Tables of the feature ``quality``: reports, their measures, and pairs of patients who may be one person."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Date, DateTime, Index, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from core.clock import now
from core.database import TenantBase
from tenants.records.ids import new_uuid

_STAMP = DateTime(timezone=True)


class QualityReport(TenantBase, table=True):
    """A report of one facility, or (``facility_uuid`` empty) of all facilities of a run.

    Attributes:
        run_uuid: shared by reports of the same run, from one state of the records.
        import_uuid: the import after which it was made; empty where somebody requested it.
        data_date: the date to which the data run (of several facilities the newest).
        score: whole percent; empty where no measure has data.
        dimensions: dimension -> whole percent, for dimensions with data.
        rejected: in the report of an import, rejected rows by problem, as ``{file, field, problem, remedy, count}``.
    """

    __tablename__ = "quality_reports"
    __table_args__ = (
        Index("ix_quality_reports_import_uuid", "import_uuid"),
        Index("ix_quality_reports_facility_uuid", "facility_uuid", "made_at"),
        Index("ix_quality_reports_made_at", "made_at"),
        Index("ix_quality_reports_run_uuid", "run_uuid"),
    )

    uuid: UUID = Field(default_factory=new_uuid, primary_key=True)
    run_uuid: UUID
    import_uuid: UUID | None = None
    facility_uuid: UUID | None = None
    data_date: date | None = Field(default=None, sa_type=Date)
    made_at: datetime = Field(default_factory=now, sa_type=_STAMP)
    definitions: str = Field(sa_type=Text)
    score: int | None = Field(default=None, sa_type=SmallInteger)
    dimensions: dict[str, int] = Field(
        sa_column=Column(JSONB, nullable=False, server_default=text("'{}'")), default_factory=dict
    )
    rejected: list[dict[str, Any]] = Field(
        sa_column=Column("refused", JSONB, nullable=False, server_default=text("'[]'")), default_factory=list
    )


class QualityMeasure(TenantBase, table=True):
    """One measure of a report: of ``denominator`` things, ``numerator`` are right."""

    __tablename__ = "quality_measures"
    __table_args__ = (CheckConstraint("numerator BETWEEN 0 AND denominator", name="share"),)

    report_uuid: UUID = Field(primary_key=True)
    measure: str = Field(primary_key=True, sa_type=Text)
    numerator: int = Field(sa_type=BigInteger)
    denominator: int = Field(sa_type=BigInteger)


class LinkageCandidate(TenantBase, table=True):
    """Two patients who may be one person. The row has no name and no key of one, only which parts agree.

    Attributes:
        first_uuid: the lower UUID of the two.
        probability: the model's probability that they are one person (0 to 1).
        evidence: what agrees, what differs, and their care.
        evidence_hash: hash of the evidence; a refused pair comes back when it changes.
        state: pending; merged or refused by a person; gone when the records no longer suggest it.
    """

    __tablename__ = "linkage_candidates"
    __table_args__ = (
        CheckConstraint("first_uuid < second_uuid", name="pair"),
        CheckConstraint("state IN ('pending', 'merged', 'refused', 'gone')", name="state"),
        CheckConstraint("probability BETWEEN 0 AND 1", name="probability"),
        Index("uq_linkage_candidates_pair", "first_uuid", "second_uuid", unique=True),
        Index("ix_linkage_candidates_state", "state", "probability"),
    )

    uuid: UUID = Field(default_factory=new_uuid, primary_key=True)
    first_uuid: UUID
    second_uuid: UUID
    probability: float
    evidence: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    evidence_hash: str = Field(sa_type=Text)
    state: str = Field(default="pending", sa_type=Text)
    found_at: datetime = Field(default_factory=now, sa_type=_STAMP)
    seen_at: datetime = Field(default_factory=now, sa_type=_STAMP)
    decided_at: datetime | None = Field(default=None, sa_type=_STAMP)
    decided_by: str | None = Field(default=None, sa_type=Text)
    reason: str | None = Field(default=None, sa_type=Text)
