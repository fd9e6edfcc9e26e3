"""A tenant's settings of risk."""

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field


class RiskSettings(BaseModel):
    """Kept in ``tenant_settings`` under ``risk``.

    Attributes:
        capacity_share: part of a facility's pending people that its trackers can call: these are ``high``, as many
            again ``medium``, the rest ``low``.
        training_years: how far back from the last resolved contact the training data reach.
        training_units: prediction units used at most; beyond it patients are drawn.
        reasons: themes named with a score.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    settings_key: ClassVar[str] = "risk"

    capacity_share: Annotated[float, Field(gt=0, le=0.5)] = 0.30
    training_years: Annotated[int, Field(ge=1, le=20)] = 6
    training_units: Annotated[int, Field(ge=1_000, le=2_000_000)] = 400_000
    reasons: Annotated[int, Field(ge=1, le=10)] = 3
