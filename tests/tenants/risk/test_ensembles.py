"""Combinations of models, and the search for parameters: exact reasons, honest choice, the same result twice."""

from __future__ import annotations

import numpy as np
import pytest

from core.plugins import ArtifactRejected, models, pack, unpack
from plugins.sdk import BadArtifactError, FeatureSpec, TrainingData, logit, sigmoid
from tenants.risk import training
from tenants.risk.registry import ensembles, tuning
from tests.tenants.risk.test_training import FACILITIES, drawn, fit

FEATURES = tuple(FeatureSpec(name, "continuous") for name in ("x0", "x1", "x2"))


def rows(count, seed):
    random = np.random.default_rng(seed)
    X = random.normal(size=(count, 3))
    y = (random.random(count) < sigmoid(1.5 * X[:, 0] - X[:, 1])).astype(np.int8)
    return TrainingData(X=X, y=y, group=np.arange(count), features=FEATURES)


@pytest.fixture(scope="module")
def members():
    kind = models()["additive"]
    parts = []
    for strength in (30.0, 3000.0):
        artifact = kind.fit(rows(600, 1), {"max_bins": 6, "strengths": [strength]}, 1)
        parts.append(ensembles.Member("additive", kind.version, artifact, kind.load(artifact)))
    return parts


@pytest.mark.parametrize("combine", ["average", "stack"])
def test_the_reasons_of_a_combination_add_up_to_its_log_odds(members, combine):
    later = rows(400, 2)
    if combine == "average":
        model = ensembles.average(members)
    else:
        model = ensembles.stack(members, [part.model.predict(later.X) for part in members], later.y)
    explained = model.explain(later.X)
    assert explained.log_odds == pytest.approx(logit(model.predict(later.X)), abs=1e-9)
    assert model.features == members[0].model.features
    assert set(model.summary()) == {"weights", "intercept"}


def test_a_combination_is_data_and_reads_back_as_it_was(members):
    model = ensembles.average(members)
    back = ensembles.Combination(models()).load(unpack(pack(model.save())))
    X = rows(50, 3).X
    assert np.array_equal(back.predict(X), model.predict(X))
    with pytest.raises(BadArtifactError, match="not installed"):
        ensembles.Combination({}).load(model.save())
    changed = model.save()
    files = dict(changed.files) | {"m0-model.json": b"{}"}
    with pytest.raises(ArtifactRejected):
        pack(type(changed)(changed.format, files))


def test_a_stack_gives_weight_to_the_member_that_knows_more(members):
    later = rows(2000, 4)
    random = np.random.default_rng(5).uniform(0.2, 0.8, 2000)
    model = ensembles.stack(members, [members[0].model.predict(later.X), random], later.y)
    assert model.weights[0] > 3 * model.weights[1] >= 0


def test_training_judges_combinations_by_the_gates_and_keeps_the_simplest(monkeypatch):
    monkeypatch.setattr(training, "SIMPLER_FIRST", ("additive", "second"))

    def both(name, data, seed):
        artifact, model, version = fit("additive", data, seed)
        return artifact, model, version

    trained = training.train(drawn(400), both, ["additive", "second"], FACILITIES, combine=True)
    names = [candidate.name for candidate in trained.candidates]
    assert names[:3] == ["naive", "additive", "second"]
    assert ensembles.AVERAGE in names
    assert trained.choice.name == "additive"
    average = next(candidate for candidate in trained.candidates if candidate.name == ensembles.AVERAGE)
    assert average.gates["passed"]
    assert average.against_simpler.differences["average_precision"].value == pytest.approx(0, abs=1e-6)


# Parameters


def quick(kind):
    def fit_one(data, parameters):
        return kind.load(kind.fit(data, {"strengths": [100.0], **parameters}, 1))

    return fit_one


def test_a_search_is_the_same_twice_and_says_what_it_tried():
    kind = models()["additive"]
    searches = [tuning.tune("additive", rows(600, 6), quick(kind), 4, seed=3) for _ in range(2)]
    assert searches[0] == searches[1]
    assert searches[0].trials == 4
    assert all(set(each["parameters"]) == set(tuning.SPACES["additive"]) for each in searches[0].tried)


def test_parameters_stay_unless_others_are_certainly_better():
    data = rows(1200, 7)

    class Model:
        def __init__(self, good):
            self.good = good

        def predict(self, X):
            return sigmoid(1.5 * X[:, 0] - X[:, 1]) if self.good else np.full(len(X), 0.5)

    same = tuning.tune("additive", data, lambda *_: Model(good=True), 3, seed=1)
    assert same.parameters == {}
    better = tuning.tune("additive", data, lambda _, parameters: Model(good=bool(parameters)), 3, seed=1)
    assert set(better.parameters) == set(tuning.SPACES["additive"])
    assert better.gain["high"] < 0


def test_a_search_ends_at_its_time_and_survives_failing_trials():
    data = rows(600, 8)

    def fails(_, parameters):
        if parameters:
            raise ValueError
        return models()["additive"].load(models()["additive"].fit(data, {"strengths": [100.0]}, 1))

    assert tuning.tune("additive", data, fails, 3, seed=1).parameters == {}
    assert tuning.tune("additive", data, fails, 3, seed=1, seconds=-1).trials == 0
    assert tuning.tune("of another plugin", data, fails, 3, seed=1).trials == 0
