from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from tenants.risk.metrics import (
    CAPACITIES,
    METRICS,
    compare,
    evaluate,
    leakage_alarm,
)
from tenants.risk.strata import POOLED, evaluate_groups


def cohort(n=4000, patients=800, noise=1.0, seed=0):
    """Scores, outcomes and patients; decisions of one patient share a tendency."""
    random = np.random.default_rng(seed)
    patient = random.integers(0, patients, n)
    tendency = random.normal(0, 1.0, patients)[patient]
    seen = random.normal(0, 1, n)
    y = (random.random(n) < 1 / (1 + np.exp(-(seen + tendency - 1.5)))).astype(int)
    p = 1 / (1 + np.exp(-(seen + random.normal(0, noise, n) - 1.5)))
    return p, y, patient


scores = st.lists(
    st.tuples(st.sampled_from([0.05, 0.2, 0.3, 0.31, 0.5, 0.9]), st.integers(0, 1)), min_size=2, max_size=60
)


@given(scores)
def test_ranked_figures_are_scikit_learns_ties_included(rows):
    p, y = (np.array(column) for column in zip(*rows, strict=True))
    assume(0 < y.sum() < len(y))

    metrics = evaluate(p, y, np.arange(len(y)), replicates=0).metrics

    assert metrics["roc_auc"].value == pytest.approx(roc_auc_score(y, p))
    assert metrics["average_precision"].value == pytest.approx(average_precision_score(y, p))
    assert metrics["brier"].value == pytest.approx(brier_score_loss(y, p))
    assert metrics["log_loss"].value == pytest.approx(log_loss(y, p))
    assert metrics["lift"].value == pytest.approx(average_precision_score(y, p) / y.mean())


def test_calibration_is_that_of_a_logistic_regression_on_the_log_odds():
    p, y, patient = cohort()
    x = np.log(p / (1 - p))

    metrics = evaluate(p, y, patient, replicates=0).metrics

    theirs = LogisticRegression(C=np.inf, tol=1e-10).fit(x[:, None], y)
    assert metrics["calibration_slope"].value == pytest.approx(theirs.coef_[0, 0], rel=1e-3)
    moved = 1 / (1 + np.exp(-(x + metrics["calibration_intercept"].value)))
    assert moved.mean() == pytest.approx(y.mean(), abs=1e-9)


def test_a_calibrated_score_is_found_calibrated_and_a_doubled_one_too_extreme():
    random = np.random.default_rng(3)
    x = random.normal(-1, 1, 20_000)
    p = 1 / (1 + np.exp(-x))
    y = random.random(20_000) < p

    right = evaluate(p, y, np.arange(20_000), replicates=50).metrics
    doubled = evaluate(1 / (1 + np.exp(-2 * x)), y, np.arange(20_000), replicates=50).metrics
    high = evaluate(1 / (1 + np.exp(-(x + 1))), y, np.arange(20_000), replicates=50).metrics

    # Three standard errors, taken from the interval: a test of the figure, not of luck.
    for name, target in (("calibration_slope", 1), ("calibration_intercept", 0)):
        assert abs(right[name].value - target) < 3 * (right[name].high - right[name].low) / 3.92
    assert right["ece"].value < 0.02
    assert doubled["calibration_slope"].value == pytest.approx(0.5, abs=0.05)
    assert high["calibration_intercept"].value == pytest.approx(-1, abs=0.1)


@given(st.permutations(range(50)))
def test_capacity_counts_the_top_of_the_list(order):
    p = np.linspace(0.01, 0.99, 50)
    y = np.zeros(50)
    y[np.array(order[:12])] = 1

    metrics = evaluate(p, y, np.arange(50), replicates=0).metrics

    for capacity in CAPACITIES:
        listed = y[np.argsort(-p)][: round(50 * capacity)]
        assert metrics[f"sensitivity_top_{round(capacity * 100)}"].value == pytest.approx(listed.sum() / 12)
        assert metrics[f"ppv_top_{round(capacity * 100)}"].value == pytest.approx(listed.mean())


def test_a_tie_at_the_cut_off_counts_as_broken_at_random():
    y = np.array([1, 0, 1, 0, 1, 0, 0, 0, 0, 0])

    metrics = evaluate(np.full(10, 0.3), y, np.arange(10), replicates=0).metrics

    assert metrics["ppv_top_30"].value == pytest.approx(0.3)
    assert metrics["roc_auc"].value == 0.5


def test_weights_count_patients_as_repeated_rows_would():
    from tenants.risk.metrics import _checked, _Statistics

    p, y, patient = cohort(300, 60)
    outcome, cluster = _checked(y, patient)
    weights = np.random.default_rng(0).integers(0, 3, int(cluster.max()) + 1).astype(float)
    repeated = np.repeat(np.arange(300), weights[cluster].astype(int))

    ours = _Statistics(p, outcome, cluster, probability=True).compute(weights)
    theirs = evaluate(p[repeated], y[repeated], patient[repeated], replicates=0).metrics

    exact = set(METRICS) - {"ece", "calibration_slope", "calibration_intercept"}
    for name in exact:
        assert ours[name] == pytest.approx(theirs[name].value), name
    # One Newton step, right to first order.
    assert ours["calibration_slope"] == pytest.approx(theirs["calibration_slope"].value, abs=0.15)
    assert ours["calibration_intercept"] == pytest.approx(theirs["calibration_intercept"].value, abs=0.15)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    covered = 0
    for seed in range(60):
        p, y, patient = cohort(1200, 200, seed=seed)
        estimate = evaluate(p, y, patient, replicates=100, seed=seed).metrics["roc_auc"]
        covered += estimate.low <= TRUE_AUC <= estimate.high

    assert 50 <= covered <= 60


TRUE_AUC = evaluate(*cohort(400_000, 80_000, seed=99), replicates=0).metrics["roc_auc"].value


def test_drawing_patients_gives_wider_intervals_than_drawing_rows():
    random = np.random.default_rng(1)
    patient = np.repeat(np.arange(100), 30)
    tendency = random.normal(0, 2, 100)[patient]
    y = (random.random(3000) < 1 / (1 + np.exp(-tendency))).astype(int)
    p = 1 / (1 + np.exp(-(0.5 * tendency + random.normal(0, 1, 3000))))

    by_patient = evaluate(p, y, patient).metrics["roc_auc"]
    by_row = evaluate(p, y, np.arange(3000)).metrics["roc_auc"]

    assert by_patient.high - by_patient.low > 1.5 * (by_row.high - by_row.low)


def test_the_seed_decides_the_interval():
    data = cohort(500, 100)

    assert evaluate(*data, seed=1) == evaluate(*data, seed=1)
    assert evaluate(*data, seed=1) != evaluate(*data, seed=2)


def test_only_what_beats_the_simpler_one_with_its_whole_interval_does():
    p, y, patient = cohort(noise=0.2)
    worse = cohort(noise=3.0)[0]

    assert compare(p, worse, y, patient).beats("roc_auc", "average_precision", "log_loss", "brier")
    assert not compare(worse, p, y, patient).beats("roc_auc")
    assert not compare(p, p, y, patient).beats("roc_auc")
    assert not compare(p, p * 0.999, y, patient).beats("log_loss", "roc_auc")


def test_a_comparison_in_pairs_is_sharper_than_two_intervals():
    p, y, patient = cohort()
    other = np.clip(p + np.random.default_rng(0).normal(0, 0.02, len(p)), 0, 1)

    paired = compare(p, other, y, patient).differences["roc_auc"]
    alone = evaluate(p, y, patient).metrics["roc_auc"]

    assert paired.high - paired.low < (alone.high - alone.low) / 2


@pytest.mark.parametrize("metrics", [(), ("calibration_slope",), ("base_rate",), ("nonsense",)])
def test_what_has_no_better_side_cannot_be_won(metrics):
    p, y, patient = cohort(200, 50)

    with pytest.raises(ValueError, match=r"metric|better side"):
        compare(p, p, y, patient, replicates=2).beats(*metrics)


def test_a_rule_that_only_ranks_is_judged_by_its_ranking():
    _, y, patient = cohort(500, 100)
    days_late = np.random.default_rng(0).integers(-5, 60, 500)

    metrics = evaluate(days_late, y, patient, probability=False, replicates=5).metrics

    assert "roc_auc" in metrics
    assert not {"brier", "log_loss", "calibration_slope", "ece"} & set(metrics)


def test_one_outcome_only_leaves_ranking_undefined_and_says_so():
    evaluation = evaluate(np.array([0.2, 0.3]), np.zeros(2), np.arange(2))

    assert evaluation.metrics["roc_auc"].value is None
    assert evaluation.metrics["calibration_slope"].value is None
    assert evaluation.metrics["brier"].value == pytest.approx(0.065)
    assert leakage_alarm(evaluation) is None


def test_one_patient_gives_figures_without_intervals():
    estimate = evaluate(np.array([0.2, 0.3]), np.array([0, 1]), np.zeros(2)).metrics["roc_auc"]

    assert (estimate.value, estimate.low, estimate.high) == (1.0, None, None)


def test_the_alarm_sounds_above_its_threshold_only():
    y = np.arange(1000) % 2
    random = np.random.default_rng(0)

    assert leakage_alarm(evaluate(random.random(1000), y, np.arange(1000), replicates=0)) is None
    alarm = leakage_alarm(evaluate(0.1 + 0.8 * y, y, np.arange(1000), replicates=0))
    assert alarm is not None
    assert "1.000" in alarm


@pytest.mark.parametrize(
    ("score", "outcome", "patient"),
    [
        ([], [], []),
        ([0.5], [2], [1]),
        ([0.5, 0.6], [1], [1]),
        ([0.5], [1], [1, 2]),
        ([1.5], [1], [1]),
        ([float("nan")], [1], [1]),
    ],
)
def test_what_cannot_be_evaluated_is_rejected(score, outcome, patient):
    with pytest.raises(ValueError, match=r"must|lie"):
        evaluate(score, outcome, patient)


def test_everything_reported_is_json_and_defined():
    import json

    p, y, patient = cohort(300, 60)
    evaluation = evaluate(p, y, patient, replicates=10)

    assert set(evaluation.metrics) == set(METRICS)
    assert json.loads(json.dumps(evaluation.to_json(), allow_nan=False))["decisions"] == 300
    json.dumps(compare(p, p, y, patient, replicates=2).to_json(), allow_nan=False)


def test_small_groups_are_pooled_and_every_row_is_counted_once():
    p, y, patient = cohort(4000, 1000)
    facility = np.where(np.arange(4000) < 2000, "A", np.where(np.arange(4000) < 3900, "B", "C"))
    facility[3950:] = "D"

    groups = evaluate_groups(p, y, patient, {"facility": facility}, min_patients=100, replicates=5)["facility"]

    assert [group.label for group in groups] == ["A", "B", POOLED]
    assert groups[-1].groups == 2
    assert groups[-1].small is (groups[-1].evaluation.patients < 100)
    assert sum(group.evaluation.decisions for group in groups) == 4000


def test_a_pool_that_is_still_small_says_so():
    p, y, patient = cohort(300, 60)
    sex = np.array(["F"] * 290 + ["M"] * 10)

    groups = evaluate_groups(p, y, patient, {"sex": sex}, min_patients=20, replicates=2)["sex"]

    assert [(group.label, group.small) for group in groups] == [("F", False), (POOLED, True)]


def test_a_division_without_a_label_per_row_is_rejected():
    p, y, patient = cohort(100, 20)

    with pytest.raises(ValueError, match="one label per row"):
        evaluate_groups(p, y, patient, {"sex": ["F"]})


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_figures_stay_in_their_ranges(seed):
    p, y, patient = cohort(120, 30, seed=seed)
    assume(0 < y.sum() < len(y))

    for name, estimate in evaluate(p, y, patient, replicates=20, seed=seed).metrics.items():
        assert estimate.value is not None
        if name not in {"lift", "log_loss", "calibration_slope", "calibration_intercept"}:
            assert 0 <= estimate.value <= 1
        assert estimate.low is None or estimate.low <= estimate.high
