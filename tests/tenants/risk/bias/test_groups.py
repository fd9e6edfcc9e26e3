"""Planted bias is found and named, fair predictions are left alone, and shares agree with fairlearn's."""

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame, demographic_parity_difference, selection_rate, true_positive_rate
from fairlearn.metrics import equal_opportunity_difference as opportunity_difference

from tenants.risk.bias.groups import FEWEST_PATIENTS, compare_groups, gate, top_share


def decisions(n=4000, seed=0):
    """Fair predictions of people of two sexes and eight facilities of different sizes, two decisions each."""
    random = np.random.default_rng(seed)
    risk = random.beta(2, 8, n)
    outcome = random.random(n) < risk
    facility = random.choice(8, n, p=np.array([30, 20, 15, 12, 10, 8, 4, 1]) / 100)
    sex = np.where(random.random(n) < 0.65, "female", "male")
    return risk, outcome, np.arange(n) // 2, {"sex": sex, "facility": facility}


def compared(risk, outcome, patient, labels, **more):
    return compare_groups(
        risk, outcome, patient, top_share(risk, labels["facility"], 0.3), labels, replicates=0, **more
    )


def test_shares_are_fairlearns():
    risk, outcome, patient, labels = decisions()
    listed = top_share(risk, labels["facility"], 0.3)
    sexes = compare_groups(risk, outcome, patient, listed, labels, replicates=0)[0]
    frame = MetricFrame(
        metrics={"listed": selection_rate, "sensitivity": true_positive_rate},
        y_true=outcome,
        y_pred=listed,
        sensitive_features=labels["sex"],
    )
    for group in sexes.groups:
        assert group.listed.value == pytest.approx(frame.by_group.loc[group.label, "listed"])
        assert group.sensitivity.value == pytest.approx(frame.by_group.loc[group.label, "sensitivity"])
        assert group.listed.low < group.listed.value < group.listed.high
    theirs = {"y_true": outcome, "y_pred": listed, "sensitive_features": labels["sex"]}
    assert sexes.listed_gap == pytest.approx(demographic_parity_difference(**theirs))
    assert sexes.sensitivity_gap == pytest.approx(opportunity_difference(**theirs))


def test_fair_predictions_seldom_fail_the_gate_and_planted_bias_always_does():
    failed = named = 0
    for seed in range(12):
        risk, outcome, patient, labels = decisions(seed=seed)
        failed += not gate(compared(risk, outcome, patient, labels))["passed"]
        biased = np.where(labels["sex"] == "male", risk / 2, risk)
        verdict = gate(compared(biased, outcome, patient, labels))
        named += not verdict["passed"] and "sex male: more interruptions" in verdict["why"]
    assert failed <= 1
    assert named == 12


def test_bias_against_one_facility_is_found_there():
    risk, outcome, patient, labels = decisions(n=12_000)
    biased = np.where(labels["facility"] == 4, np.minimum(risk * 2.5, 0.95), risk)
    _sexes, facilities = compared(biased, outcome, patient, labels)
    verdicts = {group.label: group.verdict for group in facilities.groups}
    assert verdicts["4"] == "lower"
    assert set(verdicts.values()) <= {"lower", "fits", "unknown"}
    assert [label for label, verdict in verdicts.items() if verdict == "lower"] == ["4"]
    assert not facilities.passed


def test_few_people_prove_nothing_and_fewer_are_hidden():
    risk, outcome, patient, labels = decisions()
    rare = np.where(np.arange(len(risk)) < 2 * FEWEST_PATIENTS - 2, "rare", labels["sex"])
    few = np.where(np.arange(len(risk)) < 44, "few", labels["sex"])
    hidden, shown = compared(risk, outcome, patient, {"rare": rare, "few": few, **labels})[:2]
    assert hidden.hidden == FEWEST_PATIENTS - 1
    assert "rare" not in {group.label for group in hidden.groups}
    small = next(group for group in shown.groups if group.label == "few")
    assert (small.verdict, small.passed, small.roc_auc.value) == ("unknown", True, None)


def test_pooling_draws_small_facilities_towards_the_others():
    risk, outcome, patient, labels = decisions()
    facilities = compared(risk, outcome, patient, labels)[1]
    smallest = facilities.groups[-1]
    assert abs(smallest.pooled.value) <= abs(smallest.intercept.value) + 0.05
    assert smallest.pooled.high - smallest.pooled.low < smallest.intercept.high - smallest.intercept.low


def test_a_list_takes_the_same_share_of_each_facility():
    risk, _outcome, _patient, labels = decisions()
    listed = top_share(risk, labels["facility"], 0.3)
    for facility in range(8):
        own = labels["facility"] == facility
        assert listed[own].mean() == pytest.approx(0.3, abs=1 / own.sum())
        assert risk[own & listed].min() >= risk[own & ~listed].max()
