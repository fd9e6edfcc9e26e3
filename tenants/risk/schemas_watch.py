"""Answers of the API about drift, bias and features."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from core.web.days import IsoDay

_FROM_ROWS = ConfigDict(from_attributes=True, populate_by_name=True)

_COLUMN = {
    "name": "days_late_last", "theme": "lateness", "index": 0.31, "usual_index": 0.02, "p": 0.0001,
    "missing_before": 0.02, "missing_now": 0.03, "drifted": True, "records": False,
}  # fmt: skip
_GROUP = {
    "label": "male", "decisions": 1800, "patients": 950, "interrupted": 210, "mean_risk": 0.11, "observed": 0.117,
    "p": 0.8, "verdict": "fits", "passed": True,
    "pooled": {"value": 0.05, "low": -0.09, "high": 0.19},
}  # fmt: skip


class CheckOut(BaseModel):
    """A measurement as of a day."""

    model_config = _FROM_ROWS

    id: UUID = Field(validation_alias="uuid", description="Identifier of the measurement.")
    as_of: date = Field(description="The day that was looked at.")
    passed: bool = Field(description="Whether nothing was found.")
    patients: int = Field(description="Patients that were looked at.", examples=[4100])
    measured_at: datetime = Field(description="When it was measured.")


class DriftOut(CheckOut):
    """A comparison of the people of a day with those of the half-year before it."""

    model_version: str | None = Field(description="The model whose scores were compared.", examples=["additive-3"])
    figures: dict[str, Any] = Field(
        description="`enough`: whether there were enough people. `columns`: for each feature, and `risk` for the"
        " scores, the stability index (`index`), the largest one of the earlier days (`usual_index`), the p-value of"
        " the two-sample test, adjusted for all columns (`p`), and the shares of missing values. `facilities`: what"
        " moved at single facilities.",
        examples=[{"enough": True, "people": 4100, "columns": [_COLUMN], "facilities": []}],
    )


class BiasOut(CheckOut):
    """The figures by group of the predictions whose outcome is known."""

    figures: dict[str, Any] = Field(
        description="`divisions`: sex, age band, facility, state; each group with what was predicted (`mean_risk`),"
        " what happened (`observed`), the calibration intercept after pooling (`pooled`; 0 is right), ROC-AUC, the"
        " share on lists, the share of interruptions on lists (`sensitivity`), and a `verdict`: `fits`, `higher`,"
        " `lower` or `unknown`. `gate`: whether a group stands against the model.",
        examples=[{"divisions": [{"name": "sex", "groups": [_GROUP], "hidden": 0, "passed": True}]}],
    )


class FeatureOut(BaseModel):
    """A feature: its definition, and how its values lie."""

    name: str = Field(examples=["days_late_last"], description="Name of the feature.")
    version: int = Field(examples=[1], description="Version of its definition.")
    theme: str = Field(examples=["lateness"], description="The theme whose reason it belongs to.")
    kind: str = Field(examples=["continuous"], description="`continuous`, `count`, `binary` or `categorical`.")
    unit: str = Field(examples=["days"], description="Its unit.")
    description: str = Field(examples=["Days late at the last contact, 0 to 100."], description="Its meaning.")
    source: str = Field(examples=["this project"], description="Where the definition comes from.")
    categories: list[str] = Field(examples=[[]], description="Categories; a value is an index into them.")
    in_serving_model: bool = Field(description="Whether the model that scores reads it.")
    distribution: dict[str, Any] | None = Field(
        description="`known`: share of people with a value; `mean`, `quantiles` (5, 25, 50, 75, 95 %), `histogram`, or"
        " `counts` by category. Null: too few people, or not measured yet.",
        examples=[{"known": 0.97, "mean": 3.1, "quantiles": [0, 0, 0, 4, 15]}],
    )


class FeaturesOut(BaseModel):
    """The features of the platform, how fresh they are, and whether both ways to compute them agree."""

    feature_set: str = Field(examples=["iit"], description="Name of the set that new models are fitted on.")
    feature_set_version: int = Field(examples=[1], description="Its version.")
    definitions: str = Field(description="SHA-256 of all definitions.", examples=["9f2c"])
    as_of: date | None = Field(description="The day of the distributions; null before the first.")
    measured_at: datetime | None = Field(description="When they were measured.")
    patients: int = Field(description="Patients in the distributions.", examples=[4100])
    parity_as_of: date | None = Field(description="The day on which both ways to compute were compared.")
    parity: bool | None = Field(description="Whether all values were equal; null before the first comparison.")
    parity_patients: int = Field(description="Patients who were compared.", examples=[25])
    features: list[FeatureOut] = Field(description="All features, by theme.")


class FeatureRowOut(BaseModel):
    """The features of one expected contact."""

    model_config = ConfigDict(from_attributes=True)

    expected_date: date = Field(description="The expected contact.")
    values: dict[str, float | None] = Field(
        description="Name of the feature -> value; null where it is not known. A category is its index.",
        examples=[{"days_late_last": 3.0, "cd4": None}],
    )


class PatientFeaturesOut(BaseModel):
    """The features of a patient as known on a day."""

    model_config = ConfigDict(from_attributes=True)

    patient_id: UUID = Field(description="The patient.")
    as_of: date = Field(description="The day; nothing that was recorded later is in the values.")
    feature_set: str = Field(examples=["iit"], description="Name of the set of features.")
    feature_set_version: int = Field(examples=[1], description="Version of the set.")
    data_date: date | None = Field(description="Date to which the facility's data run today.")
    complete_through: date | None = Field(description="Last day to which the facility's records are complete today.")
    rows: list[FeatureRowOut] = Field(
        description="One for each expected contact still ahead, the nearest first; empty for people not at risk."
    )


class SnapshotPost(BaseModel):
    """The day of a snapshot."""

    model_config = ConfigDict(extra="forbid")

    as_of: IsoDay | None = Field(default=None, description="Default: today.", examples=["2026-02-03"])


class SnapshotOut(BaseModel):
    """The features of all patients as known on a day, with their lineage."""

    model_config = _FROM_ROWS

    id: UUID = Field(validation_alias="uuid", description="Identifier of the snapshot.")
    as_of: date = Field(description="The day.")
    patients: int = Field(description="Patients in it.", examples=[4100])
    lineage: dict[str, Any] = Field(
        validation_alias="figures",
        description="`feature_set` and its version, `definitions` (SHA-256 of all definitions), `records` (SHA-256 of"
        " the state of the records), `facility_rates_of`, and the number of `rows` and `columns`.",
        examples=[{"feature_set": "iit", "feature_set_version": 1, "rows": 4300, "columns": 86}],
    )
    sha256: str = Field(validation_alias="blob_sha256", description="SHA-256 of the stored file.", examples=["5d41"])
    measured_at: datetime = Field(description="When it was taken.")
    measured_by: str = Field(description="Who took it.", examples=["job:risk.snapshot"])
