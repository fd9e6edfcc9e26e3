"""A day is unusual when it is far from the partner's own days before; a noisy partner needs a larger difference."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.costs.anomalies import LEAST_DAYS, unusual

DOLLARS = st.decimals(0, 10_000, places=2)


def days(*amounts):
    return [Decimal(amount) for amount in amounts]


@pytest.mark.parametrize(
    ("amount", "before", "is_unusual"),
    [
        ("30", days(*[10] * 14), True),
        ("14", days(*[10] * 14), False),  # not half as much again
        ("0.80", days(*["0.10"] * 14), False),  # cents are nobody's concern
        ("30", days(*[5, 10, 15, 20] * 4), False),  # its days differ that much
        ("0", days(*[10] * 14), True),  # perhaps it is no longer metered
        ("30", days(*[10] * 13, 500), True),  # one earlier unusual day hides nothing
        ("30", days(*[10] * (LEAST_DAYS - 1)), False),
        ("30", [], False),
    ],
)
def test_a_day_is_compared_with_the_days_before(amount, before, is_unusual):
    result = unusual(Decimal(amount), before)
    assert (result is not None) is is_unusual


@given(st.lists(DOLLARS, max_size=28))
def test_a_day_like_the_median_is_never_unusual(before):
    middle = sorted(before)[len(before) // 2] if before else Decimal(0)
    if len(before) % 2:
        assert unusual(middle, before) is None


@given(DOLLARS, st.lists(DOLLARS, max_size=28), st.randoms(use_true_random=False))
def test_the_order_of_the_days_before_makes_no_difference(amount, before, random):
    shuffled = [*before]
    random.shuffle(shuffled)
    assert unusual(amount, before) == unusual(amount, shuffled)
