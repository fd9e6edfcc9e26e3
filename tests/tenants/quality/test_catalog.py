"""The score: a weighted mean of shares, in whole percent, of what could be measured."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tenants.quality.catalog import BY_NAME, DIMENSIONS, MEASURES, percent, score

SHARES = st.dictionaries(
    st.sampled_from(sorted(BY_NAME)),
    st.integers(0, 1000).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole))),
)


def test_every_measure_has_a_name_of_its_own_and_a_dimension() -> None:
    assert len(BY_NAME) == len(MEASURES)
    assert {measure.dimension for measure in MEASURES} == {dimension.name for dimension in DIMENSIONS}


def test_nothing_to_measure_is_no_score() -> None:
    assert score({}) == (None, {})
    assert score({"birthdate_filled": (0, 0)}) == (None, {})


def test_the_score_is_the_weighted_mean_of_weighted_means() -> None:
    shares = {"birthdate_filled": (1, 2), "phone_filled": (2, 2), "rows_accepted": (9, 10)}
    # completeness: (2 * 0.5 + 1 * 1) / 3, weight 3; plausibility: 0.9, weight 3
    assert score(shares) == (78, {"completeness": 67, "plausibility": 90})


@given(SHARES)
def test_scores_are_percents_and_a_hundred_means_that_nothing_is_amiss(shares: dict[str, tuple[int, int]]) -> None:
    total, dimensions = score(shares)
    measured = {name: pair for name, pair in shares.items() if pair[1]}
    assert (total is None) == (not measured)
    assert set(dimensions) == {BY_NAME[name].dimension for name in measured}
    if total is not None:
        assert 0 <= total <= 100
        assert (total == 100) == all(above == below for above, below in measured.values())


@given(SHARES, st.sampled_from(sorted(BY_NAME)))
def test_more_that_is_as_it_should_be_never_lowers_a_score(shares: dict[str, tuple[int, int]], name: str) -> None:
    if name in shares:
        above, below = shares[name]
        before = score(shares)[0]
        after = score({**shares, name: (min(above + 1, below), below)})[0]
        assert (before or 0) <= (after or 0)


def test_a_share_just_below_all_is_not_shown_as_all() -> None:
    assert percent(0.9999) == 99
    assert percent(1.0) == 100
