"""From records in the database to lists by fitted models, boosting among them: fitted in processes of their own."""

from __future__ import annotations

import pytest

from core import plugins
from core.plugins import fit_in_process
from tenants.cohort.timelines import to_date
from tenants.risk import explain, presenting, repository, scoring, service, serving, worklist
from tests.tenants.risk.clinics import END, clinics
from tests.tenants.risk.conftest import opener, predictions, store

DAY = to_date(END)
QUICK = {"additive": {"max_bins": 8, "strengths": [300.0]}, "boosting": {}}


@pytest.fixture(scope="module")
def trained_by_both(make_tenant):
    """A tenant whose models were fitted by both first-party plugins, each in a process of its own."""
    tenant = make_tenant().ref
    store(tenant, clinics(400))

    def fit(name, data, _params, seed, seconds):
        return fit_in_process(name, data, QUICK[name], seed, seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plugins, "fit_in_process", fit)
        return tenant, service.train(tenant, opener(tenant))


def prefer(tenant, name):
    with opener(tenant)() as session:
        repository.retire_preferred(session)
        with session.cursor() as cursor:
            cursor.execute("UPDATE models SET state = 'preferred' WHERE version = %s", (name,))


def test_both_kinds_of_model_are_fitted_measured_and_judged(trained_by_both):
    tenant, outcome = trained_by_both
    assert outcome.too_young == ""
    assert outcome.failures == []
    assert {model["kind"] for model in outcome.models} == {"naive", "additive", "boosting"}
    assert outcome.preferred != "naive-1"
    for model in outcome.models[1:]:
        assert model["held_out"]["metrics"]["roc_auc"]["low"] > 0.5
        assert set(model["gates"]) == {"passed", "performance", "calibration", "groups", "bias", "leakage"}
        with opener(tenant)() as session:
            card = repository.model_of_version(session, model["version"]).card
        assert card["fitted"]
        assert card["groups"]["facility"]


@pytest.mark.parametrize("kind", ["additive", "boosting"])
def test_a_fitted_model_scores_explains_and_makes_lists_through_the_database(trained_by_both, kind):
    tenant, _ = trained_by_both
    prefer(tenant, f"{kind}-1")
    scored = scoring.score(tenant, opener(tenant), DAY)
    assert scored.model_version == f"{kind}-1"
    rows = [row for row in predictions(tenant, DAY) if row[1] == "at_risk"]
    assert len(rows) == scored.at_risk > 100
    assert len({row[2] for row in rows}) > 20, "a model that was fitted tells people apart"
    row = next(row for row in rows if row[6] and row[7])
    explanation = explain.explain(tenant, opener(tenant), str(row[0]), DAY)
    assert explanation.risk == pytest.approx(row[2], abs=1e-12)
    total = (
        explanation.base
        + sum(reason["contribution"] for reason in explanation.reasons)
        + explanation.other_contribution
    )
    assert total == pytest.approx(explanation.raw_log_odds, abs=1e-6)
    with opener(tenant)() as session:
        order = worklist.order_for(session, "at_risk", DAY, due_within=365)
    uuid = worklist.issue(tenant, opener(tenant), order)
    with opener(tenant)() as session:
        shown = presenting.view(session, uuid, identities=False)
    assert shown.worklist.model_version == f"{kind}-1"
    assert shown.worklist.usual_risk == pytest.approx(explanation.usual_risk, abs=1e-9)
    assert all(shown.why(entry) for entry in shown.people)


def test_a_model_that_was_read_back_scores_as_the_one_that_was_stored(trained_by_both, monkeypatch):
    tenant, _ = trained_by_both
    prefer(tenant, "boosting-1")
    monkeypatch.setattr(serving, "_CACHE", serving._ModelCache(4))
    before = predictions(tenant, DAY)
    scoring.score(tenant, opener(tenant), DAY)
    assert predictions(tenant, DAY) == before
