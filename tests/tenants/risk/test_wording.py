"""Reasons in words a tracker understands."""

from __future__ import annotations

import numpy as np
import pytest

from tenants.risk.feature_list import NAMES, THEMES
from tenants.risk.wording import by_theme, raising, sentence, told

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
    given = {**NOTHING, **values}
    return np.array([given.get(name, np.nan) for name in NAMES], dtype=np.float64)


def text(theme, **values):
    return told(row(**values), INDEX[theme], 0.5)["text"]


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
        ("lateness", {}, "no earlier visit to judge by"),
        ("interruptions", {"interruptions": 2}, "2 earlier interruptions"),
        (
            "interruptions",
            {"interruptions": 1, "days_since_interruption": 45},
            "1 earlier interruption, back since 45 days",
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
    themes = by_theme(contributions)
    assert themes.shape == (20, len(THEMES))
    np.testing.assert_allclose(themes.sum(axis=1), contributions.sum(axis=1))


def test_only_what_raises_the_risk_is_a_reason_strongest_first():
    themes = np.full(len(THEMES), -0.1)
    themes[INDEX["lateness"]], themes[INDEX["interruptions"]] = 0.4, 0.9
    found = raising(row(days_late_last=12, days_supplied=30, interruptions=2), themes, 3)
    assert sentence(found) == "2 earlier interruptions; 12 days late at the last refill"
    assert [reason["contribution"] for reason in found] == [0.9, 0.4]
