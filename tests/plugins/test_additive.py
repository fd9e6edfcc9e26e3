from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from plugins.additive import AdditivePlugin
from plugins.additive.bins import Bins, cut
from plugins.additive.solver import Layout, fit_path, margins
from plugins.sdk import BadArtifactError, BadDataError, FeatureSpec, TrainingData, seal, sigmoid
from plugins.sdk.testing import small_data

NUMBER = FeatureSpec("x", "continuous")


@given(
    st.lists(st.one_of(st.floats(-1e6, 1e6), st.integers(0, 3).map(float)), max_size=200),
    st.integers(2, 12),
    st.integers(1, 20),
)
@example([0.0, 5e-324], 2, 1)
def test_every_bin_has_enough_rows_and_no_edge_is_a_value_of_two_bins(values, max_bins, min_rows):
    column = np.array(values, dtype=np.float64)
    bins = cut(column, NUMBER, max_bins, min_rows)
    codes = bins.codes(column)

    counts = np.bincount(codes, minlength=bins.size)[: bins.known]
    if len(column) >= min_rows:
        assert (counts >= min_rows).all()
    assert (np.diff(bins.edges) > 0).all()
    order = np.argsort(column)
    assert (np.diff(codes[order].astype(int)) >= 0).all()


def test_a_heavy_value_gets_its_own_bin_and_missing_values_theirs():
    column = np.r_[np.zeros(500), np.arange(1, 501), np.full(20, np.nan)].astype(np.float64)
    bins = cut(column, NUMBER, 10, 20)

    assert bins.codes(np.array([0.0]))[0] == 0
    assert bins.codes(np.array([1.0]))[0] == 1
    assert bins.codes(np.array([np.nan]))[0] == bins.known


def test_unknown_categories_count_as_missing():
    bins = Bins(edges=np.empty(0), categories=3)

    assert bins.codes(np.array([0, 2, 3, -1, 0.5, np.nan])).tolist() == [0, 2, 3, 3, 3, 3]


def test_the_solver_agrees_with_scikit_learn_on_a_ridge():
    random = np.random.default_rng(5)
    bins = (Bins(np.empty(0), categories=4), Bins(np.empty(0), categories=3))
    codes = [random.integers(0, 4, 3000).astype(np.int16), random.integers(0, 3, 3000).astype(np.int16)]
    y = (random.random(3000) < sigmoid(codes[0] * 0.5 - codes[1] * 0.7)).astype(np.float64)

    (beta,) = fit_path(Layout(bins), codes, y, [4.0])

    # Categories are penalised by a plain ridge, so one-hot columns with C = 1 / strength are the same problem.
    onehot = np.concatenate([np.eye(5)[codes[0]], np.eye(4)[codes[1]]], axis=1)
    theirs = LogisticRegression(C=1 / 4.0, tol=1e-10, max_iter=10_000).fit(onehot, y)
    np.testing.assert_allclose(margins(Layout(bins), codes, beta), theirs.decision_function(onehot), atol=2e-3)


def test_a_strong_penalty_flattens_and_a_weak_one_follows():
    data = small_data(validation=False)
    strong, weak = (
        AdditivePlugin().load(AdditivePlugin().fit(data, {"strengths": [strength]}, 0)) for strength in (1e7, 1.0)
    )

    assert np.ptp(strong.predict(data.X)) < 0.02
    assert np.ptp(weak.predict(data.X)) > 0.5


def test_contributions_are_zero_on_average_in_training():
    data = small_data()
    model = AdditivePlugin().load(AdditivePlugin().fit(data, {}, 0))

    np.testing.assert_allclose(model.explain(data.X).contributions.mean(axis=0), 0, atol=1e-12)


def test_lateness_that_matters_raises_the_risk():
    data = small_data()
    model = AdditivePlugin().load(AdditivePlugin().fit(data, {}, 0))
    early, late = data.X[:1].copy(), data.X[:1].copy()
    early[0, 0], late[0, 0] = 0, 40

    assert model.explain(late).contributions[0, 0] > model.explain(early).contributions[0, 0]
    assert model.predict(late)[0] > model.predict(early)[0]


def test_too_few_patients_to_leave_some_out_still_give_a_model():
    data = TrainingData(np.arange(4.0).reshape(4, 1), np.array([0, 0, 0, 1]), np.array([1, 1, 1, 2]), (NUMBER,))

    model = AdditivePlugin().load(AdditivePlugin().fit(data, {}, 0))

    assert model.predict(data.X).shape == (4,)


@pytest.mark.parametrize(
    "params",
    [
        {"max_bins": 1},
        {"max_bins": "many"},
        {"min_rows": 0},
        {"strengths": []},
        {"strengths": [-1]},
        {"strengths": 3},
        {"inner_share": 1.5},
    ],
)
def test_parameters_out_of_range_are_rejected(params):
    with pytest.raises(BadDataError):
        AdditivePlugin().fit(small_data(60), params, 0)


GOOD = json.loads(AdditivePlugin().fit(small_data(300), {}, 0).files["model.json"])


def _resealed(content):
    return seal("iit-additive/1", {"model.json": json.dumps(content).encode()})


@pytest.mark.parametrize(
    "damage",
    [
        lambda c: c.pop("base"),
        lambda c: c.update(base=float("inf")),
        lambda c: c.update(facts=[]),
        lambda c: c.update(curves=[]),
        lambda c: c["curves"].append(c["curves"][0]),
        lambda c: c["curves"][0]["values"].append(0.1),
        lambda c: c["curves"][0]["values"].__setitem__(0, float("nan")),
        lambda c: c["curves"][0]["values"].__setitem__(0, 1e9),
        lambda c: c["curves"][0]["edges"].reverse(),
        lambda c: c["curves"][0].update(edges={"a": 1}),
        lambda c: c["curves"][0]["feature"].pop("kind"),
        lambda c: c["curves"][3]["feature"].update(categories=["a"]),
    ],
)
def test_a_sealed_artifact_that_is_no_model_is_rejected(damage):
    content = json.loads(json.dumps(GOOD))
    damage(content)

    with pytest.raises(BadArtifactError):
        AdditivePlugin().load(_resealed(content))


@settings(max_examples=30)
@given(
    st.recursive(st.none() | st.floats() | st.text(max_size=5), lambda x: st.lists(x) | st.dictionaries(st.text(), x))
)
def test_any_json_is_a_model_or_rejected(content):
    with pytest.raises(BadArtifactError):
        AdditivePlugin().load(_resealed(content))
