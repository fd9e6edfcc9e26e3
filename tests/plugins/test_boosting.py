from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.boosting import BoostingPlugin, treetext
from plugins.sdk import Artifact, BadArtifactError, BadDataError, FeatureSpec, TrainingData, seal, sigmoid
from plugins.sdk.testing import small_data

FORMAT = "iit-boosting/1"


@pytest.fixture(scope="module")
def data():
    return small_data()


@pytest.fixture(scope="module")
def artifact(data):
    return BoostingPlugin().fit(data, {"max_trees": 25}, 1)


@pytest.fixture(scope="module")
def trees(artifact):
    return artifact.files["trees.txt"].decode()


def test_reasons_are_those_of_the_reference_implementation(data):
    import shap

    # The reference does not know splits by category: fit without one.
    columns = (0, 1, 2, 4)
    plain = TrainingData(data.X[:, columns], data.y, data.group, tuple(data.features[i] for i in columns))
    model = BoostingPlugin().load(BoostingPlugin().fit(plain, {"max_trees": 25}, 1))
    explainer = shap.TreeExplainer(model._booster, feature_perturbation="tree_path_dependent")
    # Otherwise it hands the work back to LightGBM, and the comparison would be of one thing with itself.
    explainer.model.model_type = "internal"

    ours = model.explain(plain.X[:150])

    theirs = explainer.shap_values(plain.X[:150], check_additivity=False)
    np.testing.assert_allclose(ours.contributions, theirs, atol=1e-6)
    assert ours.base == pytest.approx(float(np.ravel(explainer.expected_value)[-1]), abs=1e-6)


def test_what_is_not_kept_changes_no_prediction(data):
    import lightgbm

    whole = lightgbm.train(
        {"objective": "binary", "verbosity": -1, "min_data_in_leaf": 10, "deterministic": True},
        lightgbm.Dataset(data.X, data.y, categorical_feature=[3], feature_name=treetext.column_names(5)),
        20,
    )
    text = treetext.trim(whole.model_to_string())

    assert treetext.check(text.encode(), 5) == 20
    assert "parameters" not in text
    assert f"{np.nanmax(data.X[:, 4]):g}" not in text.split("\n\n")[0], "the largest value of a column is one person's"
    np.testing.assert_array_equal(lightgbm.Booster(model_str=text).predict(data.X), whole.predict(data.X))


def test_it_stops_early_and_keeps_the_best_number_of_trees(data):
    many = BoostingPlugin().fit(data, {"learning_rate": 0.5, "patience": 5}, 0)

    facts = BoostingPlugin().load(many).summary()
    assert facts["trees"] < 100
    assert facts["chosen_on"] == "validation rows"


def test_monotone_features_are_monotone(data):
    random = np.random.default_rng(0)
    features = (FeatureSpec("late", "continuous"), FeatureSpec("noise", "continuous"))
    X = random.normal(size=(1500, 2))
    y = (random.random(1500) < sigmoid(np.sin(2 * X[:, 0]) + X[:, 0])).astype(np.int8)
    train = TrainingData(X, y, np.arange(1500), features)
    ladder = np.stack([np.linspace(-3, 3, 200), np.zeros(200)], axis=1)

    bound = BoostingPlugin().load(BoostingPlugin().fit(train, {"monotone": {"late": 1}}, 0)).predict(ladder)
    free = BoostingPlugin().load(BoostingPlugin().fit(train, {}, 0)).predict(ladder)

    assert (np.diff(bound) >= 0).all()
    assert (np.diff(free) < 0).any()


@pytest.mark.parametrize(
    "params",
    [
        {"num_leaves": 1},
        {"learning_rate": 0},
        {"learning_rate": "fast"},
        {"monotone": {"nothing": 1}},
        {"monotone": {"days_late": 2}},
        {"monotone": 3},
        {"max_trees": 10**9},
        {"row_share": 0},
    ],
)
def test_parameters_out_of_range_are_rejected(data, params):
    with pytest.raises(BadDataError):
        BoostingPlugin().fit(data, params, 0)


def test_too_few_patients_to_leave_some_out_are_rejected():
    data = TrainingData(np.zeros((4, 1)), np.array([0, 0, 0, 1]), np.array([1, 1, 1, 1]), (FeatureSpec("a", "count"),))

    with pytest.raises(BadDataError, match="validation"):
        BoostingPlugin().fit(data, {}, 0)


def _with(text, old, new):
    assert old in text
    return text.replace(old, new, 1)


def _line(text, key):
    return next(line for line in text.split("\n") if line.startswith(f"{key}="))


def _entry(text, key, change):
    line = _line(text.split("\n\n", 1)[1], key)
    values = line.split("=")[1].split(" ")
    return _with(text, line, f"{key}=" + " ".join(change(values)))


@pytest.mark.parametrize(
    "damage",
    [
        lambda t: _with(t, "max_feature_idx=4", "max_feature_idx=9"),
        lambda t: _with(t, "version=v4", "version=v9"),
        lambda t: _with(t, "objective=binary sigmoid:1", "objective=regression"),
        lambda t: _with(t, "num_class=1", "num_class=1\nforcedsplits_filename=/etc/passwd"),
        lambda t: _with(t, "Tree=3", "Tree=7"),
        lambda t: t + "parameters:\n[data: /etc/passwd]\n",
        lambda t: t[: len(t) // 2],
        lambda t: "",
        lambda t: t.replace("tree\n", "Tree\n", 1),
        lambda t: _entry(t, "left_child", lambda v: ["0", *v[1:]]),
        lambda t: _entry(t, "left_child", lambda v: ["99", *v[1:]]),
        lambda t: _entry(t, "right_child", lambda v: ["-99", *v[1:]]),
        lambda t: _entry(t, "split_feature", lambda v: ["7", *v[1:]]),
        lambda t: _entry(t, "split_feature", lambda v: ["-1", *v[1:]]),
        lambda t: _entry(t, "leaf_value", lambda v: ["nan", *v[1:]]),
        lambda t: _entry(t, "leaf_value", lambda v: ["1e300", *v[1:]]),
        lambda t: _entry(t, "leaf_value", lambda v: v[1:]),
        lambda t: _entry(t, "internal_count", lambda v: ["0", *v[1:]]),
        lambda t: _entry(t, "num_leaves", lambda _: ["99999999"]),
        lambda t: _entry(t, "is_linear", lambda _: ["1"]),
        lambda t: _entry(t, "decision_type", lambda v: ["99", *v[1:]]),
        lambda t: _entry(t, "cat_boundaries", lambda v: ["0", "999999"]),
        lambda t: _entry(t, "cat_threshold", lambda v: ["-1"]),
        lambda t: _with(t, "shrinkage=", "shrinkage=1\nshrinkage="),
    ],
)
def test_trees_that_are_no_trees_never_reach_the_reader(trees, damage):
    text = damage(trees)
    # Sizes are made to fit, so that only the damage itself can be found.
    head, _, body = text.partition("\n\n")
    parts = body.split("Tree=")[1:]
    if parts and "end of trees" in parts[-1]:
        parts[-1] = parts[-1].split("end of trees")[0]
        sizes = " ".join(str(len(part) + len("Tree=")) for part in parts)
        text = _with(head, _line(head, "tree_sizes"), f"tree_sizes={sizes}") + "\n\n" + body

    with pytest.raises(BadArtifactError):
        treetext.check(text.encode(), 5)


@settings(max_examples=60)
@given(st.data())
def test_a_damaged_byte_is_rejected_or_harmless(trees, data):
    content = bytearray(trees.encode())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        treetext.check(bytes(content), 5)
    except BadArtifactError:
        return
    import lightgbm

    p = lightgbm.Booster(model_str=content.decode()).predict(np.zeros((2, 5)), pred_contrib=True)
    assert np.isfinite(p).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"trees": 3},
        {"features": []},
        {"facts": None},
        {"features": [{"name": "a"}]},
    ],
)
def test_a_description_that_does_not_fit_is_rejected(artifact, changes):
    content = {**json.loads(artifact.files["model.json"]), **changes}
    files = {"trees.txt": artifact.files["trees.txt"], "model.json": json.dumps(content).encode()}

    with pytest.raises(BadArtifactError):
        BoostingPlugin().load(seal(FORMAT, files))


def test_an_unsealed_artifact_is_rejected(artifact):
    files = {name: content for name, content in artifact.files.items() if name != "manifest.json"}

    with pytest.raises(BadArtifactError):
        BoostingPlugin().load(Artifact(FORMAT, files))
