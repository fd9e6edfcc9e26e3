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
    """A stage of a schedule: from this month on ART (or this contact, from 1) on, contacts are ``days`` apart."""

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
    """How reporting volume gives a facility's complete-through date (README, "Complete-through")."""

    model_config = _STRICT

    window_days: Annotated[int, Field(ge=1, le=90)] = 14
    """Length in days of the trailing window that counts contacts."""
    minimum_contacts: Annotated[int, Field(ge=1, le=1000)] = 10
    """Contacts that a usual window needs for a facility to be judged on its own; with fewer it is low volume."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the usual volume that a window needs to count as reported."""
    reference_days: Annotated[int, Field(ge=28, le=1100)] = 364
    """Days of reported time that give the usual volume."""
    silence: Annotated[float, Field(ge=0, le=50)] = 4.0
    """Contacts that may be missing at the end, at the usual rate, before silence means that reporting stopped."""
    stale_after_days: Annotated[int, Field(ge=1, le=1000)] = 30
    """A facility whose complete-through date is older than this is stale."""


class CohortSettings(BaseModel):
    """The group ``cohort`` of the tenant's settings."""

    model_config = _STRICT
    settings_key: ClassVar[str] = "cohort"

    grace_days: Annotated[int, Field(ge=0, le=365)] = 28
    """Days past the expected contact that still count as on treatment; the next day is IIT (28: PEPFAR MER)."""
    reporting_lag_days: Annotated[int, Field(ge=0, le=365)] = 7
    """Days that a facility may need to record an outcome, before a label counts as final."""
    expected_from: Literal["contacts", "bookings"] = "contacts"
    """`contacts`: each contact sets the next expected one; `bookings`: each booking is its own expected contact."""
    expected_by: Literal["later", "earlier", "appointment", "supply", "stock"] = "later"
    """What sets the expected day, of the latest appointment and the end of ARV supply: the `later`; the `earlier`; the
    `appointment` or the `supply` (the other only where it is missing); `stock`: as `supply`, plus the days left at an
    early refill."""
    rule: Rule = FixedRule()
    """Gives the days to the next contact where neither an appointment nor a supply is recorded."""
    longest_ahead_days: Annotated[int, Field(ge=2, le=1000)] = 400
    """A recorded appointment this many days ahead or more is implausible and ignored (KenyaEMR: 400)."""
    longest_supply_days: Annotated[int, Field(ge=1, le=400)] = 366
    """A supply of more days is implausible: its end is unknown, and nothing guesses it."""
    start_when_missing: Literal["first_contact", "first_pickup", "never"] = "first_contact"
    """The event at which treatment begins where the start of ART is not recorded."""
    pvls_minimum_months: Annotated[int, Field(ge=0, le=24)] = 3
    """Months on ART before a viral load counts for TX_PVLS."""
    completeness: Completeness = Completeness()
    """How reporting volume gives a facility's complete-through date."""
