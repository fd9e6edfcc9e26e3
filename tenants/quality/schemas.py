"""What the API says of the quality of records and of people recorded twice."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

DecisionReason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500)]
State = Literal["pending", "merged", "refused", "gone"]


class MeasureOut(BaseModel):
    """One measure of a report."""

    model_config = ConfigDict(from_attributes=True)

    measure: str = Field(examples=["birthdate_filled"])
    dimension: str = Field(examples=["completeness"])
    weight: int = Field(description="Within its dimension.", examples=[2])
    about: str = Field(examples=["date of birth"])
    numerator: int = Field(description="How many are as they should be.", examples=[1180])
    denominator: int = Field(description="How many were looked at.", examples=[1200])
    percent: int | None = Field(description="Whole percent; null where nothing could be looked at.", examples=[98])


class FacilityScore(BaseModel):
    """A facility's score in a report of several."""

    facility: str = Field(description="DATIM id.", examples=["SIM001"])
    name: str
    report_uuid: UUID
    score: int | None = Field(examples=[87])


class RefusedRows(BaseModel):
    """How often an import met one problem."""

    file: str
    field: str
    problem: str
    remedy: str
    count: int


class ReportHead(BaseModel):
    """A report without its measures."""

    model_config = ConfigDict(from_attributes=True)

    uuid: UUID
    import_uuid: UUID | None = Field(description="The import after which it was made.")
    facility: str | None = Field(description="DATIM id; null in a report of several facilities together.")
    data_date: date | None = Field(description="The day to which the data run.")
    made_at: datetime
    definitions: str = Field(description="Version of the definitions: compare only scores of one version.")
    score: int | None = Field(description="Whole percent.", examples=[87])
    dimensions: dict[str, int] = Field(
        description="Whole percent of each dimension that could be measured.",
        examples=[{"completeness": 96, "timeliness": 71, "plausibility": 99, "consistency": 93, "uniqueness": 100}],
    )


class ReportOut(ReportHead):
    """A report."""

    measures: list[MeasureOut]
    refused: list[RefusedRows] = Field(description="Of an import's report: its refused rows by problem.")
    facilities: list[FacilityScore] = Field(description="Of a report of several: each facility's, the lowest first.")


class ReportPost(BaseModel):
    """What to report on."""

    model_config = ConfigDict(extra="forbid")

    import_uuid: UUID | None = Field(
        default=None, description="An import and its facilities; all facilities when empty."
    )


class TrendPoint(BaseModel):
    """The last report of an import or quarter."""

    period: str = Field(description="The quarter of the data date, or the import.", examples=["2026Q3"])
    import_uuid: UUID | None
    data_date: date | None
    made_at: datetime
    definitions: str
    score: int | None
    dimensions: dict[str, int]


class MeasureDefinition(BaseModel):
    """What a measure counts."""

    name: str
    dimension: str
    dimension_weight: int
    weight: int
    about: str
    numerator: str
    denominator: str


class JobAsked(BaseModel):
    """The job that does it: follow it at GET /v1/jobs/{id}."""

    job_id: UUID


class SideOut(BaseModel):
    """One of two patients who may be one person."""

    model_config = ConfigDict(from_attributes=True)

    patient_uuid: UUID
    facility: str | None = Field(description="DATIM id.")
    first_contact: date | None
    last_contact: date | None


class CandidateOut(BaseModel):
    """Two patients who may be one person. Their names stand in their own records only."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "example": {
                "uuid": "0197c1f0-0000-7000-8000-000000000000",
                "state": "refused",
                "probability": 0.9987,
                "agree": ["names are alike", "same birth date", "same phone"],
                "differ": ["starts of ART differ"],
                "care": "consecutive",
                "gap_days": 34,
                "turns": 1,
                "patients": [
                    {
                        "patient_uuid": "0197c1f0-0000-7000-8000-000000000001",
                        "facility": "SIM001",
                        "first_contact": "2024-02-01",
                        "last_contact": "2025-11-20",
                    },
                    {
                        "patient_uuid": "0197c1f0-0000-7000-8000-000000000002",
                        "facility": "SIM004",
                        "first_contact": "2025-12-24",
                        "last_contact": "2026-08-02",
                    },
                ],
                "found_at": "2026-10-01T02:00:00Z",
                "decided_at": "2026-10-02T09:14:00Z",
                "decided_by": "api_key:0197c1f0-0000-7000-8000-000000000003",
                "reason": "sisters who share a phone",
            }
        },
    )

    uuid: UUID
    state: State
    probability: float = Field(description="That they are one person, by what is recorded of who they are.")
    agree: list[str]
    differ: list[str]
    care: str = Field(
        description="consecutive: one's contacts all lie before the other's; overlapping: by turns at two facilities;"
        " together: by turns at one facility; unknown: one has none."
    )
    gap_days: int | None = Field(description="Days between the two, where their care is consecutive.")
    turns: int = Field(description="How often care passed from one to the other.")
    patients: tuple[SideOut, SideOut]
    found_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None


class MergePost(BaseModel):
    """A decision that the two are one person."""

    model_config = ConfigDict(extra="forbid")

    reason: DecisionReason = Field(description="Why. Name no person.", examples=["transfer letter seen"])
    keep: UUID | None = Field(
        default=None, description="The patient under whom the person goes on; the one seen last when empty."
    )


class PatientMergePost(BaseModel):
    """A decision that a patient is the same person as another."""

    model_config = ConfigDict(extra="forbid")

    canonical_uuid: UUID = Field(description="The patient under whom the person goes on.")
    reason: DecisionReason = Field(description="Why. Name no person.", examples=["registered twice"])


class DecisionPost(BaseModel):
    """Why something was decided."""

    model_config = ConfigDict(extra="forbid")

    reason: DecisionReason = Field(description="Why. Name no person.", examples=["brothers who share a phone"])


class MergedOut(BaseModel):
    """For whom facts count now."""

    model_config = ConfigDict(from_attributes=True)

    canonical_uuid: UUID = Field(description="The patient under whom the person goes on.")
    members: list[UUID] = Field(description="The other patients whose facts count for it.")


class IdentityRow(BaseModel):
    """One merge, and until when it held."""

    model_config = ConfigDict(from_attributes=True)

    patient_uuid: UUID
    canonical_uuid: UUID
    known_from: datetime
    known_to: datetime | None
    decided_by: str
    reason: str
    closed_by: str | None
    close_reason: str | None


class IdentityOut(MergedOut):
    """For whom a patient's facts count, and since when."""

    history: list[IdentityRow]
