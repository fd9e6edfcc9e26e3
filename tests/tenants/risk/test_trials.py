"""Models beside the champion: shadows at no effect, challengers that serve a share, and promotions that are watched."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import numpy as np
import pytest

from core import plugins
from core.errors import Conflict, Invalid
from core.jobs import latest_job
from tenants.cohort.timelines import to_date
from tenants.risk import explain, repository, scoring, serving
from tenants.risk.failures import ModelFailed
from tenants.risk.registry import canary, lifecycle, sequential, terms, trials
from tests.tenants.risk.clinics import END
from tests.tenants.risk.conftest import predictions
from tests.tenants.risk.made_models import champion_of, copy_of_champion, opener, serve, shifted

DAY = to_date(END)
BESIDE = "patient_uuid, kind, facility_uuid, model_version, risk, beside_model_uuid, beside_risk"


def serve_first(ref):
    with opener(ref)() as session:
        first = repository.model_of_version(session, "additive-1").uuid
    serve(ref, first)


@pytest.fixture
def tenant(trained):
    """A tenant with records whose champion is the trained model, in no trial."""
    serve_first(trained[0].ref)
    return trained[0].ref


@pytest.fixture(scope="module")
def plain(trained):
    """What the champion alone writes for the day."""
    ref = trained[0].ref
    serve_first(ref)
    scoring.score(ref, opener(ref), DAY)
    return predictions(ref, DAY)


def stored(tenant, name, log_odds=0.3, **changes):
    calibrator = shifted(champion_of(tenant).calibrator, log_odds)
    with opener(tenant)() as session, session.cursor() as cursor:
        cursor.execute("DELETE FROM models WHERE version = %s", (name,))
    return copy_of_champion(tenant, name, calibrator=calibrator, **changes)


def test_a_shadow_scores_beside_the_champion_and_changes_nothing(tenant, plain):
    uuid = stored(tenant, "shadow-1")
    with opener(tenant)() as session:
        trials.start_shadow(session, uuid)
    scoring.score(tenant, opener(tenant), DAY, chunk_patients=90)
    assert predictions(tenant, DAY) == plain
    rows = [row for row in predictions(tenant, DAY, BESIDE) if row[1] == "at_risk"]
    assert {row[3] for row in rows} == {"additive-1"}
    assert {row[5] for row in rows} == {uuid}
    assert all(row[6] != row[4] for row in rows)
    late = [row for row in predictions(tenant, DAY, BESIDE) if row[1] == "to_trace"]
    assert {row[6] for row in late} == {None}


def test_a_shadow_that_fails_costs_the_champion_nothing(tenant, plain, monkeypatch):
    uuid = stored(tenant, "shadow-2")
    with opener(tenant)() as session:
        trials.start_shadow(session, uuid)
    calls = []

    def fail(model, _columns):
        if model.beside is None:
            return
        calls.append(model.version)
        raise ModelFailed("it failed")

    monkeypatch.setattr(scoring.beside, "scores", fail)
    scoring.score(tenant, opener(tenant), DAY)
    assert calls
    assert predictions(tenant, DAY) == plain
    assert {row[6] for row in predictions(tenant, DAY, BESIDE)} == {None}


def test_outcomes_show_both_models_side_by_side_as_they_resolve(tenant):
    uuid = stored(tenant, "shadow-3", log_odds=1.2)
    with opener(tenant)() as session:
        trials.start_shadow(session, uuid)
    begin = champion_of(tenant).trained_through
    trials.watch(opener(tenant))
    with opener(tenant)() as session:
        assert trials.running(session).trial["figures"] is None
    for days in (10, 60, 110):
        scoring.score(tenant, opener(tenant), begin + timedelta(days=days))
    trials.watch(opener(tenant))
    with opener(tenant)() as session:
        figures = trials.running(session).trial["figures"]
    assert figures["decisions"] >= trials.FEWEST
    assert figures["model"]["roc_auc"]["value"] > 0.5
    assert figures["difference"]["brier"]["value"] > 0, "its probabilities are all too high"
    assert figures["model"]["calibration_intercept"]["high"] < figures["other"]["calibration_intercept"]["value"]


# Serving a share of the facilities


@pytest.fixture
def challenger(tenant, monkeypatch):
    """A challenger that serves some facilities."""
    monkeypatch.setattr(sequential, "FEWEST_FACILITIES", 1)
    uuid = stored(tenant, "challenger-1", log_odds=0.5)
    with opener(tenant)() as session:
        row = trials.start_serving(session, uuid, trials.Plan(smallest_effect=0.3), seed=7)
        return uuid, set(row.trial["facilities"])


def test_a_challenger_serves_the_facilities_that_chance_gave_it_and_no_others(tenant, plain, challenger):
    uuid, served = challenger
    scoring.score(tenant, opener(tenant), DAY, chunk_patients=90)
    rows = [row for row in predictions(tenant, DAY, BESIDE) if row[1] == "at_risk"]
    by = {(str(row[2]) in served, row[3]) for row in rows}
    assert by == {(True, "challenger-1"), (False, "additive-1")}
    others = [row for row in rows if str(row[2]) not in served]
    own = [row for row in rows if str(row[2]) in served]
    assert {row[5] for row in others} == {uuid}
    assert {row[5] for row in own} == {champion_of(tenant).uuid}
    alone = {row[0]: row[2] for row in plain if row[1] == "at_risk"}
    assert all(row[4] == alone[row[0]] for row in others)
    assert all(row[6] == alone[row[0]] for row in own)
    assert len(rows) == len(alone)


def test_people_are_explained_by_the_model_that_serves_them(tenant, challenger, monkeypatch):
    monkeypatch.setattr(serving, "_CACHE", serving._ModelCache(4))
    served = challenger[1]
    scoring.score(tenant, opener(tenant), DAY)
    rows = [row for row in predictions(tenant, DAY, BESIDE) if row[1] == "at_risk"]
    for own in (True, False):
        row = next(row for row in rows if (str(row[2]) in served) is own)
        for by in (None, ("test:1", "r")):
            explanation = explain.explain(tenant, opener(tenant), str(row[0]), DAY, by=by)
            assert explanation.model_version == row[3]
            assert explanation.risk == pytest.approx(row[4], rel=1e-6)


def test_a_challenger_that_cannot_say_why_costs_the_champion_nothing(tenant, plain, challenger, monkeypatch):
    monkeypatch.setattr(serving, "_CACHE", serving._ModelCache(4))
    scoring.score(tenant, opener(tenant), DAY)
    theirs = next(row for row in predictions(tenant, DAY, BESIDE) if row[3] == "challenger-1" and row[1] == "at_risk")
    themes = serving.ServingModel.themes

    def fail(model, features):
        if model.version == "challenger-1":
            raise ModelFailed("it cannot say why")
        return themes(model, features)

    monkeypatch.setattr(serving.ServingModel, "themes", fail)
    scoring.score(tenant, opener(tenant), DAY)
    assert predictions(tenant, DAY) == plain
    assert champion_of(tenant).version == "additive-1"
    assert explain.explain(tenant, opener(tenant), str(theirs[0]), DAY).model_version == "additive-1"


def test_when_a_trial_ends_the_champion_serves_everybody(tenant, plain, challenger):
    scoring.score(tenant, opener(tenant), DAY)
    with opener(tenant)() as session:
        trials.stop(session, challenger[0], "")
    scoring.score(tenant, opener(tenant), DAY)
    assert predictions(tenant, DAY) == plain


def test_a_trial_that_cannot_find_its_effect_is_not_begun(tenant, monkeypatch):
    uuid = stored(tenant, "challenger-2")
    with opener(tenant)() as session, pytest.raises(Invalid) as few:
        trials.start_serving(session, uuid, trials.Plan())
    assert "each group needs 5 facilities" in few.value.errors[0].problem
    monkeypatch.setattr(sequential, "FEWEST_FACILITIES", 1)
    with opener(tenant)() as session, pytest.raises(Invalid) as small:
        trials.start_serving(session, uuid, trials.Plan(smallest_effect=0.005, correlation=0.1))
    assert "can show a difference of" in small.value.errors[0].problem


def test_a_model_that_did_not_pass_its_gates_serves_nobody(tenant):
    uuid = stored(tenant, "challenger-3", gates={"passed": False})
    with opener(tenant)() as session, pytest.raises(Conflict, match="serves nobody"):
        trials.start_serving(session, uuid, trials.Plan())


def test_the_same_seed_draws_the_same_facilities_and_each_has_the_same_chance():
    facilities = [(UUID(int=number), 10 * number) for number in range(1, 24)]
    assert terms.drawn(facilities, 0.25, 5) == terms.drawn(facilities, 0.25, 5)
    counts = dict.fromkeys([uuid for uuid, _ in facilities], 0)
    for seed in range(800):
        for uuid in terms.drawn(facilities, 0.25, seed):
            counts[uuid] += 1
    assert all(0.18 < count / 800 < 0.32 for count in counts.values())


def resolved(effect, facilities=40, decisions=60, seed=3):
    """Decisions of facilities, half of which a challenger serves, and the trial's terms."""
    random = np.random.default_rng(seed)
    uuids = [UUID(int=number + 1) for number in range(facilities)]
    facility = np.repeat(np.arange(facilities), decisions)
    risk = random.uniform(0.1, 0.5, len(facility))
    interrupted = random.random(len(facility)) < risk + np.where(facility % 2, effect, 0.0)
    decided = trials.TrialOutcomes(
        np.arange(len(facility)), [uuids[place] for place in facility], risk, risk, interrupted.astype(np.int8)
    )
    served = [str(uuid) for uuid in uuids[1::2]]
    stated = {"facilities": served, "smallest_effect": 0.05, "alpha": 0.05, "planned_decisions": 10_000}
    return decided, stated


@pytest.mark.parametrize(("effect", "result"), [(-0.08, "better"), (0.08, "worse"), (0.0, None)])
def test_a_trial_ends_when_the_evidence_is_enough(effect, result):
    decided, stated = resolved(effect)
    look = trials.look_at_facilities(decided, stated)
    assert trials.result_of(look, stated) == result
    assert trials.result_of(look, stated | {"planned_decisions": 1}) == (result or "no difference")


# The sequential test


def test_daily_looks_raise_few_false_alarms():
    random, alarms, runs = np.random.default_rng(2), 0, 100
    for _ in range(runs):
        rate = np.clip(0.2 + random.normal(0, 0.03, 14), 0.01, 0.99)
        sums, counts, second = np.zeros(14), np.zeros(14), np.arange(14) % 2 == 0
        for _ in range(12):
            many = random.poisson(10, 14)
            sums, counts = sums + random.binomial(many, rate) - 0.2 * many, counts + many
            look = sequential.look(sums, counts, second, 0.05)
            if look is not None and look.ratio >= 20:
                alarms += 1
                break
    assert alarms / runs <= 0.07


def test_nothing_is_looked_at_before_there_is_enough():
    few = np.arange(8) % 2 == 0
    assert sequential.look(np.ones(8), np.full(8, 100.0), few, 0.05) is None
    enough = np.arange(12) % 2 == 0
    assert sequential.look(np.zeros(12), np.ones(12), enough, 0.05) is None
    assert sequential.look(np.arange(12.0), np.full(12, 20.0), enough, 0.05) is not None


def test_the_size_grows_as_the_effect_shrinks_and_says_what_is_impossible():
    def decisions(effect, facilities=(20, 20)):
        return sequential.size(
            base_rate=0.2, smallest_effect=effect, facilities=facilities, correlation=0.002, alpha=0.05, power=0.8
        )

    assert decisions(0.04).decisions > decisions(0.06).decisions > 0
    assert decisions(0.01).decisions == 0
    assert decisions(0.01).least_effect > 0.01
    assert sequential.standard_errors(0.05, 0.8) == pytest.approx(3.9, abs=0.05)


# A promotion that is watched


def alerts(tenant):
    with opener(tenant)() as session, session.cursor() as cursor:
        query = "SELECT facts->'names', status FROM alerts WHERE subject = 'roll_back' ORDER BY created_at"
        return cursor.execute(query).fetchall()


def test_a_promoted_model_that_fails_rolls_back_by_itself(tenant, plain, monkeypatch):
    former = champion_of(tenant)
    uuid = stored(tenant, "canary-1", plugin="broken")
    kinds = plugins.models()

    class Broken:
        def load(self, artifact):
            model = kinds["additive"].load(artifact)
            object.__setattr__(self, "model", model)
            return self

        features = property(lambda self: self.model.features)

        def predict(self, _X):
            raise RuntimeError

    monkeypatch.setattr(plugins, "models", lambda _=None: {"additive": kinds["additive"], "broken": Broken()})
    lifecycle.promote(tenant, opener(tenant), uuid)
    scored = scoring.score(tenant, opener(tenant), DAY)
    assert scored.model_version == former.version
    assert champion_of(tenant).uuid == former.uuid
    assert predictions(tenant, DAY) == plain
    with opener(tenant)() as session:
        event = lifecycle.events(session)[0]
    assert event.action == "rolled_back"
    assert "canary-1" in event.note
    assert alerts(tenant)[-1] == (["canary-1", former.version], "open")
    lifecycle.promote(tenant, opener(tenant), stored(tenant, "after-canary-1"))
    assert alerts(tenant)[-1][1] == "resolved"


def test_a_promoted_model_that_scores_wildly_rolls_back_and_the_day_is_scored_again(tenant):
    former = champion_of(tenant)
    uuid = stored(tenant, "canary-2", log_odds=3.0)
    lifecycle.promote(tenant, opener(tenant), uuid)
    scoring.score(tenant, opener(tenant), DAY)
    assert champion_of(tenant).uuid == former.uuid
    with opener(tenant)() as session:
        assert "its mean risk is" in lifecycle.events(session)[0].note
        assert latest_job(session, "risk.score", f"risk.score:{DAY}:rolled back").state == "queued"


def test_a_promoted_model_that_does_well_stays(tenant):
    uuid = stored(tenant, "canary-3", log_odds=0.05)
    lifecycle.promote(tenant, opener(tenant), uuid)
    scoring.score(tenant, opener(tenant), DAY)
    row = champion_of(tenant)
    assert row.uuid == uuid
    assert row.trial["scores"]["scores"] >= canary.FEWEST
    trials.watch(opener(tenant))
    assert champion_of(tenant).trial["state"] == "running"
    with opener(tenant)() as session, session.cursor() as cursor:
        cursor.execute(
            "UPDATE models SET trial = jsonb_set(trial, '{until}', '\"2020-01-01\"') WHERE uuid = %s", (uuid,)
        )
    trials.watch(opener(tenant))
    assert champion_of(tenant).trial["result"] == "passed"


def test_a_promoted_model_that_outcomes_refute_rolls_back(tenant):
    former = champion_of(tenant)
    uuid = stored(tenant, "canary-4")
    lifecycle.promote(tenant, opener(tenant), uuid)

    def estimate(value, width):
        return {"value": value, "low": value - width, "high": value + width}

    figures = {
        "model": {"calibration_intercept": estimate(-0.6, 0.1)},
        "other": {"calibration_intercept": estimate(0.0, 0.1)},
        "difference": {"average_precision": estimate(0.0, 0.02)},
    }
    with opener(tenant)() as session:
        row = repository.get_model(session, uuid)
        good = figures | {"model": {"calibration_intercept": estimate(0.1, 0.1)}}
        assert not canary.judge(session, row, good)
        assert canary.judge(session, row, figures)
    assert champion_of(tenant).uuid == former.uuid
