"""A tenant's rules for expected contacts, status, labels and completeness. Pure pydantic: no database, no numpy."""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

_STRICT = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

Days = Annotated[int, Field(ge=1, le=400)]


class FixedRule(BaseModel):
    """Every contact is expected to be followed by the next one after the same number of days."""

    model_config = _STRICT

    kind: Literal["fixed"] = "fixed"
    days: Days = 30


class ScheduleBand(BaseModel):
    """From this many months on ART (or from this contact number, the first is 1) on, contacts are ``days`` apart."""

    model_config = _STRICT

    start: Annotated[int, Field(ge=0, le=1200)]
    days: Days


class ScheduleRule(BaseModel):
    """A programme's schedule: days between contacts by stage of treatment.

    Before ART, or where its start is not recorded, the first band holds.
    """

    model_config = _STRICT

    kind: Literal["schedule"] = "schedule"
    by: Literal["months_on_art", "contact_number"] = "months_on_art"
    bands: Annotated[tuple[ScheduleBand, ...], Field(min_length=1, max_length=24)]

    @model_validator(mode="after")
    def _ordered(self) -> "ScheduleRule":
        starts = [band.start for band in self.bands]
        if starts != sorted(set(starts)):
            message = "bands: starts must rise from one band to the next; sort them and remove repeats"
            raise ValueError(message)
        return self


class UsualIntervalRule(BaseModel):
    """The person's own usual interval: the median (or trimmed mean) of the last ``window`` intervals known so far.

    Until ``minimum`` intervals are known, ``default_days`` holds. The result is kept within ``[shortest, longest]``.
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
    """How a facility's complete-through date is taken from its reporting volume (README, "Complete-through")."""

    model_config = _STRICT

    window_days: Annotated[int, Field(ge=1, le=90)] = 14
    """Length of the trailing window in which contacts are counted, days."""
    minimum_contacts: Annotated[int, Field(ge=1, le=1000)] = 10
    """Contacts that a usual window must hold for a facility to be judged on its own; fewer is low volume."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Part of the usual volume that a window must reach to count as reported."""
    reference_days: Annotated[int, Field(ge=28, le=1100)] = 364
    """How far back the usual volume is taken from, in days of reported time."""
    silence: Annotated[float, Field(ge=0, le=50)] = 4.0
    """Contacts that may be missing at the end, at the usual rate, before silence means that reporting stopped."""
    stale_after_days: Annotated[int, Field(ge=1, le=1000)] = 30
    """A facility whose complete-through date is older than this is stale."""


class CohortSettings(BaseModel):
    """The group ``cohort`` of the tenant's settings."""

    model_config = _STRICT
    settings_key: ClassVar[str] = "cohort"

    grace_days: Annotated[int, Field(ge=0, le=365)] = 28
    """Days past the expected contact that are still on treatment; the next day is IIT (28: PEPFAR MER)."""
    reporting_lag_days: Annotated[int, Field(ge=0, le=365)] = 7
    """Days that a facility may need to record what happened, before a label is believed."""
    expected_from: Literal["contacts", "bookings"] = "contacts"
    """`contacts`: each contact sets the next expected one; `bookings`: each booking is its own."""
    expected_by: Literal["later", "earlier", "appointment", "supply", "stock"] = "later"
    """Of the latest appointment given and the end of ARV supply: the `later`; the `earlier`; the `appointment` or the
    `supply` (the other one only where it is missing); `stock`: as `supply`, and days left at an early refill add up."""
    rule: Rule = FixedRule()
    """The days to the next contact, where neither an appointment nor a supply is recorded."""
    longest_ahead_days: Annotated[int, Field(ge=2, le=1000)] = 400
    """A recorded appointment this far ahead or farther is implausible and ignored (KenyaEMR: 400)."""
    longest_supply_days: Annotated[int, Field(ge=1, le=400)] = 366
    """A supply longer than this cannot be believed: how long it lasts is not known, and it is not guessed."""
    start_when_missing: Literal["first_contact", "first_pickup", "never"] = "first_contact"
    """Where the start of ART is not recorded, treatment is taken to begin at this event."""
    pvls_minimum_months: Annotated[int, Field(ge=0, le=24)] = 3
    """Months on ART before a viral load counts for TX_PVLS."""
    completeness: Completeness = Completeness()
    """How a facility's complete-through date is taken from its reporting volume."""
