"""A tenant's settings of risk."""

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field


class RiskSettings(BaseModel):
    """The group ``risk`` of the tenant's settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
    settings_key: ClassVar[str] = "risk"

    capacity_share: Annotated[float, Field(gt=0, le=0.5)] = 0.30
    """Share of a facility's pending people whom its trackers can call. These people are `high`, the next as many are
    `medium`, and the rest are `low`."""
    training_years: Annotated[int, Field(ge=1, le=20)] = 6
    """A model is trained on this many years of data before the last resolved contact."""
    training_units: Annotated[int, Field(ge=1_000, le=2_000_000)] = 400_000
    """The most prediction units that a model is trained on. If there are more, patients are drawn at random."""
    reasons: Annotated[int, Field(ge=1, le=10)] = 3
    """The number of reasons that are shown with a score."""
    horizon_days: Annotated[int, Field(ge=0, le=365)] = 14
    """A list of people at risk has only people who are expected within this many days, unless the request gives another
    number. 365: everybody."""
    capacity: Annotated[int, Field(ge=1, le=10_000)] = 20
    """The number of people of each facility on a list, unless the request gives another number."""
    approval: bool = False
    """Whether a model is promoted only after somebody else has approved it. Training then promotes nothing by itself,
    except the first model."""
    canary_days: Annotated[int, Field(ge=0, le=90)] = 14
    """For this many days after a promotion the former model scores beside the new one. If the new one fails or does
    certainly worse, the former one serves again. 0: promotions are not watched."""
    ensembles: bool = True
    """Whether training also combines the kinds of model, where there are two or more. A combination serves only if it
    is certainly better than the simpler models."""
    tuning_trials: Annotated[int, Field(ge=0, le=100)] = 0
    """The number of sets of parameters that training tries for each kind of model. 0: those of the plugin."""
    audit_groups: bool = False
    """Whether `iit model groups --audit` may compare groups that a file names, such as key populations. Neither the
    groups nor their figures are stored."""
    give_sums: bool = False
    """Whether this partner gives noisy sums of its records for a base model of new partners. No row leaves it."""
    base_model: bool = False
    """Whether this partner starts from a base model of other partners until one of its own passes its gates."""
