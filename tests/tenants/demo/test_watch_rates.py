"""The page of false alarms says what was measured; planted shifts begin on their day and change nothing before."""

from datetime import date

import numpy as np
import pytest

from tenants.cohort.timelines import NO_DAY
from tenants.demo.simulate import simulate
from tenants.demo.watching.rates import Rates, page
from tenants.demo.watching.worlds import SHIFTS, timelines_of


@pytest.fixture(scope="module")
def cohort():
    return simulate(people=120, facilities=3, data_date=date(2026, 9, 30), years=2, seed=3)


def test_timelines_have_every_fact_of_the_cohort(cohort):
    timelines = timelines_of(cohort)
    assert len(timelines) == cohort.people
    assert timelines.contacts.date.size == len(cohort.pickups)
    assert timelines.observations.date.size == len(cohort.viral_loads) + len(cohort.cd4_counts)
    assert (timelines.contacts.known_from == timelines.contacts.date).all()
    left = int((cohort.died >= 0).sum() + (cohort.transferred_out >= 0).sum())
    assert timelines.states.date.size == left


@pytest.mark.parametrize("shift", SHIFTS, ids=lambda shift: shift.name)
def test_a_shift_changes_what_comes_after_its_day_and_nothing_before(cohort, shift):
    day = cohort.data_day - 200
    before, after = (
        timelines_of(cohort, change)
        for change in (lambda rows: rows, lambda rows: shift.change(rows, day, np.random.default_rng(1)))
    )

    def rows(timelines, later):
        contacts = timelines.contacts
        chosen = (contacts.date >= day) == later
        owner = np.repeat(np.arange(len(timelines)), np.diff(contacts.offsets))
        columns = (owner, contacts.date, contacts.days_supplied, contacts.next_appointment)
        return sorted(zip(*(column[chosen].tolist() for column in columns), strict=True))

    assert rows(before, later=False) == rows(after, later=False)
    assert rows(before, later=True) != rows(after, later=True)


def test_the_page_counts_months_alarms_and_delays():
    rates = Rates(3000, 12, [1, 2], 1, months=24.0, bias_looks=12, bias_false=1, bias_planted=12, bias_found=11)
    rates.false_alarms["records"] = 3
    rates.delays["late"] = [4, None]
    rates.delays["supply"] = [1, 3]
    text = page(rates, "iit watch-rates")
    assert "| records | 3 | 0.12 |" in text
    assert "| Everybody comes 7 days later than before. | 1 of 2 | 4 | 4 |" in text
    assert "| Days of supply are no longer recorded. | 2 of 2 | 2 | 3 |" in text
    assert "in 1 of 12 looks" in text
    assert "in 11 of 12" in text
    assert NO_DAY < 0
