"""Training chooses honestly: the naive rule when too young, the simplest that earns it, nothing that leaks."""

from __future__ import annotations

import numpy as np
import pytest

from core.plugins import models
from plugins.sdk import sigmoid
from tenants.cohort.settings import CohortSettings
from tenants.risk import cards, dataset, evaluation, naive, reliability, report, training
from tenants.risk import metrics as metrics_module
from tenants.risk.input_list import FEATURES, NAMES
from tenants.risk.naive import NaiveModel
from tests.tenants.risk.clinics import BEGIN, END, clinics, timelines_of
from tests.tenants.risk.conftest import fit_once

RULES = CohortSettings()
FACILITIES = {i: f"F{i}" for i in range(6)}


def fit(name, data, seed):
    """Fits in this process: what a process of its own adds is tested with the plugins."""
    kind = models()[name]
    quick = {"max_bins": 8, "strengths": [300.0, 100.0]}
    artifact = fit_once(kind, data, quick if name == "additive" else {}, seed)
    return artifact, kind.load(artifact), kind.version


def drawn(people, end=END):
    timelines = timelines_of(clinics(people, end=end))
    complete = np.full(6, end, dtype=np.int32)
    return dataset.build(lambda: iter([timelines]), RULES, complete)[0]


@pytest.fixture(scope="module")
def data():
    return drawn(400)


@pytest.fixture(scope="module")
def trained(data):
    return training.train(data, fit, ["additive"], FACILITIES)


def test_a_fitted_model_that_beats_the_naive_rule_is_chosen(trained):
    assert trained.choice.name == "additive"
    assert trained.choice.gates["passed"]
    assert trained.choice.figures.against_naive.beats("roc_auc", "average_precision")
    assert "simplest" in trained.why
    assert trained.too_young == ""


def test_every_figure_is_measured_after_the_folds_that_were_fitted_and_calibrated_on(trained):
    folds = trained.folds
    assert folds["train"]["last_outcome_known"] < folds["calibrate"]["first_decision"]
    assert folds["calibrate"]["last_outcome_known"] < folds["test"]["first_decision"]
    assert trained.choice.figures.evaluation.decisions == folds["test"]["decisions"]
    assert trained.naive.decisions == folds["test"]["decisions"]


def test_unseen_patients_and_facilities_stand_beside_the_main_evaluation(trained):
    for what in ("patients", "facilities"):
        assert trained.unseen[what]["metrics"]["roc_auc"]["value"] > 0.5
        assert trained.unseen[what]["decisions"] < trained.folds["test"]["decisions"]


def test_a_tenant_too_young_to_train_gets_the_naive_rule_and_is_told_why():
    trained = training.train(drawn(60, end=BEGIN + 600), fit, ["additive"], FACILITIES)
    assert trained.choice.name == naive.NAME
    assert "too young to train" in trained.why
    assert "are needed" in trained.too_young
    assert len(trained.candidates) == 1
    shares = np.array(trained.choice.model.shares)
    assert ((shares > 0) & (shares < 1)).all()


def test_nothing_resolved_at_all_still_gives_a_rule():
    trained = training.train(drawn(10, end=BEGIN), fit, ["additive"], FACILITIES)
    assert trained.choice.name == naive.NAME
    assert trained.choice.model.shares == pytest.approx(naive.PRIOR)


def test_a_feature_that_knows_the_outcome_raises_the_alarm_and_is_not_promoted(data):
    matrix = data.X.copy()
    matrix[:, NAMES.index("viral_load_log10")] = data.y + np.random.default_rng(1).normal(0, 0.2, len(data))
    leaky = dataset.Dataset(**{f: getattr(data, f) for f in data.__slots__} | {"X": matrix})
    trained = training.train(leaky, fit, ["additive"], FACILITIES)
    assert not trained.candidates[1].gates["leakage"]["passed"]
    assert not trained.candidates[1].gates["passed"]
    assert trained.choice.name == naive.NAME
    assert "leakage" in trained.why


def test_a_more_complex_model_that_is_no_better_is_not_preferred(data):
    def same(name, rows, seed):
        return fit("additive", rows, seed)

    trained = training.train(data, same, ["boosting", "additive"], FACILITIES)
    assert [c.name for c in trained.candidates] == ["naive", "additive", "boosting"]
    assert trained.choice.name == "additive"
    assert "boosting did no better beyond doubt" in trained.why


def test_a_model_that_only_guesses_fails_its_gates(data):
    class Guess:
        features = FEATURES

        def predict(self, X):
            return np.random.default_rng(len(X)).uniform(0.01, 0.99, len(X))

        def summary(self):
            return {}

    trained = training.train(data, lambda *_: (None, Guess(), "1"), ["guess"], FACILITIES)
    assert not trained.candidates[1].gates["performance"]["passed"]
    assert trained.choice.name == naive.NAME


def test_small_groups_are_pooled_and_each_division_is_reported(trained):
    groups = trained.choice.figures.groups
    assert set(groups) == {"facility", "sex", "age_band", "knowledge"}
    assert {group.label for group in groups["sex"]} == {"female", "male"}


def test_a_group_ranked_worse_than_chance_closes_the_gate(data):
    risk = np.where(data.sex == 1, 0.1 + 0.8 * data.y, 0.9 - 0.8 * data.y)
    labelled = data.where(data.labelled)
    measured = evaluation.measure(risk[data.labelled], labelled, FACILITIES, 0)
    verdict = evaluation.gates(measured)
    assert not verdict["groups"]["passed"]
    assert "sex male: ranked worse than chance" in verdict["groups"]["why"]


def test_competing_outcomes_are_reported(trained):
    assert set(trained.outcomes) <= {"contact", "no contact", "died", "transferred out", "stopped"}
    assert sum(trained.outcomes.values()) > 0


def test_the_card_says_what_it_is_for_what_it_rests_on_and_its_limits(trained):
    card = cards.card(trained.choice, trained, RULES, "additive-1", "2026-01-01T00:00:00+00:00")
    text = cards.markdown(card)
    for part in (
        "# Model additive-1",
        "ROC-AUC",
        "## Limits",
        "## Gates",
        "naive rule",
        "By sex",
        "kept out of training",
    ):
        assert part in text
    rule = cards.card(trained.candidates[0], trained, RULES, "naive-1", "2026-01-01T00:00:00+00:00")
    assert cards.markdown(rule).startswith("# Model naive-1")
    models = [{"card": each, "state": "candidate", "plugin": each["kind"]} for each in (rule, card)]
    page = report.page([{"title": "Made up", "about": "Simulated.", "served": "additive-1", "models": models}])
    assert "| Made up (additive-1) |" in page
    assert "ROC-AUC" in page


def test_the_naive_rule_shares_are_those_of_history_drawn_to_the_prior():
    rule = naive.fit(np.array([0.0] * 80 + [20.0] * 40), np.array([0] * 76 + [1] * 4 + [1] * 30 + [0] * 10))
    assert rule.shares[0] == pytest.approx((4 + 20 * 0.08) / 100)
    assert rule.shares[3] == pytest.approx((30 + 20 * 0.25) / 60)
    assert NaiveModel.from_json(rule.to_json()) == rule
    columns = np.full((2, len(NAMES)), np.nan)
    columns[1, NAMES.index(naive.COLUMN)] = 20
    explained = rule.explain(columns)
    np.testing.assert_allclose(1 / (1 + np.exp(-explained.log_odds)), rule.predict(columns))


@pytest.mark.parametrize("wrong", [{}, {"shares": [0.5], "counts": [1]}, {"shares": [2] * 6, "counts": [1] * 6}])
def test_a_naive_rule_that_is_none_is_rejected(wrong):
    with pytest.raises(ValueError, match="naive rule"):
        NaiveModel.from_json(wrong)


def test_the_interval_of_a_score_holds_what_came_of_people_scored_alike():
    rng = np.random.default_rng(5)
    p = rng.uniform(0.05, 0.6, 6000)
    y = rng.random(6000) < p
    table = reliability.measure(p, y, np.arange(6000) // 3)
    low, high = table.interval(np.array([0.1, 0.3, 0.5]))
    assert (low < [0.1, 0.3, 0.5]).all()
    assert (high > [0.1, 0.3, 0.5]).all()
    assert (high - low < 0.1).all()
    assert reliability.Reliability.from_json(table.to_json()) == table


def test_without_outcomes_of_both_kinds_there_is_no_interval():
    table = reliability.measure(np.linspace(0.1, 0.9, 50), np.zeros(50), np.arange(50))
    assert table == reliability.EMPTY
    assert np.isnan(table.interval(0.5)[0]).all()


@pytest.mark.parametrize("wrong", [{}, {"line": [1], "covariance": [], "decisions": 1, "patients": 1}])
def test_a_reliability_that_is_none_is_rejected(wrong):
    with pytest.raises(ValueError, match="reliability"):
        reliability.Reliability.from_json(wrong)


def test_too_many_units_are_thinned_by_patient_and_the_same_ones_each_time():
    timelines = timelines_of(clinics(100))
    complete = np.full(6, END, dtype=np.int32)
    parts = [dataset.build(lambda: iter([timelines]), RULES, complete, most=500)[0] for _ in range(2)]
    whole = dataset.build(lambda: iter([timelines]), RULES, complete)[0]
    assert 0 < len(parts[0]) < len(whole)
    np.testing.assert_array_equal(parts[0].X, parts[1].X)
    for patient in np.unique(parts[0].patient):
        assert (parts[0].patient == patient).sum() == (whole.patient == patient).sum()


def estimated(slope, intercept=(0.0, -0.05, 0.05)):
    metrics = {
        "calibration_slope": metrics_module.Estimate(*slope),
        "calibration_intercept": metrics_module.Estimate(*intercept),
    }
    return metrics_module.Evaluation(1000, 500, 100, 0.95, metrics)


@pytest.mark.parametrize(
    ("slope", "intercept", "passed", "why"),
    [
        ((1.0, 0.95, 1.05), (0.0, -0.05, 0.05), True, "slope 1.000 (0.950 to 1.050), within 0.9 to 1.1"),
        ((1.145, 1.086, 1.208), (0.0, -0.05, 0.05), True, "outside of 0.9 to 1.1, which its interval reaches"),
        ((1.35, 1.029, 1.715), (0.0, -0.05, 0.05), True, "which its interval reaches"),
        ((1.25, 1.15, 1.35), (0.0, -0.05, 0.05), False, "its interval does not reach 0.9 to 1.1"),
        ((0.8, 0.75, 0.85), (0.0, -0.05, 0.05), False, "its interval does not reach 0.9 to 1.1"),
        ((1.45, 0.8, 2.2), (0.0, -0.05, 0.05), False, "outside of 0.7 to 1.4"),
        ((1.2,), (0.0, -0.05, 0.05), False, "does not reach"),
        ((None,), (0.0, -0.05, 0.05), False, "slope not defined"),
        ((1.0, 0.95, 1.05), (0.2, 0.15, 0.25), False, "its interval does not reach -0.1 to 0.1"),
        ((1.0, 0.95, 1.05), (0.2, 0.05, 0.35), True, "which its interval reaches"),
        ((1.0, 0.95, 1.05), (0.4, -0.2, 1.0), False, "outside of -0.35 to 0.35"),
    ],
)
def test_the_gate_of_calibration_holds_what_the_docs_promise(slope, intercept, passed, why):
    trained = evaluation._calibration(estimated(slope, intercept))
    assert trained["passed"] is passed
    assert why in trained["why"]


def test_probabilities_that_are_off_are_told_on_the_card_of_all_people_and_of_groups(data):
    labelled = data.where(data.labelled)
    rng = np.random.default_rng(4)
    log_odds = rng.normal(-1, 1, len(labelled))
    drawn = (rng.random(len(labelled)) < sigmoid(2 * log_odds)).astype(np.int8)
    labelled = dataset.Dataset(**{f: getattr(labelled, f) for f in labelled.__slots__} | {"y": drawn})
    limits = evaluation.calibration_limits(evaluation.measure(sigmoid(log_odds), labelled, FACILITIES, 0))
    assert any("may be too close together" in line for line in limits)
    assert any("are too close together among facility" in line for line in limits)
    assert evaluation.calibration_limits(evaluation.measure(sigmoid(2 * log_odds), labelled, FACILITIES, 0)) == []
