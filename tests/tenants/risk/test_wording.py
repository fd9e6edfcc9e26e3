"""Reasons in words a tracker understands."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plugins.sdk import Explanation, sigmoid
from tenants.risk.calibration import Calibrator
from tenants.risk.input_list import FEATURES, NAMES, THEMES
from tenants.risk.input_sets import select
from tenants.risk.reliability import EMPTY
from tenants.risk.serving import ServingModel
from tenants.risk.wording import _WORDS, LEAST, changing, raising, sentence, strongest, summary

INDEX = {theme.name: index for index, theme in enumerate(THEMES)}
NOTHING = {
    "expected_source": 1,
    "interruptions": 0,
    "contacts": 1,
    "contacts_365": 1,
    "regimen": 0,
    "regimen_line": 0,
    "sex": 0,
    "pregnancy": 0,
    "other_pending": 0,
    "transferred_in": 0,
    "viral_load_samples": 0,
    "cd4_samples": 0,
    "expected_weekday": 0,
    "expected_month": 0,
    "not_recorded": 7,
    "days_to_expected": 3,
    "lead_days": 30,
}


def row(**values):
    known = {**NOTHING, **values}
    return np.array([known.get(name, np.nan) for name in NAMES], dtype=np.float64)


def text(theme, **values):
    return _WORDS[theme](dict(zip(NAMES, row(**values).tolist(), strict=True)))


@pytest.mark.parametrize(
    ("theme", "values", "words"),
    [
        ("lateness", {"days_late_last": 12, "days_supplied": 30}, "12 days late at the last refill"),
        ("lateness", {"days_late_last": 1}, "1 day late at the last visit"),
        ("lateness", {"days_late_last": 0, "expected_source": 4}, "on time at the last appointment"),
        ("lateness", {"days_late_last": 100}, "100 days or more late at the last visit"),
        (
            "lateness",
            {"days_late_last": 3, "late_0_last_5": 4},
            "3 days late at the last visit, late at 4 of the last 5",
        ),
        ("lateness", {}, "lateness at earlier visits is not known"),
        ("interruptions", {"interruptions": 2}, "2 earlier interruptions"),
        (
            "interruptions",
            {"interruptions": 1, "days_since_interruption": 45},
            "1 earlier interruption, back for 45 days",
        ),
        ("interruptions", {}, "no earlier interruption"),
        (
            "interval",
            {"interval_median": 30, "interval_irregularity": 0.7},
            "usually comes every 30 days, irregularly; now asked for 30 days",
        ),
        ("treatment", {"days_on_art": 400}, "13 months on ART"),
        ("viral_load", {"viral_load_log10": 3, "viral_load_age": 90}, "last viral load 1,000 copies/mL, 3 months ago"),
        (
            "viral_load",
            {"viral_load_samples": 1, "viral_load_sample_age": 10},
            "viral load sample 10 days ago, no result",
        ),
        ("cd4", {"cd4": 350, "cd4_age": 800}, "last CD4 350 cells/mm3, 2 years ago"),
        ("supply", {"days_supplied": 90, "regimen": 1}, "90 days of ARVs given last, regimen: dolutegravir"),
        ("clinical", {"adherence": 0, "pregnancy": 2}, "adherence poor, pregnant"),
        ("person", {"age": 23.7, "sex": 1}, "23 years old, female"),
        ("facility", {"facility_rate": 0.31}, "31% interrupted at the facility in the year before"),
        ("calendar", {"expected_weekday": 4, "expected_month": 11}, "expected on a Friday in December"),
        ("timing", {"days_to_expected": 0}, "expected on the day, 30 days after it was set"),
    ],
)
def test_each_theme_is_told_in_plain_words(theme, values, words):
    assert text(theme, **values) == words


@pytest.mark.parametrize("theme", list(INDEX))
def test_every_theme_has_words_for_someone_of_whom_little_is_recorded(theme):
    assert text(theme)
    assert "nan" not in text(theme)


def test_contributions_of_columns_add_up_to_those_of_themes():
    rng = np.random.default_rng(2)
    contributions = rng.normal(size=(20, len(NAMES)))
    themes = select(FEATURES).by_theme(contributions)
    assert themes.shape == (20, len(THEMES))
    np.testing.assert_allclose(themes.sum(axis=1), contributions.sum(axis=1))


def test_only_what_raises_the_risk_is_a_reason_strongest_first():
    themes = np.full(len(THEMES), -0.1)
    themes[INDEX["lateness"]], themes[INDEX["interruptions"]] = 0.4, 0.9
    reasons = raising(row(days_late_last=12, days_supplied=30, interruptions=2), themes, 3)
    assert sentence(reasons) == "2 earlier interruptions; 12 days late at the last refill"
    assert [reason["contribution"] for reason in reasons] == [0.9, 0.4]


# What is shown never contradicts itself or the score

GOOD_NEWS = {"on time", "no earlier interruption", ", regularly", "adherence good"}
BAD_NEWS = {"days late", "day late", "late at", "earlier interruption,", "earlier interruptions", "irregularly", "poor"}
VALUES = {
    "days_late_last": [np.nan, 0, 1, 12, 100],
    "late_0_last_3": [0, 1, 3],
    "late_0_last_5": [np.nan, 0, 2, 5],
    "days_late_max_10": [np.nan, 0, 5, 40],
    "days_supplied": [np.nan, 30, 90],
    "interruptions": [0, 1, 3],
    "days_since_interruption": [np.nan, 45],
    "interval_median": [np.nan, 30],
    "interval_irregularity": [np.nan, 0.1, 0.3, 0.9],
    "viral_load_log10": [np.nan, 1.5, 4.7],
    "viral_load_age": [90],
    "cd4": [np.nan, 90, 250, 600],
    "cd4_age": [90],
    "adherence": [np.nan, 0, 1, 2],
    "who_stage": [np.nan, 1, 4],
    "age": [np.nan, 23],
}
ROWS = st.fixed_dictionaries({name: st.sampled_from(choices) for name, choices in VALUES.items()}).map(
    lambda values: row(**values)
)
ADDED = st.lists(
    st.one_of(st.floats(-2, 2), st.sampled_from([0.0, LEAST, -LEAST, 0.0004, -0.0004])),
    min_size=len(THEMES), max_size=len(THEMES),
).map(np.array)  # fmt: skip


def good_news(text):
    advanced = "WHO stage 3" in text or "WHO stage 4" in text
    return any(words in text for words in GOOD_NEWS) and not bad_news(text) and not advanced


def bad_news(text):
    words = text.replace("no earlier interruption", "").replace("fairly regularly", "")
    return any(phrase in words for phrase in BAD_NEWS)


@given(ROWS, ADDED)
def test_no_reason_reads_as_the_opposite_of_what_it_does(features, added):
    for reason in [*changing(features, added), *raising(features, added, 10)]:
        if reason["theme"] in {"lateness", "interruptions", "interval", "clinical"}:
            assert not (reason["contribution"] > 0 and good_news(reason["text"])), reason
            assert not (reason["contribution"] < 0 and bad_news(reason["text"])), reason


@given(ROWS, ADDED)
def test_no_reason_is_smaller_than_what_is_said_of_it_and_none_comes_twice(features, added):
    reasons = changing(features, added)
    assert all(abs(reason["contribution"]) >= LEAST for reason in reasons)
    assert len({reason["theme"] for reason in reasons}) == len(reasons)
    sizes = [abs(reason["contribution"]) for reason in reasons]
    assert sizes == sorted(sizes, reverse=True)
    assert [reason for reason in reasons if reason["contribution"] > 0][:3] == raising(features, added, 3)


class Fixed:
    """A model whose explanation is given."""

    features = FEATURES

    def __init__(self, base, added):
        self._base, self._log_odds = base, base + added.sum()
        self._contributions = np.zeros((1, len(NAMES)))
        for index, theme in enumerate(THEMES):
            self._contributions[0, NAMES.index(theme.specs[0].name)] = added[index]

    def predict(self, X):
        return sigmoid(np.full(len(X), self._log_odds))

    def explain(self, _X):
        return Explanation(self._base, self._contributions)

    def summary(self):
        return {}


CALIBRATORS = st.sampled_from(
    [
        None,
        Calibrator("logistic", {"intercept": 0.4, "slope": 0.6}, 1, 1, 1, {}),
        Calibrator("logistic", {"intercept": -1.0, "slope": 0.0}, 1, 1, 1, {}),
        Calibrator("beta", {"a": 0.7, "b": 1.4, "c": 0.2}, 1, 1, 1, {}),
        Calibrator("isotonic", {"x": [0.1, 0.3, 0.8], "y": [0.05, 0.05, 0.7]}, 1, 1, 1, {}),
    ]
)


@given(ROWS, ADDED, st.floats(-3, 1), CALIBRATORS)
@example(row(days_late_last=0), np.zeros(len(THEMES)), -0.6, None)
def test_the_summary_never_contradicts_the_score(features, added, base, calibrator):
    model = ServingModel(None, "fixed-1", Fixed(base, added), calibrator, EMPTY, select(FEATURES))
    risk = float(model.raw_and_risk(features[None, :])[1][0])
    found_base, themes = model.themes(features[None, :])
    usual = model.usual_risk(found_base)
    total = themes.sum()
    reasons = changing(features, themes[0])
    text = summary(risk, usual, strongest(reasons))
    assert text
    if text.startswith("about"):
        assert f"{risk:.0%}" == f"{usual:.0%}"
        return
    assert f"{risk:.0%}" != f"{usual:.0%}"
    assert text.startswith("below") == (risk < usual) == (total < 0)
    if total > 0 and any(reason["contribution"] > 0 for reason in reasons):
        assert text == sentence([reason for reason in reasons if reason["contribution"] > 0][:3])


@given(ROWS, ADDED)
def test_reasons_and_what_is_left_out_add_up_to_the_difference_from_the_usual_risk(features, added):
    reasons = changing(features, added)
    other = added.sum() - sum(reason["contribution"] for reason in reasons)
    left_out = added.sum() - sum(added[INDEX[reason["theme"]]] for reason in reasons)
    assert other == pytest.approx(left_out, abs=1e-5)


@pytest.mark.parametrize(
    ("risk", "usual", "words"),
    [
        (0.35, 0.35, "about the usual risk of 35%"),
        (0.12, 0.20, "below the usual risk of 20%"),
        (0.41, 0.20, "above the usual risk of 20%: no single reason stands out"),
        (0.41, None, "no single reason stands out"),
    ],
)
def test_someone_without_reasons_is_placed_against_the_usual_risk(risk, usual, words):
    assert summary(risk, usual, []) == words
