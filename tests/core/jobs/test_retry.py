"""The delays between tries grow by the kind's policy up to its longest, and differ by no more than its jitter."""

import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.jobs import Retry

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("end", [0, 1], ids=["shortest", "longest"])
@given(
    first=st.integers(0, 100),
    factor=st.floats(1, 10),
    longest=st.integers(100, 10_000),
    jitter=st.floats(0, 0.99),
    failed=st.integers(1, 500),
)
def test_a_delay_is_the_grown_one_give_or_take_the_jitter(end, first, factor, longest, jitter, failed):
    retry = Retry(3, first * SECOND, factor, longest * SECOND, jitter)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(random, "uniform", lambda *bounds: bounds[end])
        delay = retry.delay(failed).total_seconds()
    grown = min(first * factor ** min(failed - 1, 64), longest)
    assert delay == pytest.approx(grown * (1 + (2 * end - 1) * jitter), abs=1e-5)


def test_by_default_the_delays_double_up_to_ten_minutes():
    retry = Retry(jitter=0)
    assert [retry.delay(failed) / SECOND for failed in (1, 2, 3, 7, 300)] == [10, 20, 40, 600, 600]


@pytest.mark.parametrize(
    "numbers",
    [
        {"attempts": 0},
        {"factor": 0.5},
        {"jitter": 1},
        {"jitter": -0.1},
        {"first": timedelta(-1)},
        {"longest": SECOND},
    ],
)
def test_a_policy_that_makes_no_sense_is_rejected(numbers):
    with pytest.raises(ValueError, match="retry"):
        Retry(**numbers)
