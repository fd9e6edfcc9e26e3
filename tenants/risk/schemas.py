"""What the API says of models, scores and lists."""

from datetime import date, datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.web.days import IsoDay
from tenants.risk.models import RiskModel

Kind = Literal["at_risk", "to_trace"]
Level = Literal["high", "medium", "low", "late", "iit"]
MOST_DAYS = 365
"""Farthest horizon of a list, in days: nobody is expected later."""
_FROM_ROWS = ConfigDict(from_attributes=True)


class Reason(BaseModel):
    """One reason in plain words."""

    theme: str = Field(description="What it tells of.", examples=["lateness"])
    text: str = Field(description="In words.", examples=["12 days late at the last refill"])
    contribution: float | None = Field(description="What it adds to the raw log-odds.", examples=[0.83])


class ModelOut(BaseModel):
    """A model, without its card."""

    model_config = _FROM_ROWS

    uuid: UUID
    name: str = Field(description="Kind of model.", examples=["additive"])
    version: str = Field(examples=["additive-3"])
    plugin_version: str
    state: Literal["candidate", "preferred", "retired", "failed"] = Field(
        description="`preferred` is the one that scores; `failed` could not be trained."
    )
    failure: str | None = Field(description="Why it could not be trained, or last failed to score; null: it works.")
    trained_at: datetime
    trained_through: date | None = Field(description="Last day of what it was fitted and calibrated on.")
    gates: dict[str, Any] = Field(description="Whether it may be promoted, and why.")


class ModelCard(ModelOut):
    """A model with its card."""

    card: dict[str, Any] = Field(description="Data, period, features, metrics with intervals, limits, intended use.")
    features: list[dict[str, Any]]


class ModelEvaluation(BaseModel):
    """What was measured of a model on time later than its training."""

    model_uuid: UUID
    model_version: str
    trained_at: datetime
    trained_through: date | None
    when_trained: dict[str, Any] = Field(description="On the test fold: figures with intervals, groups, against naive.")
    since_training: dict[str, Any] | None = Field(description="By the last evaluation; empty where there was none.")
    gates: dict[str, Any]

    @classmethod
    def of(cls, row: RiskModel) -> "ModelEvaluation":
        """Of a stored model."""
        measured = dict(row.metrics)
        since = measured.pop("since_training", None)
        return cls(
            model_uuid=row.uuid,
            model_version=row.version,
            trained_at=row.trained_at,
            trained_through=row.trained_through,
            when_trained=measured,
            since_training=since,
            gates=row.gates,
        )


class ScorePost(BaseModel):
    """Which date to score."""

    model_config = ConfigDict(extra="forbid")

    as_of: IsoDay | None = Field(
        default=None, description="As known on this day; today when left out.", examples=["2026-09-30"]
    )


class JobAccepted(BaseModel):
    """The work was accepted; follow it at ``/v1/jobs/{job_id}``."""

    job_id: UUID


NOT_KNOWN = "Null, as `days_late` is, for people in IIT by the partner's own list alone: a contact cannot be read."


class PredictionOut(BaseModel):
    """What was said of a patient as of a date."""

    model_config = _FROM_ROWS

    uuid: UUID
    patient_uuid: UUID
    facility_uuid: UUID
    as_of: date
    kind: Kind
    expected_date: date | None = Field(description=NOT_KNOWN)
    days_late: int | None = Field(description="Days past the expected date; 0 for those at risk.")
    prediction_timestamp: datetime
    model_version: str
    risk: float | None = Field(
        description="Calibrated probability of interruption; none for those to be traced.", examples=[0.42]
    )
    risk_low: float | None = Field(description="95 % interval of what came of people scored alike on held-out time.")
    risk_high: float | None = None
    raw_score: float | None = Field(description="The model's own probability, before calibration.")
    risk_level: Level = Field(
        description="By the facility's capacity, not the risk alone: `high` for those whom its trackers can call, "
        "`medium` for as many again, `low` for the rest; `late` or `iit` for those to be traced."
    )
    rank: int | None = Field(description="Within the facility's list.")
    within_capacity: bool
    reasons: list[Reason] | None = Field(description="For those within capacity; on demand for the rest.")
    calibration_note: str | None
    data_date: date | None = Field(description="To which the facility's records run.")
    stale: bool = Field(description="The facility's records end too early for this date.")

    @model_validator(mode="after")
    def _leave_out_days_late(self) -> Self:
        if self.expected_date is None:
            self.days_late = None
        return self


class RiskOut(BaseModel):
    """One patient's risk as of a day, with every reason in both directions."""

    model_config = _FROM_ROWS

    patient_uuid: UUID
    as_of: date
    status: str
    kind: Literal["at_risk", "to_trace", "none"]
    expected_date: date | None
    days_late: int | None
    risk: float | None
    risk_low: float | None
    risk_high: float | None
    raw_score: float | None
    raw_log_odds: float | None = Field(description="base + contributions + other_contribution.")
    base: float | None = Field(description="Log-odds of a person of whom nothing stands out.")
    usual_risk: float | None = Field(description="The risk of such a person: what `risk` is compared with.")
    reasons: list[Reason] = Field(description="What changes the odds by a tenth or more, strongest first.")
    other_contribution: float | None = Field(description="What everything else adds to the raw log-odds.")
    summary: str = Field(description="Where the risk stands against the usual one, and why.")
    features: dict[str, float | None]
    model_version: str
    data_date: date | None
    complete_through: date | None
    stale: bool
    note: str


class PersonIdentity(BaseModel):
    """What names a person, for those who may see it."""

    given_name: str | None = None
    family_name: str | None = None
    phone: str | None = None
    hospital_number: str | None = None
    pepfar_id: str | None = None


class WorklistPost(BaseModel):
    """Which list to issue."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind = Field(description="The two lists are never mixed.", examples=["at_risk"])
    as_of: IsoDay | None = Field(
        default=None, description="A date that was scored; today when left out.", examples=["2026-09-30"]
    )
    capacity: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="People per facility; the setting `risk.capacity` when left out.",
        examples=[20],
    )
    facility: str | None = Field(default=None, description="DATIM id or UUID; all when left out.", max_length=100)
    due_within: int | None = Field(
        default=None,
        ge=0,
        le=MOST_DAYS,
        examples=[14],
        description="At risk only: expected within so many days; the setting `risk.horizon_days` when left out, "
        "365 for everybody.",
    )


class WorklistOut(BaseModel):
    """An issued list, without its people."""

    model_config = _FROM_ROWS

    uuid: UUID
    kind: Kind
    as_of: date
    facility_uuid: UUID | None
    capacity: int
    due_within: int | None = Field(description="Only people expected within so many days of the date; null: all.")
    candidates: int = Field(description="People who could have been listed.")
    entries: int
    model_version: str
    data_date: date | None
    usual_risk: float | None = Field(description="Risk of a person of whom nothing stands out; null: not at risk.")
    note: str | None = Field(description="Whether the preferred model failed and another scored; null: it did not.")
    facilities: list[dict[str, Any]] = Field(description="Per facility: candidates, listed, cut-off, staleness.")
    issued_by: str
    issued_at: datetime


class WorklistEntryOut(BaseModel):
    """One person on an issued list."""

    model_config = _FROM_ROWS

    rank: int
    patient_uuid: UUID
    facility_uuid: UUID
    facility: str = Field(description="DATIM id.")
    clinic: str = Field(description="The facility's name.")
    expected_date: date | None = Field(description=NOT_KNOWN)
    days_late: int | None
    score: float = Field(description="Risk, or days past the expected contact on the list to be traced.")
    risk_level: Level = Field(description="What it means is in `meaning`.")
    reasons: list[Reason]
    summary: str = Field(description="Why this person is on the list, in one line.")
    identity: PersonIdentity | None = Field(description="Null where names were not asked for, or may not be seen.")
    contacted_at: datetime | None
    outcome: str | None


class WorklistDetail(WorklistOut):
    """An issued list with a page of its people, by facility and rank."""

    meaning: str = Field(description="What the levels of this list mean.")
    people: list[WorklistEntryOut] = Field(description="Those of this page; `entries` says how many there are in all.")
    page: int = Field(description="This page of the people, counted from 1.")
    page_size: int = Field(description="People per page.")
    next: str | None = Field(description="Path and query of the next page of people; null on the last one.")
    previous: str | None = Field(description="Path and query of the page before; null on the first one.")
