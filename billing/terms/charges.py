"""Charge models: the price of a quantity, in steps that a reader can check."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Annotated, Final, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

_ZERO: Final = Decimal(0)
_WHOLE: Final = Fraction(1)
_MILLIONTH: Final = Decimal("0.000001")

_WRITTEN: Final = WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"})
"""One schema for requests and answers: the document would otherwise have each type of terms twice."""
Price = Annotated[Decimal, Field(ge=0, max_digits=24, decimal_places=12), _WRITTEN]
"""A price of one unit, which may be finer than the currency. Only lines are rounded."""

Quantity = Annotated[Decimal, Field(ge=0, max_digits=28, decimal_places=6), _WRITTEN]


class Step(NamedTuple):
    """One step of a price: ``amount`` is ``quantity * unit_price + flat``, exact."""

    quantity: Decimal
    unit_price: Decimal
    flat: Decimal
    amount: Decimal


class _Strict(BaseModel):
    """Base of the parts of a charge: nothing unknown, nothing changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Tier(_Strict):
    """A tier of a graduated or volume charge."""

    up_to: Quantity | None = Field(default=None, description="Last quantity of the tier; null in the last tier.")
    unit_price: Price = Field(default=_ZERO, description="Price of each unit in the tier.")
    flat: Price = Field(default=_ZERO, description="Charged one time if the tier is reached.")


class PerUnit(_Strict):
    """Every unit costs the same."""

    model: Literal["per_unit"] = Field(default="per_unit", description="The charge model.")
    unit_price: Price = Field(description="Price of each unit.")


class _Tiers(_Strict):
    """Base of the charges with tiers."""

    tiers: tuple[Tier, ...] = Field(min_length=1, max_length=50, description="From the lowest; the last has no bound.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        limits = [tier.up_to for tier in self.tiers]
        bounded = [limit for limit in limits[:-1] if limit is not None]
        if limits[-1] is not None or len(bounded) != len(limits) - 1:
            message = "only the last tier has no `up_to`: the quantities above the others belong to it"
            raise ValueError(message)
        if any(after <= before for before, after in zip([_ZERO, *bounded], bounded, strict=False)):
            message = "the `up_to` of the tiers must grow from 0"
            raise ValueError(message)
        return self


class GraduatedCharge(_Tiers):
    """Each unit costs the price of the tier that it falls into."""

    model: Literal["graduated"] = Field(default="graduated", description="The charge model.")


class Volume(_Tiers):
    """All units cost the price of the tier that the whole quantity reaches."""

    model: Literal["volume"] = Field(default="volume", description="The charge model.")


class Package(_Strict):
    """Units are sold in packages; a package that was begun is charged whole."""

    model: Literal["package"] = Field(default="package", description="The charge model.")
    size: Annotated[Quantity, Field(gt=0)] = Field(description="Units of a package.")
    price: Price = Field(description="Price of a package.")


Charge = Annotated[PerUnit | GraduatedCharge | Volume | Package, Field(discriminator="model")]


def price(
    charge: PerUnit | GraduatedCharge | Volume | Package, quantity: Decimal, share: Fraction = _WHOLE
) -> list[Step]:
    """Return the steps of the price of a quantity. Their amounts are exact, and a line rounds their sum.

    Args:
        charge: the charge.
        quantity: the quantity to charge, in the meter's unit. A quantity below 0 costs nothing: corrections cannot
            exceed what they correct.
        share: the part of a period that the charge covers. The bounds of tiers shrink by it, prices never do.
    """
    quantity = max(quantity, _ZERO)
    match charge:
        case PerUnit():
            return _only(quantity, charge.unit_price, _ZERO)
        case Package():
            packages = (quantity / charge.size).to_integral_value(ROUND_CEILING)
            return _only(packages, charge.price, _ZERO)
        case Volume():
            tier = next(tier for tier in charge.tiers if tier.up_to is None or quantity <= share_of(tier.up_to, share))
            return _only(quantity, tier.unit_price, tier.flat)
        case GraduatedCharge():
            return list(_graduated(charge.tiers, quantity, share))


def share_of(quantity: Decimal, share: Fraction) -> Decimal:
    """Return the share of a quantity, rounded half away from zero to six decimals."""
    if share == 1:
        return quantity
    return (quantity * share.numerator / share.denominator).quantize(_MILLIONTH, rounding=ROUND_HALF_UP)


def charge_total(steps: Iterable[Step]) -> Decimal:
    """Return the exact sum of the steps' amounts."""
    return sum((step.amount for step in steps), _ZERO)


def _only(quantity: Decimal, unit_price: Decimal, flat: Decimal) -> list[Step]:
    if not quantity:
        return []
    return [Step(quantity, unit_price, flat, quantity * unit_price + flat)]


def _graduated(tiers: Iterable[Tier], quantity: Decimal, share: Fraction) -> Iterator[Step]:
    lower = _ZERO
    for tier in tiers:
        if quantity <= lower:
            return
        upper = quantity if tier.up_to is None else min(quantity, share_of(tier.up_to, share))
        yield from _only(upper - lower, tier.unit_price, tier.flat)
        lower = max(lower, upper)
