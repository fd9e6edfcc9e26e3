"""The stability index and its test: 0 and silent by chance, large where people have changed."""

import numpy as np
import pytest
from scipy import stats

from tenants.risk.drift.stability import Binning, binning, moved_by_chance, stability_index


def test_bins_take_equal_shares_and_count_missing_values_apart():
    column = np.r_[np.arange(100.0), [np.nan] * 7]
    bins = binning(column)
    counts = bins.counts(column)
    assert counts[-1] == 7
    assert counts[:-1].tolist() == [10] * 10
    assert bins.counts(np.array([-5.0, 1e9])).tolist() == [1, *[0] * 8, 1, 0]


def test_a_heavy_value_and_an_empty_column_have_bins():
    assert binning(np.r_[np.zeros(95), np.ones(5)]).counts(np.zeros(3)).sum() == 3
    assert binning(np.full(4, np.nan)).counts(np.full(4, np.nan))[-1] == 4
    assert Binning(np.empty(0), 3).counts(np.array([0.0, 2.0, 9.0, np.nan])).tolist() == [1, 0, 2, 1]


def test_the_index_is_that_of_the_textbook_less_what_chance_explains():
    before, after = np.array([4000, 6000]), np.array([7000, 3000])
    share, now = before / 10_000, after / 10_000
    plain = float(np.sum((now - share) * np.log(now / share)))
    assert stability_index(before, after) == pytest.approx(plain - 2 / 10_000, rel=1e-3)
    assert stability_index(before, before) == 0.0
    assert stability_index(before, np.zeros(2, dtype=np.int64)) == 0.0
    with pytest.raises(ValueError, match="same bins"):
        stability_index(before, np.ones(3, dtype=np.int64))


def test_two_small_samples_of_the_same_people_have_no_index():
    random = np.random.default_rng(0)
    indices = []
    for _ in range(200):
        first, second = random.normal(size=60), random.normal(size=60)
        bins = binning(first)
        indices.append(stability_index(bins.counts(first), bins.counts(second)))
    assert np.mean(indices) < 0.2
    assert np.median(indices) < 0.1


def test_the_test_is_scipys_on_known_values_and_sees_what_is_missing():
    random = np.random.default_rng(3)
    first, second = random.normal(size=400), random.normal(0.4, 1, 300)
    expected = stats.ks_2samp(first, second, method="asymp").pvalue
    assert moved_by_chance(first, second) == pytest.approx(2 * expected)
    half = np.where(random.random(300) < 0.3, np.nan, random.normal(size=300))
    assert moved_by_chance(first, half) < 1e-12
    codes = random.integers(0, 3, 500).astype(float)
    assert moved_by_chance(codes, codes[::-1], 3) == pytest.approx(1.0)
    assert moved_by_chance(codes, np.zeros(500), 3) < 1e-12
    assert moved_by_chance(np.full(5, np.nan), np.full(9, np.nan)) == 1.0


def test_the_test_finds_no_more_than_its_level():
    random = np.random.default_rng(4)
    p = [moved_by_chance(random.exponential(size=200), random.exponential(size=150)) for _ in range(300)]
    assert np.mean(np.array(p) < 0.05) < 0.09
