from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenants.cohort.expected import FROM_APPOINTMENT, FROM_RULE, FROM_SUPPLY, FROM_UNREAD, episodes
from tenants.cohort.settings import CohortSettings, FixedRule, ScheduleBand, ScheduleRule, UsualIntervalRule
from tenants.cohort.timeline_builder import make_timelines
from tenants.cohort.timelines import BOOKING_CANCELLED, BOOKING_KEPT, BOOKING_MISSED, BOOKING_SCHEDULED, NO_DAY
from tests.tenants.cohort.histories import Contact, History, Walk, histories, rules, timelines_of

FIXED = CohortSettings(rule=FixedRule(days=30))


def expected(history: History, rules: CohortSettings = FIXED) -> list[int]:
    return episodes(timelines_of([history]), rules).expected.tolist()


def test_the_later_of_appointment_and_supply_and_else_the_rule() -> None:
    history = History(contacts=(Contact(0, appointment=14, supply=90), Contact(100, 170, supply=60), Contact(300)))
    table = episodes(timelines_of([history]), FIXED)
    assert table.expected.tolist() == [90, 170, 330]
    assert table.source.tolist() == [FROM_SUPPLY, FROM_APPOINTMENT, FROM_RULE]
    assert table.fulfilled.tolist() == [100, 300, NO_DAY]
    assert not table.unread.any()


@pytest.mark.parametrize(
    ("by", "days"),
    [
        ("later", [180, 180, 180]),
        ("earlier", [14, 180, 170]),
        ("appointment", [14, 180, 170]),
        ("supply", [180, 180, 180]),
        ("stock", [180, 210, 210]),
    ],
)
def test_the_tenant_chooses_what_the_expected_contact_is_known_by(by: str, days: list[int]) -> None:
    contacts = (Contact(0, appointment=14, supply=180), Contact(20, supply=30), Contact(160, appointment=170))
    assert expected(History(contacts=contacts), CohortSettings(expected_by=by, rule=FixedRule(days=30))) == days


def test_an_appointment_lapses_when_a_newer_contact_gives_one() -> None:
    assert expected(History(contacts=(Contact(0, appointment=90), Contact(10, appointment=40)))) == [90, 40]


def test_an_appointment_stands_after_a_contact_that_gives_none() -> None:
    assert expected(History(contacts=(Contact(0, appointment=90), Contact(10, supply=20)))) == [90, 90]


def test_an_early_visit_never_shortens_a_supply() -> None:
    assert expected(History(contacts=(Contact(0, supply=180), Contact(10, appointment=24), Contact(15)))) == [180] * 3


def test_the_rules_days_of_a_pick_up_count_as_its_supply() -> None:
    assert expected(History(contacts=(Contact(0, supply=-1), Contact(5, appointment=12)))) == [30, 30]


def test_days_left_at_an_early_refill_add_up_only_as_stock() -> None:
    contacts = (Contact(0, supply=30), Contact(25, supply=30), Contact(100, supply=30))
    assert expected(History(contacts=contacts), CohortSettings(expected_by="stock")) == [30, 60, 130]
    assert expected(History(contacts=contacts), CohortSettings(expected_by="supply")) == [30, 55, 130]


@pytest.mark.parametrize("appointment", [-5, 0, 400, 9000])
def test_an_implausible_appointment_is_ignored(appointment: int) -> None:
    assert expected(History(contacts=(Contact(0, appointment=appointment, supply=60),))) == [60]


def test_a_supply_that_is_not_recorded_is_supposed_by_the_rule() -> None:
    table = episodes(timelines_of([History(contacts=(Contact(0, supply=-1),))]), FIXED)
    assert (table.expected.tolist(), table.unread.tolist()) == ([30], [False])


@pytest.mark.parametrize("supply", [367, 900, 5000])
def test_a_supply_that_cannot_be_believed_leaves_the_expected_day_unknown(supply: int) -> None:
    table = episodes(timelines_of([History(contacts=(Contact(0, supply=supply),))]), FIXED)
    assert (table.source.tolist(), table.unread.tolist()) == ([FROM_UNREAD], [True])
    history = History(contacts=(Contact(0, appointment=60, supply=supply),))
    table = episodes(timelines_of([history]), FIXED)
    assert (table.expected.tolist(), table.unread.tolist()) == ([60], [False])


def test_an_appointment_399_days_ahead_holds() -> None:
    assert expected(History(contacts=(Contact(0, appointment=399),))) == [399]


def test_the_running_maximum_does_not_pass_from_one_patient_to_the_next() -> None:
    timelines = timelines_of([History(contacts=(Contact(0, 300),)), History(contacts=(Contact(0, 10),))])
    assert episodes(timelines, FIXED).expected.tolist() == [300, 10]


def test_a_schedule_goes_by_months_on_art() -> None:
    bands = (ScheduleBand(start=0, days=14), ScheduleBand(start=3, days=60), ScheduleBand(start=12, days=180))
    rule = CohortSettings(rule=ScheduleRule(bands=bands))
    history = History(contacts=(Contact(-20), Contact(10), Contact(120), Contact(400)), art_start=0)
    assert expected(history, rule) == [-6, 24, 180, 580]


def test_the_usual_interval_is_learnt_from_earlier_intervals_only() -> None:
    rule = CohortSettings(rule=UsualIntervalRule(default_days=30, minimum=2, window=3, shortest=20, longest=100))
    history = History(contacts=tuple(Contact(day) for day in (0, 60, 120, 180, 500)))
    assert expected(history, rule) == [30, 90, 180, 240, 560]
    earlier = History(contacts=history.contacts[:3])
    assert expected(earlier, rule) == [30, 90, 180]


def test_the_usual_interval_is_bounded() -> None:
    rule = CohortSettings(rule=UsualIntervalRule(default_days=30, minimum=1, window=3, shortest=20, longest=100))
    assert expected(History(contacts=(Contact(0), Contact(5), Contact(400))), rule) == [30, 25, 500]


def test_the_trimmed_mean_leaves_out_the_extremes() -> None:
    rule = UsualIntervalRule(default_days=30, minimum=2, window=5, statistic="trimmed_mean")
    days = np.cumsum([0, 30, 30, 60, 300])
    history = History(contacts=tuple(Contact(int(day)) for day in days))
    assert expected(history, CohortSettings(rule=rule))[-1] == days[-1] + 45


def test_two_versions_of_one_day_are_rejected() -> None:
    timelines = make_timelines(timelines_of([History()]).patient_uuid, contacts={"patient": [0, 0], "date": [1, 1]})
    with pytest.raises(ValueError, match="take a snapshot"):
        episodes(timelines, FIXED)


def test_each_booking_is_its_own_and_they_may_overlap() -> None:
    rules = CohortSettings(expected_from="bookings")
    timelines = make_timelines(
        timelines_of([History()]).patient_uuid,
        contacts={"patient": [0], "date": [25]},
        bookings={
            "patient": [0, 0, 0, 0, 0],
            "booked": [0, 1, 2, 3, 4],
            "due": [20, 10, 15, 30, 40],
            "status": [BOOKING_MISSED, BOOKING_KEPT, BOOKING_MISSED, BOOKING_CANCELLED, BOOKING_SCHEDULED],
        },
    )
    table = episodes(timelines, rules)
    assert table.expected.tolist() == [20, 10, 15, 40]
    assert table.fulfilled.tolist() == [25, 10, 25, NO_DAY]


@settings(max_examples=100, deadline=None)
@given(st.lists(histories(), min_size=1, max_size=5), rules)
def test_expected_days_are_those_of_the_rules_walked_through(people: list[History], rules: CohortSettings) -> None:
    table = episodes(timelines_of(people), rules)
    for index, history in enumerate(people):
        walk, walked = Walk(history, rules), []
        for contact in sorted(history.contacts, key=lambda c: c.day):
            walk.expect(contact)
            walked.append(walk.expected)
        assert table.expected[table.offsets[index] : table.offsets[index + 1]].tolist() == walked
