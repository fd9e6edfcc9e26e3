"""Bodies and answers of the API for reports on quality, and for people recorded twice."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

DecisionReason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500)]
State = Literal["pending", "merged", "refused", "gone"]


class MeasureOut(BaseModel):
    """One measure of a report."""

    model_config = ConfigDict(from_attributes=True)

    measure: str = Field(examples=["birthdate_filled"], description="Name of the measure.")
    dimension: str = Field(examples=["completeness"], description="Dimension of quality.")
    weight: int = Field(description="Weight within its dimension.", examples=[2])
    about: str = Field(examples=["date of birth"], description="The subject of the measure.")
    numerator: int = Field(description="How many are right.", examples=[1180])
    denominator: int = Field(description="How many there are.", examples=[1200])
    percent: int | None = Field(description="Whole percent; null where there is nothing to measure.", examples=[98])


class FacilityScore(BaseModel):
    """A facility's score in a report over several."""

    facility: str = Field(description="DATIM id.", examples=["hZ7mJp5xUQq"])
    name: str = Field(description="Name of the facility.", examples=["Central clinic"])
    report_id: UUID = Field(description="The facility's own report.")
    score: int | None = Field(examples=[87], description="Whole percent; null where there is nothing to measure.")


class RejectedRows(BaseModel):
    """The number of rows that an import rejected for one problem."""

    file: str = Field(description="Name of the file.", examples=["visits.csv.gz"])
    field: str = Field(description="Column, as the file calls it.", examples=["visit_date"])
    problem: str = Field(description="What is wrong.", examples=["the date lies after the data date"])
    remedy: str = Field(
        description="What to do about it.", examples=["correct the date, or the data date of the import (2026-02-03)"]
    )
    count: int = Field(description="Rows with this problem.")


class ReportHead(BaseModel):
    """A report without its measures."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID = Field(description="Identifier of the report.")
    import_id: UUID | None = Field(description="The import after which it was made.")
    facility: str | None = Field(description="DATIM id; null in a report over several facilities.", examples=[None])
    data_date: date | None = Field(description="The day to which the data run.")
    made_at: datetime = Field(description="When the report was made.")
    definitions: str = Field(
        description="Version of the definitions: compare only scores with the same version.", examples=["4"]
    )
    score: int | None = Field(description="Whole percent.", examples=[87])
    dimensions: dict[str, int] = Field(
        description="Whole percent of each dimension with data.",
        examples=[{"completeness": 96, "timeliness": 71, "plausibility": 99, "consistency": 93, "uniqueness": 100}],
    )


class ReportOut(ReportHead):
    """A report with its measures."""

    measures: list[MeasureOut] = Field(description="The measures.")
    rejected: list[RejectedRows] = Field(description="In the report of an import: its rejected rows by problem.")
    facilities: list[FacilityScore] = Field(
        description="In a report over several: each facility's score, lowest first."
    )


class ReportPost(BaseModel):
    """The subject of a report."""

    model_config = ConfigDict(extra="forbid")

    import_id: UUID | None = Field(
        default=None, description="An import, for a report on its facilities. Default: all facilities."
    )


class TrendPoint(BaseModel):
    """The last report of an import or quarter."""

    period: str = Field(description="The quarter of the data date, or the import.", examples=["2026Q1"])
    import_id: UUID | None = Field(description="The import; null where the point is a quarter.")
    data_date: date | None = Field(description="The day to which the data run.")
    made_at: datetime = Field(description="When the report was made.")
    definitions: str = Field(
        description="Version of the definitions: compare only scores with the same version.", examples=["4"]
    )
    score: int | None = Field(description="Whole percent; null where there is nothing to measure.", examples=[96])
    dimensions: dict[str, int] = Field(
        description="Whole percent of each dimension with data.", examples=[{"completeness": 96}]
    )


class MeasureDefinition(BaseModel):
    """The definition of a measure."""

    name: str = Field(description="Name of the measure.", examples=["birthdate_filled"])
    dimension: str = Field(description="Dimension of quality.", examples=["completeness"])
    dimension_weight: int = Field(description="Weight of its dimension in the score.")
    weight: int = Field(description="Weight within its dimension.", examples=[2])
    about: str = Field(description="The subject of the measure.", examples=["date of birth"])
    numerator: str = Field(description="What counts as right.", examples=["patients with a date of birth"])
    denominator: str = Field(description="What is counted in all.", examples=["patients"])


class SideOut(BaseModel):
    """One of two patients who may be one person."""

    model_config = ConfigDict(from_attributes=True)

    patient_id: UUID = Field(description="The patient.")
    facility: str | None = Field(description="DATIM id.", examples=["hZ7mJp5xUQq"])
    first_contact: date | None = Field(description="Day of the first contact on record.", examples=["2021-09-03"])
    last_contact: date | None = Field(description="Day of the last contact on record.", examples=["2025-11-12"])


class CandidateOut(BaseModel):
    """Two patients who may be one person. Their names are only in their own records."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "example": {
                "id": "019c2291-b3a0-7768-a5f9-23774462ebfc",
                "state": "refused",
                "probability": 0.9987,
                "agree": ["names are alike", "same birth date", "same phone"],
                "differ": ["starts of ART differ"],
                "care": "consecutive",
                "gap_days": 34,
                "care_switches": 1,
                "patients": [
                    {
                        "patient_id": "019c2282-2340-72fa-bad3-569c01a5ba50",
                        "facility": "SIM001",
                        "first_contact": "2024-02-01",
                        "last_contact": "2025-11-20",
                    },
                    {
                        "patient_id": "019c2272-92e0-7c41-8d02-5a7c34e1b0f2",
                        "facility": "SIM004",
                        "first_contact": "2025-12-24",
                        "last_contact": "2026-08-02",
                    },
                ],
                "found_at": "2026-10-01T02:00:00Z",
                "decided_at": "2026-10-02T09:14:00Z",
                "decided_by": "api_key:019c2263-0280-7558-aefb-b3399ddcc6f8",
                "reason": "brothers who share a phone",
            }
        },
    )

    id: UUID = Field(description="Identifier of the pair.")
    state: State = Field(
        description="`pending` until somebody decides; `gone` where one of the two is no longer on record."
    )
    probability: float = Field(description="Probability that they are one person, from their records.")
    agree: list[str] = Field(description="What agrees in both.")
    differ: list[str] = Field(description="What differs between the two.")
    care: str = Field(
        description="consecutive: all contacts of one before the other's; overlapping: in turns at two facilities;"
        " together: in turns at one facility; unknown: one has no contacts."
    )
    gap_days: int | None = Field(description="Days between the two, where their care is consecutive.")
    care_switches: int = Field(description="How often care passed from one to the other.")
    patients: tuple[SideOut, SideOut] = Field(description="The two patients.")
    found_at: datetime = Field(description="When the search first found the pair.")
    decided_at: datetime | None = Field(description="When the decision was made; null: it is open.", examples=[None])
    decided_by: str | None = Field(
        description="Who decided: the kind and id of the principal.",
        examples=["api_key:019c2253-7220-70a7-a610-b4172b5ebaa0"],
    )
    reason: str | None = Field(description="Reason of the decision; null: it is open.")


class MergePost(BaseModel):
    """A decision that the two are one person."""

    model_config = ConfigDict(extra="forbid")

    reason: DecisionReason = Field(description="Why. Name no person.", examples=["registered twice"])
    canonical_id: UUID | None = Field(
        default=None, description="The canonical patient. Default: the one with the later last contact."
    )


class PatientMergePost(BaseModel):
    """A decision that a patient is the same person as another."""

    model_config = ConfigDict(extra="forbid")

    canonical_id: UUID = Field(description="The canonical patient, for whom the facts will count.")
    reason: DecisionReason = Field(description="Why. Name no person.", examples=["registered twice"])


class DecisionPost(BaseModel):
    """The reason of a decision."""

    model_config = ConfigDict(extra="forbid")

    reason: DecisionReason = Field(description="Why. Name no person.", examples=["brothers who share a phone"])


class MergeOut(BaseModel):
    """The patient for whom facts count now."""

    model_config = ConfigDict(from_attributes=True)

    canonical_id: UUID = Field(description="The canonical patient, for whom the facts count.")
    members: list[UUID] = Field(
        description="The other patients whose facts count for the canonical one.",
        examples=[["019c2282-2340-72fa-bad3-569c01a5ba50"]],
    )


class IdentityRow(BaseModel):
    """One merge, with its beginning and its end."""

    model_config = ConfigDict(from_attributes=True)

    patient_id: UUID = Field(
        validation_alias="patient_uuid",
        description="The patient that was merged.",
        examples=["019c2282-2340-72fa-bad3-569c01a5ba50"],
    )
    canonical_id: UUID = Field(
        validation_alias="canonical_uuid", description="The canonical patient, for whom the facts count."
    )
    known_from: datetime = Field(description="When the merge began.")
    known_to: datetime | None = Field(description="When the merge ended; null: it is in force.", examples=[None])
    decided_by: str = Field(
        description="Who merged them: the kind and id of the principal.",
        examples=["api_key:019c2253-7220-70a7-a610-b4172b5ebaa0"],
    )
    reason: str = Field(description="Why the two were merged.", examples=["registered twice"])
    closed_by: str | None = Field(description="Who ended the merge; null: it is in force.", examples=[None])
    close_reason: str | None = Field(description="Why the merge was ended; null: it is in force.", examples=[None])


class IdentityOut(MergeOut):
    """The patient for whom a patient's facts count, with all merges of the patient."""

    history: list[IdentityRow] = Field(description="Every merge of the patient, the oldest first.")
