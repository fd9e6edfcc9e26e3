"""A tenant's settings of risk."""

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field


class RiskSettings(BaseModel):
    """The group ``risk`` of the tenant's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
    settings_key: ClassVar[str] = "risk"

    capacity_share: Annotated[float, Field(gt=0, le=0.5)] = 0.30
    """Part of a facility's pending people that its trackers can call: these are `high`, as many again `medium`, the
    rest `low`."""
    training_years: Annotated[int, Field(ge=1, le=20)] = 6
    """How far back from the last resolved contact the training data reach, in years."""
    training_units: Annotated[int, Field(ge=1_000, le=2_000_000)] = 400_000
    """Prediction units used at most; beyond it patients are drawn."""
    reasons: Annotated[int, Field(ge=1, le=10)] = 3
    """Themes named with a score."""
    horizon_days: Annotated[int, Field(ge=0, le=365)] = 14
    """A list of people at risk holds who is expected within so many days, where none are asked for; 365: everybody."""
    capacity: Annotated[int, Field(ge=1, le=10_000)] = 20
    """People per facility and list, where no capacity is asked for."""
