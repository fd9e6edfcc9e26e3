from __future__ import annotations

import dataclasses
from typing import ClassVar

import numpy as np
import pytest

from core.plugins import manager, models
from plugins.additive import AdditivePlugin
from plugins.boosting import BoostingPlugin
from plugins.sdk import Artifact, Explanation
from plugins.sdk.testing import ContractError, ModelContract, check_model


class TestAdditive(ModelContract):
    plugin = AdditivePlugin()


class TestBoosting(ModelContract):
    plugin = BoostingPlugin()
    params: ClassVar = {"max_trees": 40}


def test_every_first_party_model_is_among_them():
    assert {each.plugin.name for each in (TestAdditive, TestBoosting)} == {
        name for name in models() if manager.is_first_party(manager.origin(name))
    }


def test_the_checks_of_a_model_share_one_fit():
    class Counted(ModelContract):
        plugin = TestAdditive.plugin

    assert Counted._subject() is Counted()._subject()
    assert Counted._subject() is not TestAdditive._subject()


class Bent:
    """The additive plugin with one promise broken at a time."""

    def __init__(self, **bent):
        self._plugin = AdditivePlugin()
        self._bent = bent

    name = "bent"

    @property
    def version(self):
        return self._bent.get("version", "1")

    def fit(self, data, params, seed):
        if self._bent.get("writes"):
            data.X[0, 0] = 99.0
        if self._bent.get("ignores_parameters"):
            params = {}
        if self._bent.get("random"):
            flipped = np.random.default_rng().random(len(data.y)) < 0.02
            data = dataclasses.replace(data, y=np.where(flipped, 1 - data.y, data.y))
        artifact = self._last = self._plugin.fit(data, params, seed)
        if self._bent.get("unsealed"):
            return Artifact(artifact.format, {"model.json": artifact.files["model.json"]})
        return artifact

    def load(self, artifact):
        if self._bent.get("trusts"):
            artifact = self._last
        return BentModel(self._plugin.load(artifact), self._bent)


class BentModel:
    def __init__(self, model, bent):
        self._model, self._bent = model, bent
        self.features = model.features

    def summary(self):
        return {"nan": float("nan")} if self._bent.get("summary") else self._model.summary()

    def _bend(self, X):
        if self._bent.get("shapes"):
            X = np.atleast_2d(X)[:, : len(self.features)]
            X = np.where(np.isinf(X), 0.0, X)
            X = np.pad(X, ((0, 0), (0, len(self.features) - X.shape[1])))
        if self._bent.get("batch") and X.ndim == 2 and len(X):
            known = ~np.isnan(X)
            X = np.where(known, X, np.where(known, X, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))
        return X

    def predict(self, X):
        p = self._model.predict(self._bend(X))
        if self._bent.get("certain"):
            p = np.round(p)
        if self._bent.get("constant"):
            p = np.full(len(p), 0.01)
        return p

    def explain(self, X):
        explanation = self._model.explain(self._bend(X))
        if self._bent.get("inexact"):
            return Explanation(explanation.base + 0.01, explanation.contributions)
        return explanation


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("version", "version must be"),
        ("writes", "wrote into an array"),
        ("ignores_parameters", "must raise BadDataError"),
        ("random", "seed gave other predictions"),
        ("unsealed", "seal"),
        ("trusts", "was accepted"),
        ("summary", "summary must be JSON"),
        ("shapes", "must be rejected"),
        ("certain", r"inside \(0, 1\)"),
        ("constant", "base rate"),
        ("inexact", "miss the log-odds"),
        ("batch", "alone and in a batch"),
    ],
)
def test_a_broken_promise_is_found_and_named(broken, message):
    plugin = Bent(**{broken: "" if broken == "version" else True})

    with pytest.raises(ContractError, match=message):
        check_model(plugin)


def test_the_unbent_plugin_passes_whole():
    check_model(Bent())
