"""A model that fails stops nobody: the others are trained, and another model scores in its place."""

from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import pytest
from click.testing import CliRunner

from core import blobs, plugins
from core.errors import Invalid
from core.plugins import PluginFailed
from core.plugins.model_failures import list_model_failures
from tenants.cohort.timelines import to_date
from tenants.risk import cards, commands, explain, report, repository, scoring, service, serving, worklist
from tests.tenants.risk.clinics import END
from tests.tenants.risk.conftest import fit_once, opener, predictions
from tests.tenants.risk.made_models import signed

DAY = to_date(END)
DOING = {"predict": "score", "explain": "explain"}


class Broken:
    """A kind of model whose calls of these names raise."""

    def __init__(self, inner, *broken, error=None):
        self._inner, self._broken, self._error = inner, broken, error or RuntimeError("a person's name")

    def __getattr__(self, name):
        value = getattr(self._inner, name)
        if name == "load":
            return lambda artifact: Broken(value(artifact), *self._broken, error=self._error)
        if name in self._broken:
            return self._raise
        return value

    def _raise(self, *_, **__):
        raise self._error


class Garbage:
    def __init__(self, inner, answer):
        self._inner, self._answer = inner, answer

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def load(self, artifact):
        return Garbage(self._inner.load(artifact), self._answer)

    def predict(self, X):
        return self._answer(X)


@pytest.fixture
def fresh(monkeypatch):
    """No model in this process's memory."""
    monkeypatch.setattr(serving, "_CACHE", serving._ModelCache(4))


@pytest.fixture
def kinds(monkeypatch):
    def plugins_of(**wanted):
        monkeypatch.setattr(plugins, "models", lambda _=None: wanted)

    return plugins_of


def additive():
    return plugins.models()["additive"]


def facts(tenant, column):
    with opener(tenant)() as session, session.cursor() as cursor:
        cursor.execute("SELECT version, state, failure FROM models WHERE failure IS NOT NULL ORDER BY version")
        return {row[0]: row[1:][column] for row in cursor.fetchall()}


def failed_ones(tenant):
    return facts(tenant, 1)


@pytest.mark.parametrize(
    "fail",
    [
        lambda kind: (PluginFailed("plugin 'third' was killed"), kind),
        lambda kind: (Invalid("plugin 'third' cannot use this"), kind),
        lambda kind: (None, Broken(kind, "predict")),
        lambda kind: (None, Garbage(kind, lambda X: np.full(len(X), np.nan))),
        lambda kind: (None, Garbage(kind, lambda X: np.full(len(X) + 1, 0.5))),
    ],
    ids=["its process fails", "it rejects the data", "it raises", "it gives no numbers", "it gives too many"],
)
def test_training_goes_on_with_the_others_when_one_model_fails(trained, kinds, monkeypatch, fail):
    tenant, ours = trained[0].ref, additive()
    error, third = fail(ours)
    quick = {"max_bins": 8, "strengths": [300.0]}
    kinds(additive=ours, third=third)

    def fit(name, data, _params, seed, _seconds):
        if name == "third" and error is not None:
            raise error
        return fit_once(ours, data, quick, seed)

    monkeypatch.setattr(plugins, "fit_in_process", fit)
    outcome = service.train(tenant, opener(tenant))
    assert outcome.preferred.startswith("additive-")
    assert [failure["kind"] for failure in outcome.failures] == ["third"]
    listed = failed_ones(tenant)
    version = max(listed, key=lambda name: int(name.rsplit("-", 1)[1]))
    assert version.startswith("third-")
    with opener(tenant)() as session:
        row = repository.model_of_version(session, version)
    assert row.state == "failed"
    assert row.gates["passed"] is False
    assert row.failure in cards.markdown(row.card)
    with opener(tenant)() as session:
        assert report.page([report.collect(session, "A tenant", "Simulated.")])
    shown = CliRunner().invoke(commands.model, ["list", tenant.slug], catch_exceptions=False).stdout
    assert row.failure in shown


def test_a_chosen_model_that_fails_without_some_patients_is_still_chosen(trained, kinds, monkeypatch):
    tenant, ours = trained[0].ref, additive()
    taken = []

    def fit(_name, data, _params, seed, _seconds):
        taken.append(len(data.y))
        if len(taken) > 1:
            raise PluginFailed
        return fit_once(ours, data, {"max_bins": 8, "strengths": [300.0]}, seed)

    kinds(additive=ours)
    monkeypatch.setattr(plugins, "fit_in_process", fit)
    outcome = service.train(tenant, opener(tenant))
    assert outcome.preferred.startswith("additive-")
    assert "failed to be fitted without some patients" in outcome.unseen["patients"]["not_measured"]


@pytest.mark.parametrize("broken", [("predict",), ("explain",)])
def test_another_model_scores_where_the_preferred_one_fails_and_every_list_says_so(trained, kinds, fresh, broken):
    tenant, day = trained[0].ref, DAY - timedelta(days=len(broken[0]))
    kinds(additive=Broken(additive(), *broken))
    scored = scoring.score(tenant, opener(tenant), day)
    assert scored.model_version.startswith("naive-")
    assert "failed" in scored.note
    assert "a person's name" not in scored.note
    notes = {row[0] for row in predictions(tenant, day, "calibration_note") if row[0]}
    assert all("The preferred model additive-" in note for note in notes)
    uuid = worklist.issue(tenant, opener(tenant), worklist.Order("at_risk", day, 5))
    with opener(tenant)() as session:
        worklist_row, people = worklist.read(session, uuid)
        preferred = repository.preferred_model(session)
    assert "The preferred model additive-" in worklist_row.note
    assert any(entry.reasons for entry in people.rows)
    assert "failed to" in preferred.failure
    with opener(tenant)() as session:
        (logged, *_) = list_model_failures(session, ["additive"], 5)
    assert (logged.operation, logged.reason) == (DOING[broken[0]], f"{preferred.version}: RuntimeError")


def test_a_model_that_scores_again_is_no_longer_listed_as_failing(trained, fresh):
    tenant = trained[0].ref
    with opener(tenant)() as session:
        uuid = repository.preferred_model(session).uuid
        repository.note_failure(session, uuid, "it failed")
    scoring.score(tenant, opener(tenant), DAY)
    with opener(tenant)() as session:
        assert repository.get_model(session, uuid).failure is None


def test_a_person_is_explained_by_another_model_where_the_preferred_one_fails(trained, kinds, fresh):
    tenant = trained[0].ref
    scoring.score(tenant, opener(tenant), DAY)
    patient = str(next(row[0] for row in predictions(tenant, DAY) if row[1] == "at_risk"))
    calls = []

    class Counted(Broken):
        def _raise(self, *_, **__):
            calls.append(1)
            raise self._error

        def __getattr__(self, name):
            if name == "load":
                return lambda artifact: Counted(self._inner.load(artifact), *self._broken, error=self._error)
            return super().__getattr__(name)

    kinds(additive=Counted(additive(), "predict"))
    for _ in range(2):
        explanation = explain.explain(tenant, opener(tenant), patient, DAY)
        assert explanation.model_version.startswith("naive-")
        assert "failed" in explanation.note
    assert len(calls) == 1, "a model that failed is not asked at every call"


def test_a_stored_model_that_is_gone_or_damaged_stops_no_scoring(trained, fresh, monkeypatch):
    tenant, day = trained[0].ref, DAY - timedelta(days=11)
    monkeypatch.setattr(blobs, "get", lambda *_, **__: (_ for _ in ()).throw(blobs.BlobDamaged("altered")))
    scored = scoring.score(tenant, opener(tenant), day)
    assert scored.model_version.startswith("naive-")
    assert "cannot be read" in scored.note


def test_an_earlier_model_of_another_plugin_scores_before_the_naive_rule_does(trained, kinds, fresh):
    tenant, ours = trained[0].ref, additive()
    with opener(tenant)() as session:
        row = repository.preferred_model(session)
        session.expunge(row)
    other = service.RiskModel(**row.model_dump() | {"uuid": tenant.id, "plugin": "other", "name": "other",
                                                    "version": "other-1", "state": "retired"})  # fmt: skip
    with opener(tenant)() as session:
        session.add(signed(tenant, other))
    try:
        kinds(additive=Broken(ours, "predict"), other=ours)
        assert scoring.score(tenant, opener(tenant), DAY - timedelta(days=12)).model_version == "other-1"
        kinds(additive=Broken(ours, "predict"), other=Broken(ours, "predict"))
        assert scoring.score(tenant, opener(tenant), DAY - timedelta(days=13)).model_version.startswith("naive-")
    finally:
        with opener(tenant)() as session, session.cursor() as cursor:
            cursor.execute("DELETE FROM models WHERE version = 'other-1'")


def test_training_tells_on_the_command_line_which_model_failed(trained, kinds, monkeypatch):
    kinds(third=additive())
    monkeypatch.setattr(
        plugins, "fit_in_process", lambda *_: (_ for _ in ()).throw(PluginFailed("plugin 'third' was killed"))
    )
    result = CliRunner().invoke(commands.train, [trained[0].ref.slug], catch_exceptions=False)
    assert result.exit_code == 0
    assert "third could not be trained" in result.stderr
    again = CliRunner().invoke(commands.train, [trained[0].ref.slug, "--json"], catch_exceptions=False)
    assert json.loads(again.stdout)["failures"][0]["kind"] == "third"
