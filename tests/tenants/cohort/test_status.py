from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenants.cohort.settings import CohortSettings, FixedRule
from tenants.cohort.status import REASONS, STATUSES, day_known, last_transition, status_at, transitions
from tenants.cohort.timeline_builder import make_rows, make_timelines
from tenants.cohort.timelines import (
    DIED,
    INVALIDATED,
    NO_DAY,
    NO_WORD,
    STOPPED,
    THEIRS_ACTIVE,
    THEIRS_IIT,
    TRANSFERRED_IN,
    TRANSFERRED_OUT,
    States,
    current,
    snapshot,
)
from tenants.cohort.waiting import waiting
from tests.tenants.cohort.histories import LAST, Contact, Gap, History, State, Walk, histories, rules, timelines_of

RULES = CohortSettings(rule=FixedRule(days=30))


def statuses(history: History, *days: int, rules: CohortSettings = RULES) -> list[str]:
    timelines = timelines_of([history])
    moves = transitions(timelines, rules)
    return [STATUSES[code] for code in status_at(moves, [0] * len(days), list(days))]


def test_day_28_past_the_expected_contact_is_on_treatment_and_day_29_is_iit() -> None:
    history = History(contacts=(Contact(0, appointment=30),), art_start=0)
    assert statuses(history, -1, 0, 30, 58, 59) == ["none", "active", "active", "active", "iit"]


@pytest.mark.parametrize("grace", [0, 7, 90])
def test_grace_is_the_tenants(grace: int) -> None:
    history = History(contacts=(Contact(0, appointment=30),), art_start=0)
    rules = CohortSettings(grace_days=grace)
    assert statuses(history, 30 + grace, 31 + grace, rules=rules) == ["active", "iit"]


def test_a_contact_on_day_29_ends_an_interruption_that_it_began_with() -> None:
    moves = transitions(timelines_of([History(contacts=(Contact(0, 30), Contact(59, 400)), art_start=0)]), RULES)
    assert [(int(d), STATUSES[s]) for d, s in zip(moves.date[:3], moves.after[:3], strict=True)] == [
        (0, "active"),
        (59, "iit"),
        (59, "active"),
    ]


def test_an_earlier_longer_supply_holds_on_after_a_short_visit() -> None:
    history = History(contacts=(Contact(0, supply=180), Contact(10, appointment=24)), art_start=0)
    assert statuses(history, 24 + 29, 180 + 28, 180 + 29) == ["active", "active", "iit"]


def test_death_is_final_until_its_record_is_voided() -> None:
    died = History(contacts=(Contact(0, 30), Contact(50, 80)), states=(State(DIED, 40),), art_start=0)
    assert statuses(died, 40, 50, 300) == ["died", "died", "died"]
    undone = History(contacts=died.contacts, states=(State(DIED, 40, known_to=45),), art_start=0)
    assert statuses(undone, 40, 50) == ["active", "active"]


def test_a_contact_after_a_transfer_is_a_return_and_one_on_the_day_is_not() -> None:
    left = (State(TRANSFERRED_OUT, 20),)
    assert statuses(History(contacts=(Contact(0, 30), Contact(20, 50)), states=left, art_start=0), 20, 200) == [
        "transferred_out",
        "transferred_out",
    ]
    back = History(contacts=(Contact(0, 30), Contact(21, 50)), states=left, art_start=0)
    assert statuses(back, 20, 21, 79) == ["transferred_out", "active", "iit"]


def test_who_left_does_not_become_interrupted() -> None:
    for code, name in ((TRANSFERRED_OUT, "transferred_out"), (STOPPED, "stopped")):
        history = History(contacts=(Contact(0, 30),), states=(State(code, 10),), art_start=0)
        assert statuses(history, 9, 10, 400) == ["active", name, name]


def test_transferred_in_counts_from_the_transfer_not_from_the_start_of_art_elsewhere() -> None:
    history = History(
        contacts=(Contact(100, 130),), states=(State(TRANSFERRED_IN, 90),), art_start=-150, transferred_in=True
    )
    moves = transitions(timelines_of([history]), RULES)
    assert (int(moves.date[0]), REASONS[moves.reason[0]]) == (90, "transferred_in")
    assert statuses(history, 0, 89, 90) == ["none", "none", "active"]


def test_who_has_a_contact_that_cannot_be_read_is_unknown_and_not_late() -> None:
    contacts = (Contact(0, appointment=30),)
    assert statuses(History(contacts, gaps=(Gap(20),), art_start=0), 30, 31, 400) == ["active", "unknown", "unknown"]
    assert statuses(History(contacts, gaps=(Gap(200),), art_start=0), 31, 59, 400) == ["unknown"] * 3
    came = History((*contacts, Contact(100, appointment=130)), gaps=(Gap(80),), art_start=0)
    assert statuses(came, 31, 99, 100, 158, 159) == ["unknown", "unknown", "active", "active", "iit"]
    closed = History(contacts, gaps=(Gap(20, known_to=40),), art_start=0)
    assert statuses(closed, 31, 59) == ["active", "iit"]


def test_a_list_from_before_the_last_contact_makes_nobody_unknown() -> None:
    history = History((Contact(0, 30), Contact(30, 60)), gaps=(Gap(25),), art_start=0)
    assert statuses(history, 60, 88, 89) == ["active", "active", "iit"]


def test_the_partners_own_word_decides_where_a_contact_cannot_be_read() -> None:
    contacts = (Contact(0, appointment=30),)
    active = History(contacts, gaps=(Gap(100, THEIRS_ACTIVE),), art_start=0)
    assert statuses(active, 59, 100, 128, 129) == ["active", "active", "active", "unknown"]
    lost = History(contacts, gaps=(Gap(100, THEIRS_IIT),), art_start=0)
    assert statuses(lost, 30, 31, 99, 100, 400) == ["active", "unknown", "unknown", "iit", "iit"]
    moves = transitions(timelines_of([lost]), RULES)
    assert [REASONS[reason] for reason in moves.reason] == ["new", "unread", "partner_list"]
    latest = History(contacts, gaps=(Gap(100, THEIRS_ACTIVE), Gap(110, THEIRS_IIT)), art_start=0)
    assert statuses(latest, 109, 110) == ["unknown", "iit"]


def test_a_supply_that_cannot_be_believed_makes_nobody_late() -> None:
    assert statuses(History((Contact(0, supply=900),), art_start=0), 30, 31, 400) == ["active", "unknown", "unknown"]


def test_an_invalidated_record_is_final_and_no_contact_brings_it_back() -> None:
    history = History((Contact(0, 30), Contact(50, 400)), states=(State(INVALIDATED, 40),), art_start=0)
    assert statuses(history, 39, 40, 50, 300) == ["active", "invalid", "invalid", "invalid"]


def test_whose_day_of_death_is_not_known_is_told() -> None:
    states = {"patient": [0, 1, 2], "date": [40, 40, 40], "code": [DIED, DIED, STOPPED], "dated": [False, True, False]}
    people = timelines_of([History((Contact(0, 30),), art_start=0)] * 3)
    timelines = replace(people, states=make_rows(States, 3, states))
    seen = snapshot(timelines, [0, 1, 2], 50)
    moves = transitions(seen, RULES)
    assert day_known(seen, moves, last_transition(moves, [0, 1, 2], 50)).tolist() == [False, True, False]
    assert day_known(seen, moves, last_transition(moves, [0, 1, 2], 30)).tolist() == [True, True, True]


def test_a_start_long_before_the_records_begin_is_no_interruption() -> None:
    history = History(contacts=(Contact(300, 330),), art_start=0)
    moves = transitions(timelines_of([history]), RULES)
    assert [(int(d), REASONS[r]) for d, r in zip(moves.date, moves.reason, strict=True)] == [
        (300, "first_seen"),
        (359, "interrupted"),
    ]


def test_who_started_and_never_came_again_is_lost_by_the_rule() -> None:
    assert statuses(History(art_start=0), 0, 58, 59) == ["active", "active", "iit"]
    _, expected = waiting(timelines_of([History(art_start=0)]), RULES)
    assert expected[0] == 30


def test_a_backdated_start_moves_the_entry() -> None:
    contacts = (Contact(20, 50),)
    assert statuses(History(contacts=contacts, art_start=20), 10, 20) == ["none", "active"]
    assert statuses(History(contacts=contacts, art_start=5), 4, 5, 10) == ["none", "active", "active"]


def test_as_of_a_day_nothing_entered_later_counts() -> None:
    history = History(contacts=(Contact(0, 30), Contact(50, 90, known_from=120)), art_start=0)
    timelines = timelines_of([history])
    seen = snapshot(timelines, [0, 0], [100, 120])
    assert [STATUSES[s] for s in status_at(transitions(seen, RULES), [0, 1], [100, 120])] == ["iit", "iit"]
    seen = snapshot(timelines, [0], 120)
    assert STATUSES[status_at(transitions(seen, RULES), [0], 118)[0]] == "active"


def test_bookings_interrupt_when_the_last_one_was_missed() -> None:
    rules = CohortSettings(expected_from="bookings", grace_days=0)
    timelines = make_timelines(
        timelines_of([History()]).patient_uuid,
        bookings={"patient": [0, 0, 0], "booked": [0, 5, 40], "due": [10, 20, 45], "status": [2, 2, 1]},
    )
    moves = transitions(timelines, rules)
    assert [(int(d), STATUSES[s]) for d, s in zip(moves.date, moves.after, strict=True)] == [
        (0, "active"),
        (21, "iit"),
        (45, "active"),
    ]


@settings(max_examples=100, deadline=None)
@given(st.lists(histories(), min_size=1, max_size=6), rules)
def test_status_is_that_of_the_rules_walked_through_day_by_day(people: list[History], rules: CohortSettings) -> None:
    timelines = timelines_of(people)
    moves = transitions(timelines, rules)
    days = np.arange(LAST + 1)
    for index, history in enumerate(people):
        walk = Walk(history, rules)
        computed = [STATUSES[code] for code in status_at(moves, np.full(days.size, index), days)]
        assert computed == walk.run()
        own = slice(moves.offsets[index], moves.offsets[index + 1])
        rows = zip(moves.date[own].tolist(), moves.after[own].tolist(), moves.reason[own].tolist(), strict=True)
        assert [(d, STATUSES[s], REASONS[r]) for d, s, r in rows if d <= LAST] == walk.log


@settings(max_examples=60, deadline=None)
@given(st.lists(histories(), min_size=1, max_size=4), rules, st.integers(0, LAST))
def test_a_snapshot_says_what_the_records_of_that_day_said(
    people: list[History], rules: CohortSettings, day: int
) -> None:
    def then(history: History) -> History:
        def is_known(fact: Contact | State | Gap) -> bool:
            return fact.known_from <= day < fact.known_to and fact.day <= day

        known = history.profile_from <= day
        return History(
            contacts=tuple(Contact(c.day, c.appointment, c.supply) for c in history.contacts if is_known(c)),
            states=tuple(State(s.code, s.day) for s in history.states if is_known(s)),
            gaps=tuple(Gap(g.day, g.word) for g in history.gaps if is_known(g)),
            art_start=history.art_start if known and history.art_start <= day else NO_DAY,
            transferred_in=history.transferred_in and known,
        )

    everyone = np.arange(len(people))
    seen = transitions(snapshot(timelines_of(people), everyone, day), rules)
    of_current = transitions(current(timelines_of([then(history) for history in people])), rules)
    for name in ("offsets", "date", "before", "after", "reason"):
        assert getattr(seen, name).tolist() == getattr(of_current, name).tolist()


def test_who_is_transferred_in_on_the_day_of_the_first_contact_is_no_new_start() -> None:
    states = (State(TRANSFERRED_IN, 100),)
    for art, reason in ((NO_DAY, "transferred_in"), (-50, "transferred_in"), (110, "new")):
        moves = transitions(timelines_of([History(contacts=(Contact(100, 130),), states=states, art_start=art)]), RULES)
        assert REASONS[moves.reason[0]] == reason


@pytest.mark.parametrize("word", [THEIRS_ACTIVE, THEIRS_IIT])
@pytest.mark.parametrize("transferred_in", [False, True])
@pytest.mark.parametrize("art_start", [0, NO_DAY])
def test_a_later_contact_changes_no_status_that_a_list_gave_before(
    word: int, art_start: int, *, transferred_in: bool
) -> None:
    before = History(gaps=(Gap(400, word),), art_start=art_start, transferred_in=transferred_in)
    after = replace(before, contacts=(Contact(411, appointment=441),))
    listed = "active" if word == THEIRS_ACTIVE else "iit"
    assert statuses(before, 400, 410) == statuses(after, 400, 410) == [listed, listed]
    assert statuses(after, 399) == statuses(before, 399)
    assert statuses(after, 411) == ["active"]
    moves = transitions(timelines_of([after]), RULES)
    if word == THEIRS_IIT:
        assert (int(moves.date[-2]), REASONS[moves.reason[-2]]) == (411, "returned")


@pytest.mark.parametrize("mode", ["contacts", "bookings"])
@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (THEIRS_ACTIVE, ["none", "active", "active", "unknown"]),
        (THEIRS_IIT, ["none", "iit", "iit", "iit"]),
        (NO_WORD, ["none", "unknown", "unknown", "unknown"]),
    ],
)
def test_who_is_known_by_a_list_alone_is_what_the_list_says_from_its_day(word: int, expected: list[str], mode) -> None:
    history = History(gaps=(Gap(100, word),))
    rules = CohortSettings(rule=FixedRule(days=30), expected_from=mode)
    assert statuses(history, 99, 100, 128, 129, rules=rules) == expected
    assert statuses(history, 400, rules=replace_start(rules, "never")) == ["none"]
    picked = statuses(history, 100, rules=replace_start(rules, "first_pickup"))
    assert picked == (["none"] if word == NO_WORD else [expected[1]])


def replace_start(rules: CohortSettings, start: str) -> CohortSettings:
    return rules.model_copy(update={"start_when_missing": start})
