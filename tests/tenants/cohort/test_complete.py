from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenants.cohort.complete import ReportingState, complete_through
from tenants.cohort.settings import CohortSettings, Completeness, UsualIntervalRule
from tenants.cohort.timelines import NO_DAY
from tenants.cohort.units import units
from tests.tenants.cohort.histories import Contact, History, timelines_of

RULES = Completeness()


def volume(rate: float, days: int, facility: int = 0, seed: int = 0) -> list[tuple[int, int, int]]:
    counts = np.random.default_rng(seed).poisson(rate, days)
    return [(facility, day, int(count)) for day, count in enumerate(counts) if count]


def completeness(rows: list[tuple[int, int, int]], *data_days: int) -> ReportingState:
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return complete_through(table[:, 0], table[:, 1], table[:, 2], list(data_days), RULES)


def through(rows: list[tuple[int, int, int]], *data_days: int) -> list[int]:
    return completeness(rows, *data_days).through.tolist()


def test_a_facility_that_reports_to_the_end_is_complete_to_its_data_date() -> None:
    assert through(volume(8, 700), 699) == [699]


@pytest.mark.parametrize("rate", [0.9, 2.0, 8.0, 60.0])
def test_one_stray_record_far_later_changes_nothing(rate: float) -> None:
    rows = volume(rate, 700)
    last = through(rows, 1200)[0]
    assert 680 <= last <= 699
    assert through([*rows, (0, 1100, 1)], 1200) == [last]


def test_a_few_strays_change_nothing_either() -> None:
    rows = volume(8, 700)
    assert through([*rows, (0, 900, 1), (0, 990, 2), (0, 1000, 1)], 1200) == through(rows, 1200)


def test_reporting_that_fades_ends_before_the_fading() -> None:
    rows = [*volume(10, 700), *[(0, day, 1) for day in range(700, 760, 3)]]
    assert 690 <= through(rows, 800)[0] <= 715


def test_a_closed_week_end_is_no_silence_but_a_month_is() -> None:
    rows = volume(1.0, 700)
    assert through(rows, 701) == [701]
    assert 690 <= through(rows, 730)[0] <= 699


def test_nothing_is_complete_after_the_data_date() -> None:
    rows = volume(8, 700)
    assert through(rows, 400) == [400]
    assert through([(0, 500, 5)], 400) == [NO_DAY]


def test_a_facility_without_records_has_no_date_and_is_stale() -> None:
    table = completeness(volume(8, 700), 699, 699)
    assert table.through.tolist() == [699, NO_DAY]
    assert table.stale(720, RULES).tolist() == [False, True]
    assert table.stale(699 + RULES.stale_after_days + 1, RULES).tolist() == [True, True]


def test_small_facilities_are_judged_together() -> None:
    rows = [row for index in range(20) for row in volume(0.05, 700, index, seed=index)]
    table = completeness(rows, *[699] * 20)
    assert table.low_volume.all()
    assert set(table.through.tolist()) == {699}


def test_a_small_facility_that_fell_silent_is_not_carried_by_the_others() -> None:
    rows = [row for index in range(20) for row in volume(0.2, 700, index, seed=index)]
    silent = [row for row in rows if row[0] != 3 or row[1] < 500]
    assert through(silent, *[699] * 20)[3] < 500
    assert through(silent, *[699] * 20)[4] == 699


def test_small_facilities_end_where_their_pool_ends() -> None:
    rows = [row for index in range(20) for row in volume(0.2, 600, index, seed=index)]
    assert all(580 <= day <= 600 for day in through([*rows, (5, 690, 1)], *[699] * 20))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-50, 900), st.integers(0, 40)), max_size=80), st.integers(0, 800)
)
def test_it_never_passes_the_data_date(rows: list[tuple[int, int, int]], end: int) -> None:
    table = completeness(rows, end, end - 5, end, end + 20)
    assert (table.through <= table.data_day).all()
    for facility in range(4):
        reported = any(row[0] == facility and row[2] and row[1] <= table.data_day[facility] for row in rows)
        assert (table.through[facility] != NO_DAY) == reported


def cohort(seed: int, end: int) -> list[History]:
    """People who come about every 30 days and pause for good with a chance of 8 % at each contact."""
    draw = np.random.default_rng(seed)
    people = []
    for _ in range(300):
        day, contacts = int(draw.integers(0, 300)), []
        while day <= end:
            contacts.append(Contact(day, known_from=day))
            day += int(draw.integers(25, 36)) if draw.random() > 0.08 else 150
        people.append(History(contacts=tuple(contacts), art_start=contacts[0].day))
    return people


def test_recent_units_show_the_same_share_of_interruptions_as_the_truth() -> None:
    rules = CohortSettings(rule=UsualIntervalRule())
    whole = timelines_of(cohort(1, 1000))
    cut = timelines_of(
        [History(tuple(c for c in h.contacts if c.day <= 700), (), h.art_start) for h in cohort(1, 1000)]
    )
    truth, seen = units(whole, rules, [1000], seed=4), units(cut, rules, [700], seed=4)
    assert seen.deadline.max() == 700
    assert (truth.deadline <= 700).sum() == len(seen)
    recent = seen.where(seen.deadline > 640)
    same = truth.where((truth.deadline <= 700) & (truth.deadline > 640))
    assert len(recent) > 100
    assert recent.label.tolist() == same.label.tolist()


def test_a_stray_record_makes_no_wave_of_false_interruptions() -> None:
    rules = CohortSettings(rule=UsualIntervalRule())
    people = [History(tuple(c for c in h.contacts if c.day <= 700), (), h.art_start) for h in cohort(2, 1000)]
    timelines = timelines_of(people)
    days, counts = np.unique(timelines.contacts.date, return_counts=True)
    ends = complete_through(np.zeros(days.size), days, counts, [1000], RULES).through
    stray = complete_through(np.zeros(days.size + 1), [*days, 950], [*counts, 1], [1000], RULES).through
    assert stray.tolist() == ends.tolist()
    by_volume, by_latest_record = units(timelines, rules, stray), units(timelines, rules, [950])
    assert by_volume.label[by_volume.deadline > 600].mean() < 0.3
    assert by_latest_record.label[by_latest_record.expected > 700].mean() > 0.6
