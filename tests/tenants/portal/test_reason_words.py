"""Reasons of risks in the reader's language: every sentence that the scoring writes is known, and is translated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.web.stored_texts import is_known
from core.web.texts import reading_in
from tenants.portal.reason_words import clauses_of, reason_text
from tenants.risk.input_list import FEATURES, MONTHS, NAMES, WEEKDAYS
from tenants.risk.wording import _WORDS

AMOUNTS = st.one_of(st.just(float("nan")), st.integers(0, 900).map(float), st.floats(0, 2000))
OVER = {"viral_load_log10": st.floats(0, 7), "facility_rate": st.floats(0, 1), "weight_change": st.floats(-20, 20)}
NEVER_MISSING = {"interruptions", "contacts", "contacts_365", "other_pending", "transferred_in", "not_recorded"}
NEVER_MISSING |= {"viral_load_samples", "cd4_samples", "regimen_switches", "days_to_expected", "lead_days"}
SIZES = {feature.name: len(feature.categories) for feature in FEATURES if feature.categories}
SIZES |= {"expected_weekday": len(WEEKDAYS), "expected_month": len(MONTHS), "adherence": 3, "who_stage": 5}


def values_of(name):
    if name in SIZES:
        return st.integers(0, SIZES[name] - 1).map(float)
    if name in OVER:
        return st.one_of(st.just(float("nan")), OVER[name])
    if name in NEVER_MISSING:
        return st.integers(0, 900).map(float)
    return AMOUNTS


ROWS = st.fixed_dictionaries({name: values_of(name) for name in NAMES})


@given(ROWS)
def test_every_clause_of_every_reason_is_known(row):
    row = {**row, "viral_load_age": 90.0, "cd4_age": 90.0, "viral_load_sample_age": 9.0, "cd4_sample_age": 9.0}
    row = {**row, **{name: 0.0 for name in ("late_0_last_3", "days_late_max_10") if np.isnan(row[name])}}
    for words in _WORDS.values():
        text = words(row)
        for code in ("fr", "pt"):
            assert [clause for clause in clauses_of(text) if not is_known(clause, code)] == [], text
            with reading_in(code):
                assert reason_text(text) != text or text in ("CD4", "regular")
        assert reason_text(text) == text


@pytest.mark.parametrize(
    ("code", "english", "shown"),
    [
        ("fr", "1 day late at the last refill, late at 2 of the last 5", "1 jour de retard au dernier retrait, "),
        (
            "fr",
            "last viral load 12,500 copies/mL, 3 months ago",
            "dernière charge virale 12 500 copies/mL, il y a 3 mois",
        ),
        ("pt", "2 earlier interruptions, back for 45 days", "2 interrupções anteriores, de volta há 45 dias"),
        ("pt", "expected on a Friday in December", "dia esperado: sexta-feira, em dezembro"),
        ("fr", "a sentence of a later version", "a sentence of a later version"),
    ],
)
def test_numbers_spans_and_words_are_those_of_the_language(code, english, shown):
    with reading_in(code):
        assert reason_text(english).replace("\u202f", " ").replace("\xa0", " ").startswith(shown)
