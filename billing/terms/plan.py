"""Terms of a plan, as a version of the plan stores them and as its file states them."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from billing.terms.charges import Charge, Price, Quantity
from billing.terms.money import checked_currency
from billing.terms.periods import Alignment, Interval

_ZERO: Final = Decimal(0)
_AGGREGATION: Final = re.compile(r"sum|count|max|latest|unique:[a-z][a-z0-9_]{0,39}")
_CODE: Final = r"^[a-z][a-z0-9_-]{0,39}$"

Code = Annotated[str, Field(pattern=_CODE, description="Lower-case letters, digits, `-` and `_`.")]
Days = Annotated[int, Field(ge=0, le=366)]


class _Strict(BaseModel):
    """Base of the terms: nothing unknown, nothing changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MeterTerms(_Strict):
    """What the use of one meter costs."""

    meter: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")] = Field(
        description="The meter, as rooms declare it."
    )
    label: str = Field(default="", max_length=120, description="Its name on invoices; the meter's own when empty.")
    aggregation: str = Field(
        default="sum",
        description="`sum`, `count`, `max`, `latest` or `unique:<dimension>`; without: the meter's own.",
    )
    charge: Charge = Field(description="The charge model.")
    included: Quantity = Field(default=_ZERO, description="Quantity of a whole period that the base fee covers.")
    soft_cap: Quantity | None = Field(default=None, description="From this quantity on, warnings are sent.")
    hard_cap: Quantity | None = Field(default=None, description="At this quantity, extras stop. Care never does.")

    @field_validator("aggregation")
    @classmethod
    def _is_aggregation(cls, value: str) -> str:
        if not _AGGREGATION.fullmatch(value):
            message = "write sum, count, max, latest, or unique:<dimension>"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.soft_cap is not None and self.hard_cap is not None and self.soft_cap > self.hard_cap:
            message = f"the soft cap of {self.meter} is above its hard cap"
            raise ValueError(message)
        return self


class AddOn(_Strict):
    """An addition to a plan that a partner may take: a fee for each period, and its own meters."""

    label: str = Field(min_length=1, max_length=120, description="Its name on invoices.")
    fee: Price = Field(default=_ZERO, description="Fee for a whole period.")
    meters: tuple[MeterTerms, ...] = Field(default=(), description="Meters that it adds, or whose terms it replaces.")


class DunningStep(_Strict):
    """A step against an overdue invoice."""

    after_days: Days = Field(description="Days after the due date.")
    action: Literal["reminder", "extras_off"] = Field(
        description="`extras_off` stops AI answers, SMS and new people until the invoice is paid. Care never stops."
    )


DUNNING: Final = (
    DunningStep(after_days=3, action="reminder"),
    DunningStep(after_days=14, action="reminder"),
    DunningStep(after_days=30, action="extras_off"),
)
"""The steps of a plan that states none."""


class PlanTerms(_Strict):
    """The terms of one version of a plan. Fees and usage are charged after each period."""

    currency: Annotated[str, AfterValidator(checked_currency)] = Field(description="ISO 4217.", examples=["NGN"])
    interval: Interval = Field(default="month", description="Length of a period.")
    alignment: Alignment = Field(default="calendar", description="Whether periods follow the calendar or the start.")
    base_fee: Price = Field(default=_ZERO, description="Fee for a whole period.")
    meters: tuple[MeterTerms, ...] = Field(default=(), description="What is charged by use.")
    trial_days: Days = Field(default=0, description="First days of a subscription, for which nothing is charged.")
    add_ons: dict[Code, AddOn] = Field(default_factory=dict, description="Additions that a partner may take.")
    grace_days: Annotated[int, Field(ge=0, le=31)] = Field(
        default=3, description="Days after a period in which its late use still counts for its invoice."
    )
    due_days: Days = Field(default=30, description="Days from the invoice to its due date.")
    dunning: tuple[DunningStep, ...] = Field(default=DUNNING, description="Steps against an overdue invoice.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for what, meters in (("the plan", self.meters), *((code, each.meters) for code, each in self.add_ons.items())):
            names = [terms.meter for terms in meters]
            if twice := sorted({name for name in names if names.count(name) > 1}):
                message = f"{what} names a meter twice: {', '.join(twice)}"
                raise ValueError(message)
        days = [step.after_days for step in self.dunning]
        if days != sorted(set(days)):
            message = "the steps of dunning must be in the order of their days, one a day"
            raise ValueError(message)
        return self

    @property
    def cadence(self) -> tuple[str, str, str]:
        """Currency, interval and alignment: where one of them changes, a period ends."""
        return self.currency, self.interval, self.alignment
