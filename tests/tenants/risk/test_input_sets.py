"""A stored model keeps scoring when the platform adds features, and never scores on a changed definition."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from plugins.sdk import FeatureSpec
from tenants.cohort.expected import episodes
from tenants.cohort.settings import CohortSettings
from tenants.cohort.timeline_builder import make_timelines
from tenants.cohort.timelines import CLINICAL, PICKUP, VARIABLE_CODES, to_date
from tenants.cohort.units import pending_units
from tenants.risk import earlier_inputs, explain, fallback, scoring, service, serving, training
from tenants.risk.earlier_inputs import EarlierFeature
from tenants.risk.facility_rates import FacilityCounts
from tenants.risk.failures import ModelFailed
from tenants.risk.input_list import FEATURES, NAMES, THEME_OF, THEMES
from tenants.risk.input_sets import FEATURE_SET, FeatureSet, columns, select
from tenants.risk.model_inputs import compute, pending_of
from tests.tenants.risk.clinics import END, INTERVAL, clinics
from tests.tenants.risk.conftest import opener, predictions, store
from tests.tenants.risk.made_models import signed

DAY = to_date(END)
OTHER = FeatureSpec("distance", "continuous", "km", "Distance to the facility.", "test")
DEFINITIONS = Path(__file__).with_name("feature_definitions.json")


def registered(spec, value=0.0, theme="person"):
    return EarlierFeature(spec, theme, lambda seen, *_: np.full(len(seen), value))


@pytest.fixture
def preferred(trained):
    with opener(trained[0].ref)() as session:
        return serving.preferred(session)


def test_a_model_keeps_the_set_and_the_versions_that_it_was_fitted_on(preferred):
    assert (preferred.feature_set, preferred.feature_set_version) == (FEATURE_SET.name, FEATURE_SET.version)
    assert [(feature["name"], feature["version"]) for feature in preferred.features] == [
        (spec.name, spec.version) for spec in FEATURES
    ]


def test_a_model_stored_before_there_were_sets_loads(trained, preferred):
    preferred.feature_set = preferred.feature_set_version = None
    for feature in preferred.features:
        del feature["version"]
    assert serving.load(trained[0].ref, signed(trained[0].ref, preferred)).version == preferred.version


def test_a_feature_that_the_platform_adds_changes_no_score_and_no_reason(trained, monkeypatch):
    tenant = trained[0].ref
    scoring.score(tenant, opener(tenant), DAY)
    before = predictions(tenant, DAY)
    patient = str(next(row[0] for row in before if row[1] == "at_risk"))
    explained = explain.explain(tenant, opener(tenant), patient, DAY)
    monkeypatch.setattr(earlier_inputs, "EARLIER", (registered(OTHER, 7.0),))
    monkeypatch.setattr(serving, "_CACHE", serving._ModelCache(4))
    scoring.score(tenant, opener(tenant), DAY)
    assert predictions(tenant, DAY) == before
    assert explain.explain(tenant, opener(tenant), patient, DAY) == explained


def test_a_model_of_fewer_features_in_another_order_scores_and_explains_today(make_tenant, monkeypatch):
    """The features of today are more than those it was fitted on, and at other places."""
    from core import plugins

    additive = plugins.models()["additive"]
    small = FeatureSet("iit", 1, FEATURES[60:4:-3])
    tenant = make_tenant().ref
    store(tenant, clinics())
    with monkeypatch.context() as earlier:
        earlier.setattr(plugins, "models", lambda _=None: {"additive": additive})
        earlier.setattr(
            plugins,
            "fit_in_process",
            lambda _, data, __, seed, ___: additive.fit(data, {"max_bins": 8, "strengths": [300.0]}, seed),
        )
        earlier.setattr(training, "FEATURE_SET", small)
        earlier.setattr(training, "gates", lambda _: {"passed": True})
        service.train(tenant, opener(tenant))
    model = fallback.scoring_model(tenant, opener(tenant))
    assert model.version == "additive-1"
    X = np.random.default_rng(1).integers(0, 30, (50, len(FEATURES))).astype(np.float64)
    own = np.column_stack([X[:, NAMES.index(spec.name)] for spec in small.features])
    np.testing.assert_array_equal(model.raw_and_risk(X)[0], model.model.predict(own))
    base, themes = model.themes(X)
    each = model.model.explain(own)
    assert base == each.base
    for index, theme in enumerate(THEMES):
        mine = [place for place, spec in enumerate(small.features) if THEME_OF[spec.name] == theme.name]
        np.testing.assert_allclose(themes[:, index], each.contributions[:, mine].sum(axis=1), atol=1e-12)
    run = scoring.score(tenant, opener(tenant), DAY)
    assert (run.model_version, run.at_risk > 0) == ("additive-1", True)
    patient = next(row[0] for row in predictions(tenant, DAY) if row[1] == "at_risk")
    explained = explain.explain(tenant, opener(tenant), str(patient), DAY)
    whole = explained.base + sum(reason["contribution"] for reason in explained.reasons)
    assert whole + explained.other_contribution == pytest.approx(explained.raw_log_odds)


def test_a_model_of_an_earlier_definition_is_rejected_with_what_to_do(trained, preferred):
    preferred.features[3]["version"] = 7
    with pytest.raises(ModelFailed, match="takes features that this version of the platform does not compute") as error:
        serving.load(trained[0].ref, signed(trained[0].ref, preferred))
    assert f"{FEATURES[3].name} version 7 (the platform computes version 1)" in error.value.detail
    assert error.value.remedy == "train models again"


def test_a_model_of_a_feature_that_is_gone_is_rejected(trained, preferred):
    preferred.features[0]["name"] = "distance"
    with pytest.raises(ModelFailed, match=r"distance version 1 \(not computed any more\)"):
        serving.load(trained[0].ref, signed(trained[0].ref, preferred))


def test_the_same_version_with_other_categories_is_another_definition(trained, preferred):
    place = NAMES.index("regimen")
    preferred.features[place]["categories"] = preferred.features[place]["categories"][:-1]
    with pytest.raises(ModelFailed, match="regimen"):
        serving.load(trained[0].ref, signed(trained[0].ref, preferred))


def test_a_model_of_an_earlier_definition_that_is_still_registered_scores_on_it(trained, preferred, monkeypatch):
    place = NAMES.index("days_to_expected")
    stored = FeatureSpec.from_json({**preferred.features[place], "version": 7})
    preferred.features[place]["version"] = 7
    monkeypatch.setattr(earlier_inputs, "EARLIER", (registered(OTHER), registered(stored, theme="timing")))
    model = serving.load(trained[0].ref, signed(trained[0].ref, preferred))
    today = np.random.default_rng(2).integers(0, 30, (20, len(FEATURES))).astype(np.float64)
    X = np.column_stack([today, np.full(20, np.nan), np.full(20, 21.0)])
    assert X.shape[1] == len(columns())
    own = today.copy()
    own[:, place] = 21.0
    np.testing.assert_array_equal(model.raw_and_risk(X)[0], model.model.predict(own))
    timing = [theme.name for theme in THEMES].index("timing")
    mine = [index for index, name in enumerate(NAMES) if THEME_OF[name] == "timing"]
    np.testing.assert_allclose(
        model.themes(X)[1][:, timing], model.model.explain(own).contributions[:, mine].sum(axis=1), atol=1e-12
    )


def test_the_matrix_has_the_columns_of_earlier_definitions_after_those_of_today(monkeypatch):
    before = whole_matrix()
    monkeypatch.setattr(earlier_inputs, "EARLIER", (registered(OTHER, 7.0),))
    after = whole_matrix()
    np.testing.assert_array_equal(after[:, :-1], before)
    assert (after[:, -1] == 7.0).all()
    assert columns()[-1] == OTHER


def test_a_matrix_of_nobody_has_as_many_columns(monkeypatch):
    monkeypatch.setattr(earlier_inputs, "EARLIER", (registered(OTHER),))
    timelines, rules = make_timelines([]), CohortSettings()
    pending = pending_units(timelines, 10, rules)
    seen = pending.snapshot(timelines)
    rates = FacilityCounts(0, 10, rules).rates()
    assert compute(seen, episodes(seen, rules), pending_of(pending), rules, rates).shape == (0, len(FEATURES) + 1)


def test_a_model_may_take_nothing_of_a_theme():
    chosen = select([FEATURES[0]])
    np.testing.assert_array_equal(chosen.members.sum(axis=1), [1.0])
    assert chosen.by_theme(np.ones((2, 1))).shape == (2, len(THEMES))


def whole_matrix():
    """Features of people of whom every kind of fact is known, drawn from numbers that are the same on every machine."""
    rng = np.random.default_rng(11)
    cohort = clinics(60, facilities=3, seed=5)
    patient = np.repeat(np.arange(cohort.people), [len(days) for days in cohort.contacts])
    day = np.concatenate([np.asarray(days) for days in cohort.contacts])
    everyone = np.arange(cohort.people)
    codes = np.array(sorted(VARIABLE_CODES.values()))
    sampled = rng.integers(0, len(day), 6 * len(day))
    booked = day + INTERVAL
    timelines = make_timelines(
        cohort.uuids(),
        facility=cohort.facility,
        facilities=cohort.facilities(),
        profiles={
            "patient": everyone,
            "sex": cohort.sex,
            "birth": cohort.birth,
            "art_start": cohort.start + 500 * (everyone % 3),
            "transferred_in": everyone % 2,
            "known_from": cohort.start,
        },
        contacts={
            "patient": patient,
            "date": day,
            "kind": CLINICAL | PICKUP,
            "days_supplied": rng.integers(0, 90, day.size),
            "next_appointment": booked,
            "known_from": day,
            "regimen": rng.integers(-1, 4, day.size),
            "line": rng.integers(-1, 3, day.size),
        },
        bookings={
            "patient": patient,
            "booked": day,
            "due": booked + rng.integers(0, 60, day.size),
            "known_from": day,
        },
        observations={
            "patient": patient[sampled],
            "date": day[sampled],
            "variable": rng.choice(codes, sampled.size),
            "value": rng.integers(0, 3, sampled.size).astype(np.float64),
            "known_from": day[sampled],
        },
        regimens=("TDF/3TC/DTG", "AZT/3TC/EFV", "TDF/3TC/ATV", "d4T"),
        lines=("first", "second", "third"),
    )
    parts = []
    for rules in (CohortSettings(), CohortSettings(expected_from="bookings", grace_days=0, reporting_lag_days=0)):
        counts = FacilityCounts(END - 900, END, rules)
        counts.add(timelines)
        for known in range(END - 420, END + 1, 35):
            pending = pending_units(timelines, known, rules)
            seen = pending.snapshot(timelines)
            parts.append(compute(seen, episodes(seen, rules), pending_of(pending), rules, counts.rates()))
    return np.concatenate(parts)


def digests():
    """Version and digest of the values of each feature, by name; rounded, so that last bits do not count."""
    matrix = np.round(whole_matrix(), 4) + 0.0
    return {
        spec.name: [spec.version, sha256(np.ascontiguousarray(matrix[:, place]).tobytes()).hexdigest()[:16]]
        for place, spec in enumerate(FEATURES)
    }


def test_the_people_of_the_digests_tell_of_every_feature():
    matrix = whole_matrix()
    silent = [spec.name for place, spec in enumerate(FEATURES) if len(np.unique(matrix[:, place])) < 2]
    assert silent == []


def test_a_definition_that_gives_other_values_has_another_version():
    """After a change, raise ``version`` of the feature and of ``FEATURE_SET``, and run this file as a script."""
    recorded, present = json.loads(DEFINITIONS.read_text()), digests()
    before = recorded["features"]
    same = [name for name, (version, _) in present.items() if name in before and before[name][0] == version]
    changed = [name for name in same if present[name] != before[name]]
    assert changed == [], "these definitions give other values: raise their versions in input_list.py"
    if list(present.items()) != list(before.items()):
        assert FEATURE_SET.version > recorded["version"], "the features changed: raise the version of FEATURE_SET"
    assert {"version": FEATURE_SET.version, "features": present} == recorded, "run this file as a script"


if __name__ == "__main__":
    written = {"version": FEATURE_SET.version, "features": digests()}
    DEFINITIONS.write_text(json.dumps(written, indent=1) + "\n")
