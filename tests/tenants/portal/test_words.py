"""The words of a card."""

from typing import get_args
from uuid import uuid4

import pytest

from tenants.followup.outcomes import OUTCOMES, ReasonName
from tenants.followup.today import Card
from tenants.portal import patient_words, words
from tenants.portal.words import grouped


@pytest.mark.parametrize(
    ("phone", "shown"),
    [("08000000412", "0800 000 0412"), ("+2348000000412", "+2348000000412"), ("0800 000 0412", "0800 000 0412")],
)
def test_a_national_number_is_shown_in_groups_and_any_other_as_it_is(phone, shown):
    assert grouped(phone) == shown


def card(score, level="high", raising=(), lowering=()):
    nothing = dict.fromkeys(("expected_date", "identity", "last_outcome", "last_day", "promised_for"))
    facts = {"facility": "F1", "clinic": "Clinic", "sex": "F", "age": 30, "days_late": 0, "attempts": 0}
    return Card(
        patient_id=uuid4(), score=score, risk_level=level, raising=raising, lowering=lowering, **facts, **nothing
    )


LATE, WELL = ("12 days late at the last refill",), ("last viral load 40 copies/mL",)


@pytest.mark.parametrize(
    ("shown", "usual", "sentence"),
    [
        (card(0.4, raising=LATE), 0.1, "12 days late at the last refill."),
        (card(0.04, raising=LATE), 0.1, "12 days late at the last refill. Still below the usual risk of 10%."),
        (card(0.04, lowering=WELL), 0.1, "Below the usual risk of 10%. Last viral load 40 copies/mL."),
        (card(0.102, raising=LATE), 0.1, "12 days late at the last refill. About the usual risk of 10%."),
        (card(0.4), 0.1, "Above the usual risk of 10%; no single reason stands out."),
        (card(0.4), None, "No single reason stands out."),
        (card(0.0, "late", raising=("in IIT by the partner's own list",)), 0.1, "Interrupted, by your own list."),
    ],
)
def test_a_card_gives_its_reasons_and_then_how_the_risk_compares(shown, usual, sentence):
    assert words.why(shown, usual) == sentence


@pytest.mark.parametrize(
    ("shown", "text"),
    [(card(0.042), "1 in 24"), (card(0.72), "7 in 10"), (card(0.5, "late"), "")],
)
def test_odds_are_said_in_whole_people(shown, text):
    assert words.odds(shown) == text


def test_badges_of_the_order_at_a_clinic_say_nothing_of_the_risk():
    assert [words.LEVELS[level][0] for level in ("high", "medium", "low")] == ["Call first", "Call next", "Call later"]


def test_pages_have_words_for_each_outcome_and_reason_of_the_vocabulary():
    assert set(words.OUTCOMES) == set(OUTCOMES)
    assert [code for code in patient_words.REASONS if code] == list(get_args(ReasonName))
