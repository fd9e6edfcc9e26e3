"""The words of a card."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import get_args
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from core.web.texts import reading_in
from tenants.alerts.schemas import AlertEventOut
from tenants.followup.outcomes import OUTCOMES, ReasonName
from tenants.followup.today import Card, Cut, Today
from tenants.followup.waiting import Clinic
from tenants.portal import alert_history_words, message_words, patient_words, words
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


DAY = date(2026, 5, 1)
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


@pytest.mark.parametrize(
    ("risk", "usual", "level"),
    [
        (0.30, 0.1, "high"), (0.19, 0.1, "high"), (0.18, 0.1, "medium"), (0.102, 0.1, "low"), (0.04, 0.1, "low"),
        (0.9, None, "high"), (0.6, 0.5, "medium"), (0.7, 0.5, "high"),
    ],
)  # fmt: skip
def test_the_level_of_a_card_compares_with_the_usual_risk_whatever_the_capacity(risk, usual, level):
    assert words.level_of("high", risk, usual) == level


def test_all_with_the_usual_risk_are_not_raised_and_equals_are_told():
    assert words.level_of("high", 0.1, 0.1) == "low"
    assert words.tie(replace(card(0.1), equals=1)).startswith("1 other person here has the same risk")
    assert words.tie(replace(card(0.1), equals=7)).startswith("7 other people here have the same risk")
    assert words.tie(card(0.1)) == ""


def test_words_and_shapes_of_the_levels_differ_by_more_than_colour():
    of_risk = [words.LEVELS[level] for level in ("high", "medium", "low")]
    assert [len(set(column)) for column in zip(*of_risk, strict=True)] == [3, 3]


@pytest.mark.parametrize(
    ("facts", "clinics", "text"),
    [
        ((20, 74, 20, 14), 1, "20 of 74 people at risk and due within 14 days; your capacity is 20 a day"),
        ((40, 74, 20, 365), 2, "40 of 74 people at risk; each clinic's capacity is 20 a day"),
        ((1, 1, 20, 14), 1, "1 person at risk and due within 14 days"),
        ((0, 0, 20, 14), 1, ""),
    ],
)
def test_a_list_says_of_how_many_it_is_a_part(facts, clinics, text):
    places = [Clinic(f"F{number}", "Clinic", 1) for number in range(clinics)]
    work = Today("at_risk", DAY, DAY, None, "m", 0.1, 0.3, {"at_risk": places}, [], cut=Cut(*facts))
    assert words.cut(work) == text


def test_pages_have_words_for_each_outcome_and_reason_of_the_vocabulary():
    assert set(words.OUTCOMES) == set(OUTCOMES)
    assert [code for code in patient_words.REASONS if code] == list(get_args(ReasonName))


@pytest.mark.parametrize(
    ("act", "detail", "words"),
    [
        ("changed", {"count": 12, "new": 3, "returned": 1, "left_care": 2},
         "12 now · 3 of them new · 1 person came back · 2 people left care"),
        ("changed", {"count": 1, "new": 0, "returned": 0, "left_care": 0}, "1 now"),
        ("changed", {"ended": True}, "its cause has ended"),
        ("resolved", {"returned": 4, "left_care": 0, "why": "cause_ended"}, "its cause has ended · 4 people came back"),
        ("resolved", {"why": "channel", "who": "U1"}, "U1"),
        ("deferred", {"why": "quiet", "until": "2026-12-25T06:00:00+00:00"},
         "quiet hours until 25 Dec 2026, 07:00"),
        ("notified", {"channels": 2, "policy": True}, "2 channels · by an escalation policy"),
        ("escalated", {"step": 2, "person": "7", "reached": False}, "step 2 · Ada · nobody could be notified"),
        ("assigned", {"person": "7"}, "Ada"),
        ("snoozed", {"minutes": 240}, "for 4 hours"),
        ("snoozed", {"minutes": 1440}, "for 1 day"),
        ("acknowledged", {}, ""),
    ],
)  # fmt: skip
def test_the_history_of_an_alert_says_what_happened_with_its_figures(act, detail, words):
    entry = AlertEventOut(at=datetime(2026, 12, 1, tzinfo=UTC), act=act, actor="system:alerts", detail=detail)
    assert alert_history_words.details(entry, {"person:7": "Ada"}, ZoneInfo("Africa/Lagos")) == words


def test_the_history_of_an_alert_says_that_no_route_led_to_a_channel():
    facts = {"at": datetime(2026, 12, 1, tzinfo=UTC), "act": "notified", "actor": "system:alerts"}
    none, one = (AlertEventOut(**facts, detail={"channels": channels, "policy": False}) for channels in (0, 1))
    assert alert_history_words.act_words(none) == "No route leads to a channel, so nobody was notified"
    assert alert_history_words.act_words(one) == "Its channels were notified"


def test_a_timeline_says_why_a_message_did_not_arrive_with_the_readers_own_punctuation():
    report = {"state": "failed", "reason": "30003"}
    with reading_in("fr"):
        assert message_words.report_words(report).endswith("arrivé : 30003")
