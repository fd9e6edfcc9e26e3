from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from tenants.risk.calibration import EDGE, KINDS, MAX_POINTS, Calibrator, _apply, _fit, fit_calibrator
from tenants.risk.metrics import evaluate


def draw(bend, n=12_000, seed=0):
    """True probabilities, seen through a bend; outcomes; three decisions per patient."""
    random = np.random.default_rng(seed)
    truth = 1 / (1 + np.exp(-random.normal(-1.2, 1.1, n)))
    return bend(truth), (random.random(n) < truth).astype(int), np.arange(n) // 3


def extreme(p):
    return p**2 / (p**2 + (1 - p) ** 2)


def bent(p):
    return np.clip(np.where(p < 0.25, p * 0.2, 0.05 + (p - 0.25) * 1.26), 0, 1)


def test_right_probabilities_are_left_alone():
    calibrator = fit_calibrator(*draw(lambda p: p))

    assert calibrator.kind == "identity"
    assert "Not recalibrated" in calibrator.note()


def test_too_extreme_probabilities_get_the_simplest_correction():
    calibrator = fit_calibrator(*draw(extreme))
    p, y, patient = draw(extreme, seed=1)

    assert calibrator.kind == "logistic"
    assert calibrator.parameters["slope"] == pytest.approx(0.5, abs=0.03)
    after = evaluate(calibrator.apply(p), y, patient, replicates=0).metrics
    assert after["calibration_slope"].value == pytest.approx(1, abs=0.07)
    assert after["ece"].value < 0.02
    assert "12,000 later decisions of 4,000 patients" in calibrator.note()


def test_a_bend_that_no_formula_follows_gets_a_curve():
    calibrator = fit_calibrator(*draw(bent, 30_000))
    p, y, patient = draw(bent, 30_000, seed=1)

    assert calibrator.kind == "isotonic"
    assert len(calibrator.parameters["x"]) <= MAX_POINTS
    before, after = (evaluate(q, y, patient, replicates=0).metrics["log_loss"].value for q in (p, calibrator.apply(p)))
    assert after < before


def test_logistic_is_scikit_learns():
    p, y, _ = draw(extreme, 3000)
    fitted = _fit("logistic", p, y.astype(float))
    theirs = LogisticRegression(C=np.inf, tol=1e-10).fit(np.log(p / (1 - p))[:, None], y)

    assert fitted["slope"] == pytest.approx(theirs.coef_[0, 0], rel=1e-3)
    assert fitted["intercept"] == pytest.approx(theirs.intercept_[0], rel=1e-3)


def test_beta_is_the_logistic_regression_on_both_logarithms():
    p, y, _ = draw(extreme, 5000)
    fitted = _fit("beta", p, y.astype(float))
    theirs = LogisticRegression(C=np.inf, tol=1e-10).fit(np.stack([np.log(p), -np.log1p(-p)], axis=1), y)

    assert [fitted["a"], fitted["b"]] == pytest.approx(theirs.coef_[0].tolist(), rel=2e-2)


def test_the_curve_is_close_to_scikit_learns_isotonic_regression():
    p, y, _ = draw(bent, 30_000)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(p, y)
    grid = np.quantile(p, np.linspace(0.05, 0.95, 30))

    np.testing.assert_allclose(
        _apply("isotonic", _fit("isotonic", p, y.astype(float)), grid), theirs.predict(grid), atol=0.05
    )


@settings(max_examples=40)
@given(st.sampled_from(KINDS), st.integers(0, 10_000))
def test_every_calibrator_rises_stays_inside_and_survives_json(kind, seed):
    random = np.random.default_rng(seed)
    p = random.random(200)
    y = (random.random(200) < 0.3).astype(float)
    parameters = _fit(kind, np.clip(p, EDGE, 1 - EDGE), y)
    calibrator = Calibrator(kind, parameters, 200, 200, int(y.sum()), {kind: 0.5})

    again = Calibrator.from_json(json.loads(json.dumps(calibrator.to_json(), allow_nan=False)))

    ladder = np.linspace(0, 1, 101)
    applied = again.apply(ladder)
    assert ((applied > 0) & (applied < 1)).all()
    assert (np.diff(applied) >= -1e-12).all()
    np.testing.assert_array_equal(applied, calibrator.apply(ladder))


def test_scores_that_rank_the_wrong_way_round_are_not_turned_over():
    p, y, groups = draw(lambda p: 1 - p)

    applied = fit_calibrator(p, y, groups).apply(np.linspace(0.01, 0.99, 50))

    assert (np.diff(applied) >= -1e-12).all()
    assert applied.mean() == pytest.approx(y.mean(), abs=0.02)


@pytest.mark.parametrize(
    ("p", "y", "groups"),
    [
        (np.linspace(0.1, 0.9, 30), np.arange(30) % 2, np.arange(30)),
        (np.linspace(0.1, 0.9, 300), np.r_[np.ones(5), np.zeros(295)], np.arange(300)),
        (np.linspace(0.1, 0.9, 300), np.arange(300) % 2, np.zeros(300)),
    ],
    ids=["few rows", "few interruptions", "one patient"],
)
def test_too_little_to_tell_leaves_the_probabilities_alone(p, y, groups):
    assert fit_calibrator(p, y, groups).kind == "identity"


def test_the_choice_is_repeatable():
    data = draw(extreme, 2000)

    assert fit_calibrator(*data, seed=4) == fit_calibrator(*data, seed=4)


@pytest.mark.parametrize(
    ("p", "y", "groups"),
    [
        ([1.2], [1], [1]),
        ([[0.2]], [1], [1]),
        ([0.2], [3], [1]),
        ([0.2, 0.3], [1], [1]),
        ([0.2], [1], [1, 2]),
        ([], [], []),
        ([float("nan")], [1], [1]),
    ],
)
def test_what_cannot_be_calibrated_on_is_rejected(p, y, groups):
    with pytest.raises(ValueError, match="must"):
        fit_calibrator(p, y, groups)


GOOD = Calibrator("isotonic", {"x": [0.1, 0.2], "y": [0.1, 0.3]}, 1, 1, 1, {}).to_json()


@pytest.mark.parametrize(
    "damage",
    [
        {"version": 2},
        {"kind": "magic"},
        {"parameters": {"x": [0.1]}},
        {"parameters": {"x": [0.1, 0.2], "y": [0.1]}},
        {"parameters": {"x": [0.2, 0.1], "y": [0.1, 0.3]}},
        {"parameters": {"x": [0.1, 0.2], "y": [0.3, 0.1]}},
        {"parameters": {"x": [0.1, float("nan")], "y": [0.1, 0.3]}},
        {"parameters": {"x": [0.1, 0.2], "y": [0.1, 1.0]}},
        {"parameters": {"x": list(np.linspace(0, 1, 99)), "y": [0.5] * 99}},
        {"kind": "logistic", "parameters": {"intercept": 0, "slope": -1}},
        {"kind": "logistic", "parameters": {"intercept": [0], "slope": [1]}},
        {"kind": "beta", "parameters": {"a": 1, "b": -1, "c": 0}},
        {"decisions": "many"},
        {"held_out": 3},
    ],
)
def test_a_calibrator_that_was_not_written_here_is_rejected(damage):
    with pytest.raises(ValueError, match=r"."):
        Calibrator.from_json({**GOOD, **damage})
    assert Calibrator.from_json(GOOD).kind == "isotonic"
