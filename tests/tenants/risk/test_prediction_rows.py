"""Rows of the two lists as they are written: ranks, levels, and PostgreSQL's own reading of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tenants.cohort.settings import CohortSettings, ScheduleRule
from tenants.cohort.timelines import NO_DAY
from tenants.risk import prediction_rows
from tenants.risk.facility_rates import FacilityCounts
from tests.tenants.risk.clinics import END, clinics, timelines_of

_PEOPLE = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from([0.1, 0.2, 0.2, 0.9]), st.integers(0, 2)), min_size=1, max_size=40
)


@given(_PEOPLE)
def test_places_follow_the_keys_in_turn_then_the_order_given(people):
    facility, risk, expected = (np.array(column) for column in zip(*people, strict=True))
    place, everyone = prediction_rows.rank_within_facility(facility.astype(np.int64), -risk, expected)
    for home in set(facility.tolist()):
        own = [index for index in range(len(people)) if facility[index] == home]
        own.sort(key=lambda index: (-risk[index], expected[index], index))
        assert [int(place[index]) for index in own] == list(range(1, len(own) + 1))
        assert all(everyone[index] == len(own) for index in own)


def test_rates_need_no_contact_before_their_first_day():
    cohort = clinics(200)
    rules = CohortSettings()
    whole, cut = FacilityCounts(END, END, rules), FacilityCounts(END, END, rules)
    whole.add(timelines_of(cohort))
    since = cut.since
    later = [[day for day in days if day >= since] for days in cohort.contacts]
    assert 0 < sum(map(len, later)) < sum(map(len, cohort.contacts))
    cut.add(timelines_of(replace(cohort, contacts=later)))
    np.testing.assert_array_equal(whole.rates().resolved, cut.rates().resolved)
    np.testing.assert_array_equal(whole.rates().interrupted, cut.rates().interrupted)
    assert whole.rates().resolved.sum() > 0


def test_rules_that_look_at_all_contacts_leave_none_out():
    rules = CohortSettings(rule=ScheduleRule(by="contact_number", bands=[{"start": 0, "days": 30}]))
    assert FacilityCounts(END, END, rules).since == NO_DAY
