"""Prices of quantities. The cases were computed by hand."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from billing.terms import Charge, MeterTerms, charge_total, price, usage_steps

CHARGE = TypeAdapter(Charge)
TIERS = [
    {"up_to": 1000, "unit_price": "1.00"},
    {"up_to": 5000, "unit_price": "0.80", "flat": "10"},
    {"unit_price": "0.50"},
]
TWO_TIERS = [TIERS[0], {"unit_price": "0.5"}]

BY_HAND = [
    # charge, quantity, amount
    ({"model": "per_unit", "unit_price": "0.015"}, "0", "0"),
    ({"model": "per_unit", "unit_price": "0.015"}, "333", "4.995"),
    ({"model": "graduated", "tiers": TIERS}, "0", "0"),
    ({"model": "graduated", "tiers": TIERS}, "1000", "1000.00"),  # the last unit of the first tier
    ({"model": "graduated", "tiers": TIERS}, "1001", "1010.80"),  # 1000 + 10 + 1 * 0.80
    ({"model": "graduated", "tiers": TIERS}, "5000", "4210.00"),  # 1000 + 10 + 4000 * 0.80
    ({"model": "graduated", "tiers": TIERS}, "5002", "4211.00"),  # 4210 + 2 * 0.50
    ({"model": "volume", "tiers": TIERS}, "1000", "1000.00"),
    ({"model": "volume", "tiers": TIERS}, "1001", "810.80"),  # 1001 * 0.80 + 10: more units may cost less
    ({"model": "volume", "tiers": TIERS}, "6000", "3000.00"),
    ({"model": "package", "size": 100, "price": "7"}, "1", "7"),
    ({"model": "package", "size": 100, "price": "7"}, "100", "7"),
    ({"model": "package", "size": 100, "price": "7"}, "100.5", "14"),
    ({"model": "package", "size": 100, "price": "7"}, "250", "21"),
    ({"model": "per_unit", "unit_price": "2"}, "-5", "0"),  # corrections above what was used
]


@pytest.mark.parametrize(("charge", "quantity", "amount"), BY_HAND)
def test_prices_are_as_computed_by_hand(charge, quantity, amount):
    steps = price(CHARGE.validate_python(charge), Decimal(quantity))
    assert charge_total(steps) == Decimal(amount)
    assert all(step.amount == step.quantity * step.unit_price + step.flat for step in steps)


PARTS = [
    # aggregation, charge, included, quantity, days, of days, currency, amount
    ("sum", {"model": "per_unit", "unit_price": "1"}, "280", "200", 14, 28, "USD", "60.00"),  # 200 - 280 * 14 / 28
    ("sum", {"model": "graduated", "tiers": TWO_TIERS}, "0", "600", 14, 28, "USD", "550.00"),
    ("sum", {"model": "package", "size": 100, "price": "7"}, "0", "101", 1, 31, "USD", "14.00"),
    ("max", {"model": "per_unit", "unit_price": "3"}, "10", "110", 14, 28, "USD", "150.00"),  # 100 * 3 * 14 / 28
    ("latest", {"model": "per_unit", "unit_price": "1"}, "0", "100", 1, 3, "USD", "33.33"),
    ("unique:person", {"model": "per_unit", "unit_price": "1"}, "0", "100", 2, 3, "USD", "66.67"),
    ("sum", {"model": "per_unit", "unit_price": "0.5"}, "0", "3", 1, 1, "XOF", "2"),  # 1.5, half away from zero
    ("sum", {"model": "per_unit", "unit_price": "0.125"}, "0", "1", 1, 1, "USD", "0.13"),
    ("sum", {"model": "per_unit", "unit_price": "0.0005"}, "0", "1", 1, 1, "TND", "0.001"),
    ("sum", {"model": "per_unit", "unit_price": "0.0004"}, "0", "1", 1, 1, "TND", "0.000"),
]


@pytest.mark.parametrize(("aggregation", "charge", "included", "quantity", "days", "of", "currency", "amount"), PARTS)
def test_parts_of_a_period_are_as_computed_by_hand(aggregation, charge, included, quantity, days, of, currency, amount):
    terms = MeterTerms.model_validate(
        {"meter": "uses", "aggregation": aggregation, "charge": charge, "included": included}
    )
    result = usage_steps(terms, Decimal(quantity), Fraction(days, of), currency)
    assert str(result.amount) == amount


@pytest.mark.parametrize(
    "tiers",
    [
        [],
        [{"up_to": 10, "unit_price": 1}],
        [{"unit_price": 1}, {"unit_price": 2}],
        [{"up_to": 10}, {"up_to": 10}, {}],
        [{"up_to": 0}, {}],
    ],
)
def test_tiers_that_leave_a_quantity_without_a_price_are_rejected(tiers):
    with pytest.raises(ValidationError):
        CHARGE.validate_python({"model": "graduated", "tiers": tiers})


quantities = st.decimals(0, 10**9, places=3)
prices = st.decimals(0, 1000, places=6)


@st.composite
def graduated(draw):
    limits = sorted(draw(st.sets(st.integers(1, 10**7), max_size=5)))
    tiers = [{"up_to": limit, "unit_price": draw(prices), "flat": draw(prices)} for limit in limits]
    return CHARGE.validate_python({"model": "graduated", "tiers": [*tiers, {"unit_price": draw(prices)}]})


@given(graduated(), quantities, quantities)
def test_a_graduated_price_never_falls_and_its_steps_add_up_to_the_quantity(charge, one, other):
    less, more = sorted((one, other))
    assert charge_total(price(charge, less)) <= charge_total(price(charge, more))
    assert sum((step.quantity for step in price(charge, more)), Decimal(0)) == more


@given(graduated(), quantities)
def test_a_graduated_price_is_the_sum_of_the_price_of_each_tier(charge, quantity):
    expected, lower = Decimal(0), Decimal(0)
    for tier in charge.tiers:
        upper = quantity if tier.up_to is None else min(tier.up_to, quantity)
        if upper > lower:
            expected += (upper - lower) * tier.unit_price + tier.flat
            lower = upper
    assert charge_total(price(charge, quantity)) == expected


@given(prices, quantities)
def test_one_tier_costs_the_same_in_every_model(unit_price, quantity):
    tiers = [{"unit_price": unit_price}]
    charges = [
        {"model": "per_unit", "unit_price": unit_price},
        {"model": "graduated", "tiers": tiers},
        {"model": "volume", "tiers": tiers},
    ]
    assert len({charge_total(price(CHARGE.validate_python(charge), quantity)) for charge in charges}) == 1
