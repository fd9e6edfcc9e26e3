"""A tenant's rules for expected contacts, status, labels and completeness. Pure pydantic: no database, no numpy."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

_STRICT = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

Days = Annotated[int, Field(ge=1, le=400)]


class FixedRule(BaseModel):
    """The same number of days between any two contacts."""

    model_config = _STRICT

    kind: Literal["fixed"] = "fixed"
    days: Days = 30


class ScheduleBand(BaseModel):
    """A stage of a schedule: from ``start`` on, contacts are ``days`` apart.

    ``start`` is a month on ART, or the number of a contact (the first is 1).
    """

    model_config = _STRICT

    start: Annotated[int, Field(ge=0, le=1200)]
    days: Days


class ScheduleRule(BaseModel):
    """A programme's schedule: days between contacts by stage of treatment.

    Before ART, or where its start is not recorded, the first band applies.
    """

    model_config = _STRICT

    kind: Literal["schedule"] = "schedule"
    by: Literal["months_on_art", "contact_number"] = "months_on_art"
    bands: Annotated[tuple[ScheduleBand, ...], Field(min_length=1, max_length=24)]

    @model_validator(mode="after")
    def _check_order(self) -> "ScheduleRule":
        starts = [band.start for band in self.bands]
        if starts != sorted(set(starts)):
            message = "bands: starts must rise from one band to the next; sort them and remove repeats"
            raise ValueError(message)
        return self


class UsualIntervalRule(BaseModel):
    """The person's own usual interval: the median (or trimmed mean) of the last ``window`` intervals known so far.

    Until ``minimum`` intervals are known, ``default_days`` applies. The result stays within ``[shortest, longest]``.
    """

    model_config = _STRICT

    kind: Literal["usual_interval"] = "usual_interval"
    default_days: Days = 30
    window: Annotated[int, Field(ge=1, le=20)] = 5
    minimum: Annotated[int, Field(ge=1, le=20)] = 2
    statistic: Literal["median", "trimmed_mean"] = "median"
    shortest: Days = 14
    longest: Days = 180

    @model_validator(mode="after")
    def _consistent(self) -> "UsualIntervalRule":
        if self.shortest > self.longest:
            message = "shortest must not exceed longest"
            raise ValueError(message)
        if self.minimum > self.window:
            message = "minimum must not exceed window"
            raise ValueError(message)
        return self


Rule = Annotated[FixedRule | ScheduleRule | UsualIntervalRule, Field(discriminator="kind")]


class Completeness(BaseModel):
    """How a facility's complete-through date follows from its number of contacts (README, "Complete-through")."""

    model_config = _STRICT

    window_days: Annotated[int, Field(ge=1, le=90)] = 14
    """Contacts are counted in windows of this many days. Each window ends on a day with a contact."""
    minimum_contacts: Annotated[int, Field(ge=1, le=1000)] = 10
    """A facility is judged on its own if its usual window has at least this many contacts. The others are judged
    together."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """A window counts as reported if it has at least this share of the usual number of contacts."""
    reference_days: Annotated[int, Field(ge=28, le=1100)] = 364
    """The usual number of contacts is taken from this many days of reported time."""
    silence: Annotated[float, Field(ge=0, le=50)] = 4.0
    """A facility may be silent for as long as it usually takes to report this many contacts. After that, its reporting
    counts as stopped."""
    stale_after_days: Annotated[int, Field(ge=1, le=1000)] = 30
    """A facility is stale if its complete-through date is more than this many days ago."""


class CohortSettings(BaseModel):
    """The group ``cohort`` of the tenant's settings."""

    model_config = _STRICT
    settings_key: ClassVar[str] = "cohort"

    grace_days: Annotated[int, Field(ge=0, le=365)] = 28
    """Days past the expected contact on which a person still counts as on treatment. The next day is IIT. PEPFAR MER
    says 28."""
    reporting_lag_days: Annotated[int, Field(ge=0, le=365)] = 7
    """Days that a facility may need to record an outcome. A label is final only after them."""
    expected_from: Literal["contacts", "bookings"] = "contacts"
    """`contacts`: each contact sets the next expected one. `bookings`: each booking is an expected contact."""
    expected_by: Literal["later", "earlier", "appointment", "supply", "stock"] = "later"
    """Which day is expected: the day of the latest appointment, or the end of the ARV supply. `later` or `earlier`: the
    later or the earlier of the two. `appointment` or `supply`: this one, and the other only where it is missing.
    `stock`: as `supply`, plus the days that were left at an early refill."""
    rule: Rule = FixedRule()
    """The number of days to the next contact where neither an appointment nor a supply is recorded."""
    longest_ahead_days: Annotated[int, Field(ge=2, le=1000)] = 400
    """An appointment this many days ahead, or more, is implausible and is ignored. KenyaEMR: 400."""
    longest_supply_days: Annotated[int, Field(ge=1, le=400)] = 366
    """A supply of more days than this is implausible. Its end then counts as unknown."""
    start_when_missing: Literal["first_contact", "first_pickup", "never"] = "first_contact"
    """When treatment begins for a person without a recorded start of ART."""
    pvls_minimum_months: Annotated[int, Field(ge=0, le=24)] = 3
    """Months on ART after which a viral load counts for TX_PVLS."""
    completeness: Completeness = Completeness()
    """How a facility's complete-through date follows from its number of contacts."""
