"""Contributions are exact SHAP values of both kinds of model; what describes many people points to none of them."""

from dataclasses import dataclass

import numpy as np
import pytest

from core import plugins
from plugins.sdk import TrainingData, logit
from tenants.risk.explanations.overview import BINS, FEWEST_IN_BIN, POINTS, contributions, overview
from tenants.risk.explanations.stability import changed, stability
from tenants.risk.failures import ModelFailed
from tenants.risk.input_list import FEATURES, NAMES
from tenants.risk.input_sets import select
from tenants.risk.reliability import EMPTY
from tenants.risk.serving import ServingModel

LATE, SEX = NAMES.index("days_late_last"), NAMES.index("sex")


@pytest.fixture(scope="module")
def people():
    """Rows whose outcome depends on lateness and sex."""
    random = np.random.default_rng(5)
    X = random.normal(10, 4, (1200, len(FEATURES)))
    for place, spec in enumerate(FEATURES):
        if spec.categories:
            X[:, place] = random.integers(0, len(spec.categories), len(X))
    X[random.random(len(X)) < 0.2, LATE] = np.nan
    late = np.where(np.isnan(X[:, LATE]), 0, X[:, LATE] - 10)
    y = random.random(len(X)) < 1 / (1 + np.exp(-(0.4 * late + 0.8 * (X[:, SEX] == 2) - 1)))
    return X, y.astype(np.int8)


@pytest.fixture(scope="module")
def model(people):
    X, y = people
    kind = plugins.models()["additive"]
    data = TrainingData(X=X, y=y, group=np.arange(len(y)), features=FEATURES)
    fitted = kind.load(kind.fit(data, {"max_bins": 8, "strengths": [30.0]}, 1))
    return ServingModel(None, "additive-1", fitted, None, EMPTY, select(FEATURES))


def test_contributions_of_the_additive_model_are_those_of_shap(people, model):
    import shap

    X = people[0]
    base, values = contributions(model, X[:30])
    assert base + values.sum(axis=1) == pytest.approx(logit(model.raw_and_risk(X[:30])[0]))
    few, background = (
        [LATE, SEX],
        X[100:160],
    )  # the others stay as in one row: of two columns it weighs every subset, so it is exact

    def log_odds(part):
        rows = np.repeat(X[:1], len(part), axis=0)
        rows[:, few] = part
        return logit(model.model.predict(rows))

    theirs = shap.KernelExplainer(log_odds, background[:, few]).shap_values(X[:5, few], silent=True)
    usual = contributions(model, background)[1][:, few].mean(axis=0)
    assert values[:5, few] - usual == pytest.approx(theirs)


def test_the_overview_names_what_moves_the_risk(people, model):
    described = overview(model, people[0])
    names = [feature["name"] for feature in described["features"]]
    assert set(names[:2]) == {"days_late_last", "sex"}
    late = described["features"][names.index("days_late_last")]
    middles = [entry["middle"] for entry in late["curve"] if "value" in entry]
    assert middles == sorted(middles)
    assert late["curve"][-1]["missing"]
    categories = [entry["category"] for entry in described["features"][names.index("sex")]["curve"]]
    assert categories == ["not recorded", "female", "male"]


def test_no_point_is_one_person(people, model):
    for feature in overview(model, people[0])["features"]:
        assert len(feature["points"]) <= POINTS
        assert len(feature["curve"]) <= max(BINS + 1, 13)
        assert all(entry["people"] >= FEWEST_IN_BIN for entry in feature["curve"])
    assert overview(model, people[0][:9])["features"] == []


def test_reasons_are_stable_over_small_changes(people, model):
    measured = stability(model, people[0])
    assert measured["people"] == 200
    assert 0.6 < measured["first"] <= 1
    assert 0.6 < measured["overlap"] <= 1
    assert measured["risk"] < 0.1
    assert stability(model, people[0]) == measured
    assert stability(model, people[0][:0])["first"] is None


def test_a_small_change_leaves_categories_and_missing_values(people):
    X = people[0][:200]
    after = changed(X, np.random.default_rng(0))
    assert (after[:, SEX] == X[:, SEX]).all()
    assert (np.isnan(after) == np.isnan(X)).all()
    assert np.nanmax(np.abs(after[:, LATE] - X[:, LATE])) <= 1 + 1e-9
    assert not (after[X >= 0] < 0).any()


@dataclass
class Broken:
    features: tuple = FEATURES

    def explain(self, X):
        return type("Answer", (), {"base": 0.0, "contributions": np.zeros((len(X), 2))})()


def test_a_model_that_explains_something_else_has_failed(people):
    broken = ServingModel(None, "broken-1", Broken(), None, EMPTY, select(FEATURES))
    with pytest.raises(ModelFailed):
        contributions(broken, people[0][:5])
