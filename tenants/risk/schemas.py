"""Bodies and answers of the API for models, scores and lists."""

from datetime import date, datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from core.web.days import IsoDay
from tenants.cohort.schemas import StatusName
from tenants.risk.examples import ACCURACY, CARD, FIGURES, GATES
from tenants.risk.models import RiskModel

Kind = Literal["at_risk", "to_trace"]
Level = Literal["high", "medium", "low", "late", "iit"]
MOST_DAYS = 365
"""The farthest horizon of a list, in days: nobody is expected later."""
_FROM_ROWS = ConfigDict(from_attributes=True, populate_by_name=True)
"""A row's column `uuid` is the field `id` (`validation_alias`)."""


class Reason(BaseModel):
    """One reason in plain words."""

    theme: str = Field(description="Name of the theme.", examples=["lateness"])
    text: str = Field(description="The reason in words.", examples=["12 days late at the last refill"])
    contribution: float | None = Field(description="Contribution to the raw log-odds.", examples=[0.83])


class ModelOut(BaseModel):
    """A model, without its card."""

    model_config = _FROM_ROWS

    id: UUID = Field(validation_alias="uuid", description="Identifier of the model.")
    name: str = Field(description="Kind of model.", examples=["additive"])
    version: str = Field(examples=["additive-3"], description="Version of the model.")
    plugin_version: str = Field(description="Version of the plugin that trained it.", examples=["0.1.0"])
    state: Literal["candidate", "shadow", "challenger", "champion", "retired", "failed"] = Field(
        description="`champion` is the model that scores; a `shadow` scores beside it at no effect; a `challenger`"
        " serves a share of the facilities; `failed` could not be trained."
    )
    failure: str | None = Field(
        description="Why it could not be trained, or last failed to score; null: it works.", examples=[None]
    )
    trained_at: datetime = Field(description="When it was trained.")
    trained_through: date | None = Field(description="Last day of the data of fitting and calibration.")
    gates: dict[str, Any] = Field(description="Whether it may be promoted, and why.", examples=[GATES])

    @field_validator("state", mode="before")
    @classmethod
    def _champion(cls, state: str) -> str:
        return "champion" if state == "preferred" else state


class AccuracyOut(BaseModel):
    """How the predictions of a month turned out, of those whose outcome is known."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": ACCURACY})

    month: date = Field(description="First day of the month in which the predictions were made.")
    decisions: int = Field(description="Predictions whose outcome is known: one for each expected contact and month.")
    patients: int = Field(description="Patients of these predictions.")
    interrupted: int = Field(description="Predictions that ended in interruption.")
    listed: int = Field(description="Predictions about patients whom an issued list had for the same contact.")
    listed_interrupted: int = Field(description="Those of them that ended in interruption.")
    competing: int = Field(description="Further predictions that ended in death, transfer, stop or cancellation.")
    mean_risk: float = Field(description="Mean of the predicted probabilities; compare `figures.base_rate`.")
    figures: dict[str, Any] = Field(
        description="`base_rate` (share that interrupted), `roc_auc`, `average_precision`, `brier` and"
        " `calibration_intercept` (log-odds to add to every prediction; 0 is right), each with the bounds of its 95 %"
        " interval."
    )
    measured_at: datetime = Field(description="When they were last compared.")


class ModelCard(ModelOut):
    """A model with its card."""

    card: dict[str, Any] = Field(
        description="Data, period, features, metrics with intervals, limits, intended use.", examples=[CARD]
    )
    feature_set: str | None = Field(
        description="Name of the feature set that it was fitted on; null for a model from before there were sets.",
        examples=["iit"],
    )
    feature_set_version: int | None = Field(description="Version of that set; null as `feature_set`.", examples=[1])
    features: list[dict[str, Any]] = Field(
        description="The features that the model reads, in order, each with the `version` of its definition.",
        examples=[[{"name": "days_late_last", "version": 1}, {"name": "age", "version": 1}]],
    )
    lineage: dict[str, Any] | None = Field(
        description="Fingerprints of the data and the code that it came from, libraries, rules, settings, seed; null"
        " for a model from before these were stored.",
        examples=[{"data": {"sha256": "9f2c", "decisions": 48210}, "code": {"version": "0.1.0", "sha256": "c41a"}}],
    )
    artifact_sha256: str | None = Field(
        validation_alias="blob_sha256",
        description="SHA-256 of the stored model; null for the naive rule.",
        examples=[None],
    )


class ModelEvaluation(BaseModel):
    """The figures of a model on time later than its training."""

    model_id: UUID = Field(description="The model.")
    model_version: str = Field(description="Version of the model.", examples=["additive-3"])
    trained_at: datetime = Field(description="When it was trained.")
    trained_through: date | None = Field(description="Last day of the data of fitting and calibration.")
    when_trained: dict[str, Any] = Field(
        description="On the test fold: figures with intervals, groups, against naive.", examples=[FIGURES]
    )
    since_training: dict[str, Any] | None = Field(
        description="From the last evaluation; null where there was none.", examples=[None]
    )
    gates: dict[str, Any] = Field(description="Whether the model may be promoted, and why.", examples=[GATES])

    @classmethod
    def of(cls, row: RiskModel) -> "ModelEvaluation":
        """Build it from a stored model."""
        figures = dict(row.metrics)
        since = figures.pop("since_training", None)
        return cls(
            model_id=row.uuid,
            model_version=row.version,
            trained_at=row.trained_at,
            trained_through=row.trained_through,
            when_trained=figures,
            since_training=since,
            gates=row.gates,
        )


class ScorePost(BaseModel):
    """The date to score."""

    model_config = ConfigDict(extra="forbid")

    as_of: IsoDay | None = Field(
        default=None, description="Score with what was known on this day. Default: today.", examples=["2026-02-03"]
    )


NOT_KNOWN = "Null, as `days_late` is, for people in IIT by the partner's own list alone: a contact cannot be read."


class PredictionOut(BaseModel):
    """The prediction for a patient as of a date."""

    model_config = _FROM_ROWS

    id: UUID = Field(validation_alias="uuid", description="Identifier of the score.")
    patient_id: UUID = Field(validation_alias="patient_uuid", description="The patient.")
    facility: str = Field(description="DATIM id of the facility.", examples=["hZ7mJp5xUQq"])
    as_of: date = Field(description="The day that was scored.", examples=["2026-02-03"])
    kind: Kind = Field(description="`at_risk`: expected and not late; `to_trace`: past the expected contact.")
    expected_date: date | None = Field(description=NOT_KNOWN, examples=["2026-02-10"])
    days_late: int | None = Field(description="Days past the expected date; 0 for those at risk.", examples=[0])
    prediction_timestamp: datetime = Field(description="When the score was computed.")
    model_version: str = Field(description="Version of the model.", examples=["additive-3"])
    risk: float | None = Field(
        description="Calibrated probability of interruption; none for those to be traced.", examples=[0.42]
    )
    risk_low: float | None = Field(
        description="95 % interval of the outcomes of people with such scores on held-out time.", examples=[0.37]
    )
    risk_high: float | None = Field(
        default=None, description="Upper end of the 95 % interval of `risk`.", examples=[0.48]
    )
    raw_score: float | None = Field(description="The model's own probability, before calibration.", examples=[0.44])
    risk_level: Level = Field(
        description="By the facility's capacity, not the risk alone: `high` for people whom its trackers can call, "
        "`medium` for as many again, `low` for the rest; `late` or `iit` for people to be traced."
    )
    rank: int | None = Field(description="Rank within the facility's list.")
    within_capacity: bool = Field(description="Whether the facility's trackers can reach this person on the day.")
    reasons: list[Reason] | None = Field(description="For people within capacity; on demand for the others.")
    calibration_note: str | None = Field(description="A note on the calibration; null: there is none.", examples=[None])
    data_date: date | None = Field(description="The date to which the facility's records run.")
    stale: bool = Field(description="Whether the facility's records end too early for this date.", examples=[False])

    @model_validator(mode="after")
    def _leave_out_days_late(self) -> Self:
        if self.expected_date is None:
            self.days_late = None
        return self


class RiskOut(BaseModel):
    """One patient's risk as of a day, with every reason in both directions."""

    model_config = _FROM_ROWS

    patient_id: UUID = Field(description="The patient.")
    as_of: date = Field(description="The day that was scored.", examples=["2026-02-03"])
    status: StatusName = Field(description="Status on that day.", examples=["active"])
    kind: Literal["at_risk", "to_trace", "none"] = Field(
        description="`at_risk`: expected; `to_trace`: past the expected contact; `none`: no score, and `note` says why."
    )
    expected_date: date | None = Field(description="Day of the expected contact.", examples=["2026-02-10"])
    days_late: int | None = Field(description="Days past the expected contact.", examples=[0])
    risk: float | None = Field(
        description="Calibrated probability of interruption; null for people to trace.", examples=[0.42]
    )
    risk_low: float | None = Field(description="Lower end of the 95 % interval of `risk`.", examples=[0.37])
    risk_high: float | None = Field(description="Upper end of the 95 % interval of `risk`.", examples=[0.48])
    raw_score: float | None = Field(description="The model's own probability, before calibration.", examples=[0.44])
    raw_log_odds: float | None = Field(description="base + contributions + other_contribution.", examples=[-0.24])
    base: float | None = Field(description="Log-odds of an average person.", examples=[-1.99])
    usual_risk: float | None = Field(
        description="The risk of an average person, to compare `risk` with.", examples=[0.12]
    )
    reasons: list[Reason] = Field(description="Reasons that change the odds by a tenth or more, strongest first.")
    other_contribution: float | None = Field(
        description="The sum of all other contributions to the raw log-odds.", examples=[0.92]
    )
    summary: str = Field(
        description="The risk beside the usual one, and why.",
        examples=["0.42, against the usual 0.12: 12 days late at the last refill"],
    )
    features: dict[str, float | None] = Field(
        description="Value of each feature; null where it is unknown.", examples=[{"days_late_last": 12, "age": 37}]
    )
    model_version: str = Field(description="Version of the model.", examples=["additive-3"])
    data_date: date | None = Field(description="The day to which the data run.")
    complete_through: date | None = Field(description="The last day that the reporting volume supports.")
    stale: bool = Field(description="Whether the facility's records end too early for this day.", examples=[False])
    note: str = Field(description="What to know when reading this; empty: nothing.", examples=[""])


class PersonIdentity(BaseModel):
    """The personal identifiers of a person, for callers with the permission."""

    given_name: str | None = Field(default=None, description="Given name.", examples=["Givenname"])
    family_name: str | None = Field(default=None, description="Family name.", examples=["Familyname"])
    phone: str | None = Field(default=None, description="Phone number.", examples=["0800 000 0042"])
    hospital_number: str | None = Field(default=None, description="Hospital number.", examples=["H-17"])
    pepfar_id: str | None = Field(default=None, description="Programme identifier.", examples=["PID-0042"])


class WorklistPost(BaseModel):
    """The list to issue."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind = Field(description="The two lists are never mixed.", examples=["at_risk"])
    as_of: IsoDay | None = Field(
        default=None, description="A date with scores. Default: today.", examples=["2026-02-03"]
    )
    capacity: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="People per facility. Default: the setting `risk.capacity`.",
        examples=[20],
    )
    facility: str | None = Field(
        default=None, description="DATIM id. Default: all facilities.", max_length=100, examples=["hZ7mJp5xUQq"]
    )
    due_within: int | None = Field(
        default=None,
        ge=0,
        le=MOST_DAYS,
        examples=[14],
        description="At risk only: people expected within this many days. Default: the setting `risk.horizon_days`; "
        "365 for everybody.",
    )


class WorklistFacility(BaseModel):
    """One facility's part of an issued list."""

    model_config = _FROM_ROWS

    facility: str = Field(validation_alias="datim_id", description="DATIM id.", examples=["hZ7mJp5xUQq"])
    name: str = Field(description="The facility's name.", examples=["Central clinic"])
    candidates: int = Field(description="People who could have been listed.", examples=[1])
    listed: int = Field(description="People on the list.", examples=[1])
    cut_off: float | None = Field(description="Score of the last one listed; null: nobody is.", examples=[0.42])
    complete_through: date | None = Field(description="The last day that the reporting volume supports.")
    stale: bool = Field(
        description="The facility's records end too early for this day: nobody is listed.", examples=[False]
    )


class WorklistOut(BaseModel):
    """An issued list, without its people."""

    model_config = _FROM_ROWS

    id: UUID = Field(validation_alias="uuid", description="Identifier of the list.")
    kind: Kind = Field(description="`at_risk`: expected and not late; `to_trace`: past the expected contact.")
    as_of: date = Field(description="The day of the list.", examples=["2026-02-03"])
    facility: str | None = Field(
        description="DATIM id of the only facility; null: all facilities.", examples=["hZ7mJp5xUQq"]
    )
    capacity: int = Field(description="The most people per facility.", examples=[20])
    due_within: int | None = Field(
        description="Only people expected within this many days of the date; null: all.", examples=[14]
    )
    candidates: int = Field(description="People who could have been listed.")
    entries: int = Field(description="People on the list.")
    model_version: str = Field(description="Version of the model.", examples=["additive-3"])
    data_date: date | None = Field(description="The day to which the data run.")
    usual_risk: float | None = Field(
        description="Risk of an average person; null on the list to be traced.", examples=[0.12]
    )
    note: str | None = Field(
        description="Whether the preferred model failed and another scored; null: it did not.", examples=[None]
    )
    facilities: list[WorklistFacility] = Field(description="Each facility that is listed, or stale.")
    issued_by: str = Field(
        description="Who issued the list.", examples=["api_key:019c2253-7220-70a7-a610-b4172b5ebaa0"]
    )
    issued_at: datetime = Field(description="When the list was issued.")
    shared_at: datetime | None = Field(
        description="When its people were shared out among officers, last with an effect; null: not yet.",
        examples=["2026-02-03T02:10:00Z"],
    )


class WorklistEntryOut(BaseModel):
    """One person on an issued list."""

    model_config = _FROM_ROWS

    rank: int = Field(description="Place within the facility's list, from 1.", examples=[1])
    patient_id: UUID = Field(description="The patient.")
    facility: str = Field(description="DATIM id.", examples=["hZ7mJp5xUQq"])
    clinic: str = Field(description="The facility's name.", examples=["Central clinic"])
    expected_date: date | None = Field(description=NOT_KNOWN, examples=["2026-02-10"])
    days_late: int | None = Field(description="Days past the expected contact; 0 for people at risk.", examples=[0])
    score: float = Field(
        description="Risk, or days past the expected contact on the list to be traced.", examples=[0.42]
    )
    risk_level: Level = Field(description="Level; `meaning` of the list explains it.")
    reasons: list[Reason] = Field(description="The reasons, strongest first.")
    summary: str = Field(
        description="Why this person is on the list, in one line.", examples=["12 days late at the last refill"]
    )
    identity: PersonIdentity | None = Field(description="Null where names were not requested, or are not permitted.")
    contacted_at: datetime | None = Field(
        description="When somebody contacted the person; null: nobody has.", examples=[None]
    )
    outcome: str | None = Field(description="Outcome of the contact; null: nothing is recorded.", examples=[None])


class WorklistDetail(WorklistOut):
    """An issued list with a page of its people, by the facility's DATIM id and rank."""

    meaning: str = Field(
        description="What the levels of this list mean.",
        examples=["`high`: call first; the trackers of the facility can reach these people on the day."],
    )
    people: list[WorklistEntryOut] = Field(description="The people of this page; `entries` is the total number.")
    page: int = Field(description="This page of the people, counted from 1.")
    page_size: int = Field(description="People per page.")
    next: str | None = Field(
        description="Path and query of the next page of people; null on the last one.", examples=[None]
    )
    previous: str | None = Field(
        description="Path and query of the page before; null on the first one.", examples=[None]
    )
