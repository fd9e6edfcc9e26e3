"""A tenant's settings of risk."""

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field


class RiskSettings(BaseModel):
    """The group ``risk`` of the tenant's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
    settings_key: ClassVar[str] = "risk"

    capacity_share: Annotated[float, Field(gt=0, le=0.5)] = 0.30
    """Share of a facility's pending people whom its trackers can call: these are `high`, as many again `medium`, the
    rest `low`."""
    training_years: Annotated[int, Field(ge=1, le=20)] = 6
    """Years of training data before the last resolved contact."""
    training_units: Annotated[int, Field(ge=1_000, le=2_000_000)] = 400_000
    """The most prediction units for training; with more, patients are drawn."""
    reasons: Annotated[int, Field(ge=1, le=10)] = 3
    """Number of themes named with a score."""
    horizon_days: Annotated[int, Field(ge=0, le=365)] = 14
    """Default of a list of people at risk: only people expected within this many days; 365: everybody."""
    capacity: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Default number of people per facility and list."""
