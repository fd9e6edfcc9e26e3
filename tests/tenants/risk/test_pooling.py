"""Small groups are drawn towards all groups, as far as chance explains the distance, and many tests find no more."""

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from tenants.risk.pooling import holm, pool


def test_groups_that_differ_by_chance_alone_are_pooled_wholly():
    random = np.random.default_rng(1)
    variance = random.uniform(0.01, 0.2, 40)
    result = pool(random.normal(0.3, np.sqrt(variance)), variance)
    assert result.between < 0.02
    assert np.ptp(result.value) < 0.2
    assert result.mean == pytest.approx(0.3, abs=0.1)


def test_pooled_figures_are_nearer_to_the_truth_than_own_ones():
    random = np.random.default_rng(2)
    truth, variance = random.normal(0, 0.3, 200), random.uniform(0.02, 0.6, 200)
    own = random.normal(truth, np.sqrt(variance))
    result = pool(own, variance)
    assert np.mean((result.value - truth) ** 2) < 0.6 * np.mean((own - truth) ** 2)
    assert np.mean((result.low <= truth) & (truth <= result.high)) > 0.9


def test_a_group_that_stands_out_does_not_widen_its_own_yardstick():
    result = pool([0.0, 0.1, -0.1, 0.05, 3.0], [0.04] * 5)
    assert result.distance[4] > 8
    assert np.abs(result.distance[:4]).max() < 1.5


def test_two_groups_are_not_pooled():
    assert pool([1.0, -1.0], [0.1, 0.2]).value.tolist() == [1.0, -1.0]
    assert pool([], []).value.size == 0
    with pytest.raises(ValueError, match="variance"):
        pool([1.0], [0.0])


def test_holm_is_above_the_false_discovery_rate_and_leaves_out_what_was_not_tested():
    p = np.array([0.001, 0.02, np.nan, 0.03, 0.8])
    adjusted = holm(p)
    assert adjusted[[0, 1, 3, 4]] == pytest.approx([0.004, 0.06, 0.06, 0.8])
    assert np.isnan(adjusted[2])
    known = p[~np.isnan(p)]
    assert (holm(known) >= false_discovery_control(known) - 1e-12).all()
