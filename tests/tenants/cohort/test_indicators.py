from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tenants.cohort.calendar import AGE_BANDS, NOT_RECORDED, TIME_BANDS
from tenants.cohort.indicators import (
    DIMENSIONS,
    IN_TERMS,
    LISTED,
    MEASURES,
    NOT_SUPPRESSED,
    OUT_TERMS,
    Counts,
    People,
    measure,
    members,
)
from tenants.cohort.selection import place_of
from tenants.cohort.settings import CohortSettings, FixedRule
from tenants.cohort.status import transitions
from tenants.cohort.timelines import DIED, FEMALE, INVALIDATED, NO_DAY, TRANSFERRED_IN, TRANSFERRED_OUT
from tests.tenants.cohort.histories import LAST, Contact, Gap, History, State, Walk, histories, rules, timelines_of

RULES = CohortSettings(rule=FixedRule(days=30))


def people_of(people: list[History], viral_load: list[float] | None = None) -> People:
    return People(
        facility=np.zeros(len(people), dtype=np.int64),
        sex=np.array([h.sex for h in people], dtype=np.int64),
        birth=np.array([h.birth for h in people], dtype=np.int32),
        art_start=np.array([h.art_start for h in people], dtype=np.int32),
        viral_load=np.full(len(people), np.nan) if viral_load is None else np.array(viral_load),
    )


def counts(people: list[History], start: int, end: int, by: tuple[str, ...] = (), **more: list[float]) -> Counts:
    total = Counts(by)
    total.add(transitions(timelines_of(people), RULES), people_of(people, **more), start, end, 3)
    return total


def of_all(people: list[History], start: int, end: int, **more: list[float]) -> dict[str, int]:
    ((_, row),) = counts(people, start, end, **more).rows([])
    return row


def shown(row: dict[str, int]) -> dict[str, int]:
    return {name: value for name, value in row.items() if value}


def test_a_new_patient_lost_within_the_period_is_in_tx_new_and_in_tx_ml() -> None:
    row = of_all([History(contacts=(Contact(10, 20),), art_start=10)], 0, 90)
    assert shown(row) == {"TX_NEW": 1, "TX_ML": 1, "TX_ML_iit_lt3": 1}


def test_transferred_in_and_out_within_the_period_shows_on_both_sides() -> None:
    states = (State(TRANSFERRED_IN, 10), State(TRANSFERRED_OUT, 40))
    row = of_all([History(contacts=(Contact(10, 60),), states=states, art_start=-100, transferred_in=True)], 0, 90)
    assert shown(row) == {"transferred_in": 1, "joined_and_lost": 1, "joined_and_lost_transferred_out": 1}


def test_a_return_counts_by_how_long_the_interruption_was() -> None:
    for back, band in ((140, "lt3"), (160, "3to5"), (260, "6plus")):
        row = of_all([History(contacts=(Contact(0, 30), Contact(back, 400)), art_start=0)], 130, 300)
        assert shown(row) == {"TX_RTT": 1, f"TX_RTT_{band}": 1, "TX_CURR": 1}


def test_a_return_after_a_transfer_out_is_a_term_of_its_own() -> None:
    history = History(contacts=(Contact(0, 30), Contact(100, 400)), states=(State(TRANSFERRED_OUT, 20),), art_start=0)
    assert shown(of_all([history], 50, 150)) == {"returned_after_transfer_out": 1, "TX_CURR": 1}


def test_who_turns_unknown_and_who_returns_from_it_are_terms_of_their_own() -> None:
    contacts = (Contact(0, 30), Contact(200, 400))
    history = History(contacts, gaps=(Gap(100),), art_start=0)
    assert shown(of_all([history], 10, 150)) == {"TX_CURR_start": 1, "to_unknown": 1}
    assert shown(of_all([history], 150, 250)) == {"from_unknown": 1, "TX_CURR": 1}


def test_an_invalidated_record_leaves_tx_curr_by_a_term_of_its_own() -> None:
    history = History((Contact(0, 390),), states=(State(INVALIDATED, 50),), art_start=0)
    assert shown(of_all([history], 10, 90)) == {"TX_CURR_start": 1, "invalidated": 1}
    assert shown(of_all([history], 60, 90)) == {}


def test_tx_new_is_by_age_at_the_start_and_all_else_by_age_at_the_end() -> None:
    birth = 20 - round(15 * 365.25)  # 15 on day 20
    girl = History(contacts=(Contact(10, 200),), art_start=10, sex=FEMALE, birth=birth)
    rows = {group["age"]: shown(row) for group, row in counts([girl], 0, 90, ("sex", "age")).rows([])}
    assert rows == {
        "10-14": {"TX_NEW": 1, "aged_since_start": -1},
        "15-19": {"aged_since_start": 1, "TX_CURR": 1},
    }
    assert shown(of_all([girl], 0, 90)) == {"TX_NEW": 1, "TX_CURR": 1}


def test_tx_ml_splits_interruptions_by_time_on_art_when_they_began() -> None:
    for start, band in ((-30, "lt3"), (-80, "3to5"), (-200, "6plus"), (NO_DAY, "not_recorded")):
        history = History(contacts=(Contact(-30, -10), Contact(0, 30)), art_start=start)
        assert shown(of_all([history], 10, 90)) == {"TX_CURR_start": 1, "TX_ML": 1, f"TX_ML_iit_{band}": 1}


def test_a_death_that_is_undone_takes_the_person_back() -> None:
    contacts = (Contact(0, 390),)
    assert of_all([History(contacts, (State(DIED, 50),), art_start=0)], 10, 90)["TX_ML_died"] == 1
    row = of_all([History(contacts, (State(DIED, 50, known_to=60),), art_start=0)], 10, 90)
    assert shown(row) == {"TX_CURR_start": 1, "TX_CURR": 1}


def test_viral_load_counts_on_treatment_for_three_months_and_is_suppressed_below_1000() -> None:
    on = [History(contacts=(Contact(0, 390),), art_start=0)] * 4
    row = of_all(on, 250, 300, viral_load=[999.0, 1000.0, np.nan, 20.0])
    assert (row["TX_PVLS_D"], row["TX_PVLS_N"]) == (3, 2)
    early = of_all([History(contacts=(Contact(250, 390),), art_start=250)], 250, 300, viral_load=[20.0])
    assert early["TX_PVLS_D"] == 0


def test_what_is_not_recorded_is_said() -> None:
    person = History(contacts=(Contact(0, 60),))
    ((group, row),) = counts([person], 0, 30, DIMENSIONS).rows(["F1"])
    assert group == {"facility": "F1", "sex": NOT_RECORDED, "age": NOT_RECORDED, "time_on_art": NOT_RECORDED}
    assert shown(row) == {"first_seen": 1, "TX_CURR": 1}


def test_groups_are_told_by_what_holds_at_the_end_of_the_period() -> None:
    person = History(contacts=(Contact(0, 60),), art_start=-10, sex=FEMALE, birth=-25 * 366)
    ((group, _),) = counts([person], 0, 30, ("sex", "age", "time_on_art")).rows([])
    assert group == {"sex": "F", "age": "25-29", "time_on_art": TIME_BANDS[0]}
    assert len(AGE_BANDS) == 15


def test_nobody_gives_one_row_of_zeros() -> None:
    assert Counts(()).rows([]) == [({}, dict.fromkeys(MEASURES, 0))]
    assert Counts(("sex",)).rows([]) == []


@settings(max_examples=120, deadline=None)
@given(st.lists(histories(), min_size=1, max_size=8), rules, st.integers(0, LAST), st.integers(0, 200))
def test_the_flows_reconcile(people: list[History], rules: CohortSettings, start: int, length: int) -> None:
    end = min(start + length, LAST)
    moves = transitions(timelines_of(people), rules)
    for by in ((), ("sex", "age"), ("time_on_art",)):
        total = Counts(by)
        total.add(moves, people_of(people), start, end, 3)
        for _, row in total.rows([]):
            flows = sum(row[name] for name in IN_TERMS) - sum(row[name] for name in OUT_TERMS)
            assert row["TX_CURR"] == row["TX_CURR_start"] + flows
            assert row["other_in"] == 0
            for whole in ("TX_ML", "joined_and_lost", "TX_RTT"):
                assert row[whole] == sum(value for name, value in row.items() if name.startswith(f"{whole}_"))
    row = Counts(())
    row.add(moves, people_of(people), start, end, 3)
    walks = [Walk(history, rules).run() for history in people]
    counted = row.rows([])[0][1]
    assert counted["TX_CURR"] == sum(days[end] == "active" for days in walks)
    if start:
        assert counted["TX_CURR_start"] == sum(days[start - 1] == "active" for days in walks)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(histories(), min_size=1, max_size=8), st.lists(st.integers(0, LAST), min_size=3, max_size=5, unique=True)
)
def test_one_period_begins_with_what_the_last_one_ended_with(people: list[History], cuts: list[int]) -> None:
    moves = transitions(timelines_of(people), RULES)
    facts = people_of(people)
    edges = sorted(cuts)
    periods = [measure(moves, facts, left + 1, right, 3) for left, right in pairwise(edges)]
    for before, after in pairwise(periods):
        assert (after["TX_CURR_start"] == before["TX_CURR"]).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(histories(), min_size=2, max_size=8), st.integers(0, 300))
def test_chunks_of_patients_add_up(people: list[History], start: int) -> None:
    whole = counts(people, start, start + 90, ("sex", "age"))
    parts = Counts(("sex", "age"))
    for half in (people[:1], people[1:]):
        parts.add(transitions(timelines_of(half), RULES), people_of(half), start, start + 90, 3)
    assert whole.rows([]) == parts.rows([])


@settings(max_examples=40, deadline=None)
@given(st.lists(histories(), min_size=1, max_size=5), rules, st.integers(0, LAST), st.integers(0, 200))
def test_the_people_of_each_group_are_as_many_as_its_counts(
    people: list[History], rules: CohortSettings, start: int, length: int
) -> None:
    end = min(start + length, LAST)
    moves, everyone = transitions(timelines_of(people), rules), people_of(people)
    total = Counts(("sex", "age"))
    total.add(moves, everyone, start, end, 3)
    for group, row in [*total.rows([]), ({"sex": "F", "age": "30-34"}, dict.fromkeys(MEASURES, 0))]:
        codes = place_of(group, [])
        for name in (name for name in LISTED if row.get(name) or name in ("TX_CURR", "TX_ML_died")):
            assert len(members(name, moves, everyone, (start, end), 3, codes)) == row[name], name


def test_who_is_not_suppressed_can_be_listed() -> None:
    on = [History(contacts=(Contact(0, 390),), art_start=0)] * 4
    people = people_of(on, viral_load=[999.0, 1000.0, np.nan, 20.0])
    moves = transitions(timelines_of(on), RULES)
    assert members(NOT_SUPPRESSED, moves, people, (250, 300), 3, {}).tolist() == [1]


@settings(max_examples=60, deadline=None)
@given(st.lists(histories(), min_size=1, max_size=4), rules, st.integers(1, LAST), st.integers(0, 200))
def test_the_indicators_are_those_of_each_persons_days_in_plain_python(
    people: list[History], rules: CohortSettings, start: int, length: int
) -> None:
    end = min(start + length, LAST)
    moves, everyone = transitions(timelines_of(people), rules), people_of(people)
    lost, interrupted = ("died", "iit", "transferred_out", "stopped"), ("iit", "stopped")
    expected: dict[str, list[int]] = {name: [] for name in ("TX_CURR", "TX_NEW", "TX_ML", "TX_RTT")}
    for place, history in enumerate(people):
        walk = Walk(history, rules)
        days = walk.run()
        before, after = days[start - 1], days[end]
        entry, status, reason = walk.log[0] if walk.log else (-1, "", "")
        is_new = (status, reason) == ("active", "new") and start <= entry <= end
        if after == "active":
            expected["TX_CURR"].append(place)
        if is_new:
            expected["TX_NEW"].append(place)
        if (before == "active" or is_new) and after in lost:
            expected["TX_ML"].append(place)
        if before in interrupted and after == "active":
            expected["TX_RTT"].append(place)
    listed = {name: members(name, moves, everyone, (start, end), 3, {}).tolist() for name in expected}
    assert listed == expected
