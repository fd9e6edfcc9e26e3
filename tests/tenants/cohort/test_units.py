from __future__ import annotations

from dataclasses import fields
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenants.cohort.expected import FROM_UNREAD, episodes
from tenants.cohort.settings import CohortSettings, FixedRule
from tenants.cohort.status import ACTIVE, IIT, STATUSES, UNKNOWN, status_at, still_in_care, transitions
from tenants.cohort.timeline_builder import make_timelines
from tenants.cohort.timelines import (
    BOOKING_CANCELLED,
    BOOKING_KEPT,
    BOOKING_MISSED,
    BOOKING_SCHEDULED,
    DIED,
    INVALIDATED,
    NO_DAY,
    NO_WORD,
    STOPPED,
    THEIRS_ACTIVE,
    THEIRS_IIT,
    TRANSFERRED_OUT,
    Timelines,
    select,
    snapshot,
)
from tenants.cohort.units import OUTCOMES, Units, pending_units, to_trace, units
from tests.tenants.cohort.histories import LAST, Contact, Gap, History, State, histories, rules, timelines_of

RULES = CohortSettings(rule=FixedRule(days=30))
BOOKINGS = CohortSettings(expected_from="bookings", grace_days=0, reporting_lag_days=0)
FAR = [10_000]


def of(history: History, complete: int = 10_000, per_episode: int = 40, **more: bool) -> Units:
    return units(timelines_of([history]), RULES, [complete], per_episode=per_episode, **more)


def labels(history: History, origin: int = 0) -> set[int]:
    table = of(history)
    return set(table.label[table.origin == origin].tolist())


def test_a_contact_on_day_28_is_no_interruption_and_on_day_29_it_is() -> None:
    assert labels(History((Contact(0, 30), Contact(58, 90)), art_start=0)) == {0}
    assert labels(History((Contact(0, 30), Contact(59, 90)), art_start=0)) == {1}
    assert labels(History((Contact(0, 30),), art_start=0)) == {1}


def test_days_are_drawn_over_the_whole_interval() -> None:
    history = History((Contact(0, 10), Contact(12, 20)), art_start=0)
    table = of(history, per_episode=400)
    days = table.day[table.origin == 0]
    assert set(days.tolist()) == set(range(11))
    assert set(table.known_day[table.origin == 0].tolist()) == set(range(10))


def test_who_came_back_before_the_day_is_no_unit_and_who_came_on_it_still_is_one() -> None:
    table = of(History((Contact(0, 30), Contact(10, 60)), art_start=0), per_episode=200)
    assert max(table.day[table.origin == 0]) == 10


def test_a_unit_waits_for_its_whole_window_returned_or_not() -> None:
    back, lost = (Contact(0, 30), Contact(20, 50)), (Contact(0, 30),)
    for contacts in (back, lost):
        history = History(contacts, art_start=0)
        assert 0 not in of(history, complete=30 + 28 + 7 - 1).origin
        assert 0 in of(history, complete=30 + 28 + 7).origin
    waiting = of(History(lost, art_start=0), complete=40, resolved_only=False)
    assert set(waiting.label.tolist()) == {-1}
    assert {OUTCOMES[code] for code in waiting.outcome} == {"unresolved"}


@pytest.mark.parametrize(
    ("code", "outcome"), [(DIED, "died"), (TRANSFERRED_OUT, "transferred out"), (STOPPED, "stopped")]
)
def test_who_left_before_the_deadline_is_a_competing_outcome(code: int, outcome: str) -> None:
    table = of(History((Contact(0, 30),), (State(code, 58, known_from=58),), art_start=0))
    assert (set(table.label.tolist()), {OUTCOMES[o] for o in table.outcome}) == ({-1}, {outcome})
    late = of(History((Contact(0, 30),), (State(code, 59, known_from=59),), art_start=0))
    assert set(late.label.tolist()) == {1}
    after_return = of(History((Contact(0, 30), Contact(20, 400)), (State(code, 25, known_from=25),), art_start=0))
    assert set(after_return.label[after_return.origin == 0].tolist()) == {0}


def test_who_is_interrupted_or_gone_is_no_unit() -> None:
    gone = History((Contact(0, 30),), (State(TRANSFERRED_OUT, 0, known_from=0),), art_start=0)
    assert len(of(gone)) == 0
    timelines = timelines_of([History((Contact(0, 30),), art_start=0)])
    assert len(pending_units(timelines, 30, RULES)) == 1
    assert len(pending_units(timelines, 31, RULES)) == 0
    assert len(pending_units(timelines, 59, RULES)) == 0


def test_late_and_interrupted_are_traced_with_their_days_late() -> None:
    timelines = timelines_of([History((Contact(0, 30),), art_start=0), History(art_start=5)])
    assert len(to_trace(timelines, 30, RULES).patient) == 0
    late = to_trace(timelines, 58, RULES)
    assert (late.patient.tolist(), late.days_late.tolist(), late.iit.tolist()) == ([0, 1], [28, 23], [False, False])
    assert to_trace(timelines, 59, RULES).iit.tolist() == [True, False]


def test_a_contact_entered_late_is_not_known_before() -> None:
    history = History((Contact(0, 30, known_from=0), Contact(20, 80, known_from=45)), art_start=0)
    timelines = timelines_of([history])
    assert pending_units(timelines, 25, RULES).origin.tolist() == [0]
    assert to_trace(timelines, 40, RULES).days_late.tolist() == [10]
    assert pending_units(timelines, 45, RULES).origin.tolist() == [20]
    table = of(history, per_episode=200)
    early = table.where(table.origin == 0)
    assert set(early.label.tolist()) == {0}
    assert early.day.max() > 20


@pytest.mark.parametrize("later", [(), (Contact(58, 90),), (Contact(200, 230),)])
def test_what_cannot_be_read_leaves_units_unresolved_whether_or_not_a_return_was_seen(
    later: tuple[Contact, ...],
) -> None:
    history = History((Contact(0, 30), *later), gaps=(Gap(50),), art_start=0)
    assert labels(history) == set()
    closed = History(history.contacts, gaps=(Gap(50, known_to=60),), art_start=0)
    assert labels(closed) == ({0} if later and later[0].day <= 58 else {1})
    supply = History((Contact(0, supply=900), *later), art_start=0)
    assert labels(supply) == set()


def test_units_of_an_invalidated_record_are_no_samples() -> None:
    invalid = (State(INVALIDATED, 40, known_from=40),)
    assert labels(History((Contact(0, 30),), invalid, art_start=0)) == set()
    earlier = History((Contact(0, 30), Contact(20, 50)), invalid, art_start=0)
    assert labels(earlier) == {0}
    assert labels(earlier, 20) == set()


def test_units_of_other_contacts_stay_resolved() -> None:
    history = History((Contact(0, 30), Contact(25, 55), Contact(50, 80)), gaps=(Gap(60),), art_start=0)
    assert labels(history) == {0}
    assert labels(history, 25) == {0}
    assert labels(history, 50) == set()


def test_who_is_unknown_is_neither_at_risk_nor_traced() -> None:
    people = [
        History((Contact(0, 30),), gaps=(Gap(20, word),), art_start=0) for word in (NO_WORD, THEIRS_ACTIVE, THEIRS_IIT)
    ]
    timelines = timelines_of(people)
    assert pending_units(timelines, 30, RULES).patient.tolist() == [0, 1, 2]
    for day in (31, 59, 400):
        assert len(pending_units(timelines, day, RULES)) == 0
        trace = to_trace(timelines, day, RULES)
        assert (trace.patient.tolist(), trace.iit.tolist(), trace.by_partner.tolist()) == ([2], [True], [True])
    unbelieved = timelines_of([History((Contact(0, supply=900),), art_start=0)])
    assert len(pending_units(unbelieved, 10, RULES)) == len(to_trace(unbelieved, 60, RULES).patient) == 0


def bookings(*rows: tuple[int, int, int], contacts: tuple[int, ...] = ()) -> Timelines:
    return make_timelines(
        [UUID(int=1)],
        facilities=[UUID(int=9)],
        contacts={"patient": [0] * len(contacts), "date": list(contacts)},
        bookings={
            "patient": [0] * len(rows),
            "booked": [r[0] for r in rows],
            "due": [r[1] for r in rows],
            "status": [r[2] for r in rows],
            "known_from": [r[0] for r in rows],
        },
    )


def test_each_booking_is_decided_and_labelled_by_itself() -> None:
    timelines = bookings(
        (0, 20, BOOKING_MISSED),
        (5, 10, BOOKING_KEPT),
        (12, 30, BOOKING_KEPT),
        (13, 40, BOOKING_CANCELLED),
        contacts=(10, 30),
    )
    table = units(timelines, BOOKINGS, FAR, per_episode=300)
    labelled = {(int(e), int(label)) for e, label in zip(table.expected, table.label, strict=True)}
    assert labelled == {(20, 1), (10, 0), (30, 0)}
    for due, booked in ((20, 0), (10, 5), (30, 12)):
        days = table.day[table.expected == due]
        assert (days.min(), days.max()) == (booked, due)


def test_what_came_of_a_booking_is_not_seen_before_its_day_is_over() -> None:
    timelines = bookings((0, 20, BOOKING_MISSED), (5, 10, BOOKING_KEPT), contacts=(10,))
    table = units(timelines, BOOKINGS, FAR, per_episode=50)
    seen = table.snapshot(timelines)
    owner = seen.bookings.owner
    known = seen.bookings.status != BOOKING_SCHEDULED
    assert (seen.bookings.due[known] < table.day[owner][known]).all()
    assert (seen.contacts.date < table.day[seen.contacts.owner]).all()


def test_booked_and_due_on_one_day_is_nothing_to_predict() -> None:
    assert len(units(bookings((5, 5, BOOKING_KEPT)), BOOKINGS, FAR)) == 0


def test_all_pending_bookings_are_at_risk() -> None:
    timelines = bookings((0, 20, BOOKING_SCHEDULED), (5, 10, BOOKING_SCHEDULED), (6, 7, BOOKING_SCHEDULED))
    assert pending_units(timelines, 10, BOOKINGS).expected.tolist() == [20, 10]


@settings(max_examples=60, deadline=None)
@given(st.lists(histories(), min_size=1, max_size=6), rules, st.integers(100, LAST + 200))
def test_every_unit_is_open_when_decided_and_resolved(people: list[History], rules: CohortSettings, end: int) -> None:
    timelines = timelines_of(people)
    table = units(timelines, rules, [end], per_episode=2)
    assert (table.deadline <= end).all()
    assert ((table.origin <= table.known_day) & (table.known_day <= table.day) & (table.day <= table.expected)).all()
    seen = table.snapshot(timelines)
    status = status_at(transitions(seen, rules), np.arange(len(table)), table.known_day)
    assert {STATUSES[code] for code in status} <= {"active"}
    then = episodes(seen, rules)
    assert then.expected[then.last].tolist() == table.expected.tolist()
    assert (np.isin(table.label, (0, 1)) == (table.outcome <= 1)).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(histories(), min_size=2, max_size=6), rules, st.integers(0, 5))
def test_units_do_not_depend_on_the_chunks(people: list[History], rules: CohortSettings, seed: int) -> None:
    timelines = timelines_of(people)
    whole = units(timelines, rules, [500], seed=seed, per_episode=2)
    parts = [units(select(timelines, [index]), rules, [500], seed=seed, per_episode=2) for index in range(len(people))]
    for name in (f.name for f in fields(Units) if f.name not in {"patient", "episode"}):
        assert getattr(whole, name).tolist() == [value for part in parts for value in getattr(part, name).tolist()]


@settings(max_examples=60, deadline=None)
@given(st.lists(histories(), min_size=1, max_size=5), rules, st.integers(0, LAST))
def test_at_risk_and_to_trace_never_mix_and_follow_status(
    people: list[History], rules: CohortSettings, day: int
) -> None:
    timelines = timelines_of(people)
    risk, trace = pending_units(timelines, day, rules), to_trace(timelines, day, rules)
    assert not set(risk.patient.tolist()) & set(trace.patient.tolist())
    assert (risk.expected >= day).all()
    assert (risk.known_day == day).all()
    assert (trace.expected < day).all()
    ours = ~trace.by_partner
    assert (trace.iit == (trace.days_late > rules.grace_days))[ours].all()
    assert trace.iit[trace.by_partner].all()
    assert (risk.expected != NO_DAY).all()


@settings(max_examples=80, deadline=None)
@given(st.lists(histories(), min_size=1, max_size=6), rules, st.integers(0, LAST))
def test_everybody_on_treatment_and_expected_is_at_risk(people: list[History], rules: CohortSettings, day: int) -> None:
    timelines = timelines_of(people)
    everyone = np.arange(len(people))
    seen = snapshot(timelines, everyone, day)
    status = status_at(transitions(seen, rules), everyone, day)
    assert (still_in_care(seen, rules) == np.isin(status, (ACTIVE, IIT, UNKNOWN))).all()
    then = episodes(seen, rules)
    known = (then.last >= 0) & (then.source[then.last] != FROM_UNREAD) if len(then) else then.last >= 0
    expected = np.where(known, then.expected[then.last] if len(then) else NO_DAY, NO_DAY).tolist()
    awaited = [index for index in everyone.tolist() if status[index] == ACTIVE and expected[index] >= day]
    assert pending_units(timelines, day, rules).patient.tolist() == awaited
