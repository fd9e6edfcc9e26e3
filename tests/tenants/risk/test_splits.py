"""Folds: one after the other in time, and nothing of a later one known to an earlier one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenants.risk.dataset import Dataset
from tenants.risk.splits import FEWEST_FACILITIES, split, unseen_facilities, unseen_patients


def dataset(day, horizon, y=None, facilities=8):
    day = np.asarray(day, dtype=np.int64)
    n = day.size
    labels = np.arange(n) % 2 if y is None else np.asarray(y)
    return Dataset(
        X=np.zeros((n, 1), dtype=np.float32),
        y=labels.astype(np.int8),
        outcome=np.where(labels < 0, 2, labels).astype(np.int8),
        patient=np.arange(n) // 3,
        day=day,
        deadline=day + np.asarray(horizon, dtype=np.int64),
        facility=np.arange(n) % facilities,
        sex=np.zeros(n, dtype=np.int8),
        age_band=np.zeros(n, dtype=np.int8),
        assumed=np.zeros(n, dtype=bool),
    )


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 900), st.integers(0, 200), st.sampled_from([-1, 0, 1])), min_size=1, max_size=200)
)
def test_no_fold_holds_an_outcome_that_was_unknown_when_the_next_began(rows):
    day, horizon, y = zip(*rows, strict=True)
    data = dataset(day, horizon, y)
    folds = split(data)
    if folds.calibrate.any():
        assert (data.deadline[folds.train] < data.day[folds.calibrate].min()).all()
    if folds.test.any():
        earlier = folds.train | folds.calibrate
        assert (data.deadline[earlier] < data.day[folds.test].min()).all()
    together = folds.train.astype(int) + folds.calibrate + folds.test
    assert together.max(initial=0) <= 1
    assert not together[data.y < 0].any()
    assert folds.purged == (data.y >= 0).sum() - together.sum()


def test_what_lies_across_a_border_is_left_out():
    rng = np.random.default_rng(1)
    data = dataset(rng.integers(0, 1000, 3000), rng.integers(30, 90, 3000))
    folds = split(data)
    across = (data.day < folds.test_from) & (data.deadline >= folds.test_from)
    assert across.any()
    assert not (folds.calibrate | folds.train | folds.test)[across].any()
    assert folds.purged > 0
    assert min(folds.train.sum(), folds.calibrate.sum(), folds.test.sum()) > 100


def test_later_folds_are_long_enough_for_slow_outcomes():
    rng = np.random.default_rng(1)
    data = dataset(rng.integers(0, 2000, 3000), np.full(3000, 150))
    folds = split(data, test_share=0.02, calibrate_share=0.02)
    assert folds.test_from <= data.deadline.max() - 300
    assert folds.calibrate_from <= folds.test_from - 300
    assert folds.calibrate.any()


def test_the_description_says_when_each_fold_was_and_how_large():
    rng = np.random.default_rng(1)
    data = dataset(rng.integers(18_000, 19_000, 1000), rng.integers(10, 40, 1000))
    described = split(data).to_json(data)
    assert described["train"]["last_outcome_known"] < described["calibrate"]["first_decision"]
    assert described["calibrate"]["last_outcome_known"] < described["test"]["first_decision"]
    total = sum(described[name]["decisions"] for name in ("train", "calibrate", "test"))
    assert total + described["purged"] == 1000


def test_unseen_patients_are_kept_whole():
    data = dataset(np.arange(3000) % 900, np.full(3000, 30))
    chosen = unseen_patients(data)
    assert not set(data.patient[chosen]) & set(data.patient[~chosen])
    assert chosen.mean() == pytest.approx(0.2, abs=0.05)


def test_unseen_facilities_are_whole_or_there_are_too_few():
    data = dataset(np.arange(300), np.full(300, 30), facilities=8)
    chosen = unseen_facilities(data)
    assert not set(data.facility[chosen]) & set(data.facility[~chosen])
    assert 0 < chosen.sum() < len(data)
    assert unseen_facilities(dataset(np.arange(300), np.full(300, 30), facilities=FEWEST_FACILITIES - 1)) is None


def test_nothing_labelled_gives_empty_folds():
    folds = split(dataset([1, 2], [3, 3], [-1, -1]))
    assert not (folds.train | folds.calibrate | folds.test).any()
