"""Amounts of a part of a period: fees and use, by the terms of that part.

Terms that cover only a part of a whole period (a late start, an end, a change of plan) charge by days:

- a fee: its share of the days;
- a meter that adds up (sum, count): the included quantity and the bounds of tiers shrink to the share of the days, to
  six decimals. Unit prices, flat prices and sizes of packages stay, because the use of fewer days is smaller by itself;
- a meter with a level (max, latest, unique): the whole price of the level, times the share of the days.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from billing.terms.charges import Step, charge_total, price, share_of
from billing.terms.money import rounded

if TYPE_CHECKING:
    from billing.terms.plan import MeterTerms


class Fee(NamedTuple):
    """The amount of a line, and the steps that make it."""

    steps: list[Step]
    amount: Decimal


def is_additive(aggregation: str) -> bool:
    """Return whether the quantities of two spans of time add up to that of both."""
    return aggregation in ("sum", "count")


def fee_amount(fee: Decimal, share: Fraction, currency: str) -> Decimal:
    """Return the share of a fee, rounded. ``share`` is days of days, so nothing is rounded before."""
    return rounded(fee * share.numerator / share.denominator, currency)


def usage_steps(terms: MeterTerms, quantity: Decimal, share: Fraction, currency: str) -> Fee:
    """Return the price of the use of a meter in a part of a period.

    Args:
        terms: of the meter.
        quantity: of the part, aggregated as the terms state.
        share: the days of the part, of the days of the whole period.
        currency: of the plan.
    """
    if is_additive(terms.aggregation):
        steps = price(terms.charge, quantity - share_of(terms.included, share), share)
        return Fee(steps, rounded(charge_total(steps), currency))
    steps = price(terms.charge, quantity - terms.included)
    total = charge_total(steps)
    return Fee(steps, rounded(total * share.numerator / share.denominator, currency))
