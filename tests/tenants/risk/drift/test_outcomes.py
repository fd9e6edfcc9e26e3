"""Ranking has decayed only if the whole interval of a month lies far below that of training, at any base rate."""

import pytest

from tenants.risk.drift.outcomes import ranking_signal, skill


def estimate(value, low=None, high=None):
    return {"value": value, "low": low, "high": high}


HELD_OUT = {"base_rate": estimate(0.1), "average_precision": estimate(0.37, 0.33, 0.41)}


def month(low, value, high, base=0.1):
    return {"base_rate": estimate(base), "average_precision": estimate(value, low, high)}


def test_skill_is_0_at_random_and_1_when_perfect():
    assert skill(0.2, 0.2) == 0
    assert skill(1, 0.2) == 1
    assert skill(1, 1) == 0


@pytest.mark.parametrize(
    ("figures", "ended"),
    [
        (month(0.3, 0.36, 0.42), True),
        (month(0.1, 0.16, 0.24), True),  # the interval still reaches half of the skill
        (month(0.1, 0.14, 0.2), False),
        (month(0.3, 0.35, 0.4, base=0.3), False),  # more people interrupt: the same precision is worth less
    ],
)
def test_a_month_is_compared_with_training(figures, ended):
    signal = ranking_signal(figures, HELD_OUT, "2026-08-01")
    assert (signal["subject"], signal["ended"]) == ("ranking", ended)
    assert signal["facts"]["names"] == ["2026-08-01"]


def test_what_cannot_be_compared_is_no_signal():
    assert ranking_signal({"base_rate": estimate(0.1)}, HELD_OUT, "2026-08-01") is None
    assert ranking_signal(month(0.1, 0.2, 0.3), {}, "2026-08-01") is None
    assert ranking_signal(month(None, 0.2, None), HELD_OUT, "2026-08-01") is None
    random = {"base_rate": estimate(0.1), "average_precision": estimate(0.1)}
    assert ranking_signal(month(0.1, 0.2, 0.3), random, "2026-08-01") is None
