"""A day is compared with earlier ones: undisturbed people raise nothing, and each planted shift is found and named."""

from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest

from tenants.risk.drift.comparison import compare_days
from tenants.risk.drift.samples import DaySample, joined, one_day_each
from tenants.risk.input_list import FEATURES, NAMES

FACILITIES = tuple(UUID(int=i + 1) for i in range(5))
LATE, REGIMEN, ON_ART = (NAMES.index(name) for name in ("days_late_last", "regimen", "days_on_art"))


def sample(day, *, people=900, seed=0):
    """People whose columns have nothing to do with each other; time on treatment goes on from day to day."""
    random = np.random.default_rng(seed)
    place = random.integers(0, len(FACILITIES), people)
    X = random.normal(20, 5, (people, len(FEATURES)))
    for column, spec in enumerate(FEATURES):
        if spec.categories:
            X[:, column] = random.integers(1, len(spec.categories), people)
    X[:, ON_ART] = random.uniform(0, 2000, people) + day
    hashes = random.integers(0, 2**63, people).astype(np.uint64)
    days = np.full(people, day)
    return DaySample(X, hashes, place, days, FACILITIES, random.beta(2, 8, people))


EARLIER = [sample(1000 - 28 * lag, seed=lag) for lag in range(1, 5)]


def changed(column, values, rows=slice(None)):
    now = sample(1000, seed=50)
    X = now.X.copy()
    X[rows, column] = values(X[rows, column])
    return replace(now, X=X)


@pytest.mark.parametrize("seed", range(60, 66))
def test_undisturbed_people_raise_nothing(seed):
    comparison = compare_days(sample(1000, seed=seed), EARLIER)
    assert comparison.enough
    assert (comparison.features, comparison.records, comparison.scores) == ([], [], None)
    assert comparison.facilities == ()
    assert comparison.earlier_days == (972, 944, 916, 888)


def test_a_feature_that_moves_is_found_and_no_other():
    (column,) = compare_days(changed(LATE, lambda x: x + 6), EARLIER).features
    assert (column.name, column.theme) == ("days_late_last", "lateness")
    assert column.index > 0.2 > column.usual_index


def test_values_that_are_no_longer_recorded_are_a_change_of_the_records():
    comparison = compare_days(changed(REGIMEN, np.zeros_like), EARLIER)
    assert comparison.features == []
    (column,) = comparison.records
    assert (column.name, column.missing_before, column.missing_now) == ("regimen", 0.0, 1.0)
    comparison = compare_days(changed(LATE, lambda x: np.where(np.arange(x.size) % 3, x, np.nan)), EARLIER)
    assert [column.name for column in comparison.records] == ["days_late_last"]


def test_scores_that_move_are_found():
    now = sample(1000, seed=51)
    comparison = compare_days(replace(now, risk=now.risk / 2), EARLIER)
    assert comparison.scores is not None
    assert comparison.features == []


def test_a_column_that_always_moves_must_move_faster():
    early = [sample(1000 - 280 * lag, seed=lag) for lag in range(1, 5)]
    assert compare_days(sample(1000, seed=52), early).features == []
    assert [c.name for c in compare_days(sample(3000, seed=52), early).features] == ["days_on_art"]


def test_what_moves_at_one_facility_is_found_there():
    now = sample(1000, seed=53)
    there = now.facility == 3
    X = now.X.copy()
    X[there, LATE] += 8
    X[there, REGIMEN] = 0
    changes = compare_days(replace(now, X=X), EARLIER).facilities
    assert {(f.facility, f.name, f.missing) for f in changes} >= {(3, "days_late_last", False), (3, "regimen", True)}
    assert {f.facility for f in changes} == {3}
    late = next(f for f in changes if f.name == "days_late_last")
    assert 0.5 < late.pooled <= late.difference


def test_too_few_people_or_days_are_not_compared():
    assert not compare_days(sample(1000, people=49), EARLIER).enough
    assert not compare_days(sample(1000), EARLIER[:1]).enough
    assert not compare_days(sample(1000), [sample(972, people=10), EARLIER[1]]).enough


def test_the_reference_has_each_person_once():
    first = sample(900)
    both = joined([first, replace(first, day=first.day + 28)])
    single = one_day_each(both)
    assert len(single) == len(first)
    assert np.unique(single.patient).size == len(first)
    assert 0.4 < (single.day == 900).mean() < 0.6
