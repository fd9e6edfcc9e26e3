"""The matrix: the same for a chunk and for one patient, blind to later knowledge, and as its reference says."""

from __future__ import annotations

import warnings
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tenants.cohort.expected import episodes
from tenants.cohort.settings import CohortSettings
from tenants.cohort.timeline_builder import make_timelines
from tenants.cohort.timelines import BOOKING_KEPT, BOOKING_MISSED, CLINICAL, DIED, VARIABLE_CODES, select
from tenants.cohort.units import pending_units, units
from tenants.risk import model_inputs
from tenants.risk.facility_rates import STEP, FacilityCounts, FacilityRates
from tenants.risk.input_list import FEATURES, NAMES, THEMES, reference_page
from tenants.risk.model_inputs import compute, pending_of
from tests.tenants.risk.clinics import END, clinics, timelines_of

RULES = CohortSettings()
BOOKED = CohortSettings(expected_from="bookings", grace_days=0, reporting_lag_days=0)
NONE = FacilityRates(np.zeros(0, dtype=np.int64), {}, np.zeros((0, 1)), np.zeros((0, 1)))
ROOT = Path(__file__).resolve().parents[3]


def matrix(timelines, decisions, rules=RULES, rates=NONE):
    seen = decisions.snapshot(timelines)
    return compute(seen, episodes(seen, rules), pending_of(decisions), rules, rates)


def person(contacts, *, day, rules=RULES, bookings=None, **more):
    """The features of one person as of a day, by name."""
    timelines = make_timelines([UUID(int=1)], facilities=[UUID(int=9)], contacts=contacts, bookings=bookings, **more)
    decisions = pending_units(timelines, day, rules)
    assert len(decisions) == 1
    return dict(zip(NAMES, matrix(timelines, decisions, rules)[0], strict=True))


def visits(*days, appointment=30, **more):
    at = np.array(days)
    return {"patient": np.zeros(at.size), "date": at, "next_appointment": at + appointment, "known_from": at, **more}


def test_the_reference_page_is_that_of_the_features():
    assert (ROOT / "docs/reference/features.md").read_text() == reference_page()


def test_every_feature_says_what_it_is_and_belongs_to_one_theme():
    assert len(set(NAMES)) == len(NAMES) == sum(len(theme.specs) for theme in THEMES)
    assert all(spec.description and spec.source for spec in FEATURES)


def test_lateness_counts_days_past_each_expected_contact():
    # Expected on 30, 72, 105, 140: came 12 days late, 3 days late, 5 days late.
    values = person(visits(0, 42, 75, 110), day=120)
    assert values["days_late_last"] == 5
    assert values["days_late_mean_3"] == pytest.approx((12 + 3 + 5) / 3)
    assert values["days_late_max_5"] == 12
    assert values["late_0_last_3"] == 3
    assert values["late_7_last_3"] == 1
    assert values["interruptions"] == 0
    assert values["days_to_expected"] == 20
    assert values["lead_days"] == 30


def test_an_interruption_is_counted_with_the_time_since_the_return():
    values = person(visits(0, 30, 100, 130), day=140)  # expected on 60, came on 100: 40 days late
    assert values["interruptions"] == 1
    assert values["days_since_interruption"] == 40
    assert values["contacts_since_interruption"] == 1
    assert values["days_late_last"] == 0


def test_coming_early_is_not_late():
    values = person(visits(0, 20), day=25)
    assert values["days_late_last"] == 0
    assert values["days_early_last"] == 10


def test_a_first_contact_leaves_history_missing_not_zero():
    values = person(visits(0), day=5)
    assert np.isnan(
        [values[name] for name in ("days_late_last", "days_late_mean_5", "interval_last", "longest_lateness")]
    ).all()
    assert values["interruptions"] == 0
    assert values["contacts"] == 1


def test_days_late_are_clipped_to_a_hundred():
    assert person(visits(0, 500), day=510)["days_late_last"] == 100


def test_a_viral_load_is_log10_with_its_age_and_a_sample_without_result_is_none():
    samples = {
        "patient": [0, 0],
        "date": [1, 5],
        "variable": [VARIABLE_CODES["viral_load"]] * 2,
        "value": [1000.0, np.nan],
        "known_from": [1, 5],
    }
    values = person(visits(0), day=10, observations=samples)
    assert values["viral_load_log10"] == pytest.approx(3)
    assert values["viral_load_age"] == 9
    assert values["viral_load_samples"] == 2
    assert values["viral_load_sample_age"] == 5


def test_a_change_of_regimen_is_counted_once_with_its_age():
    drugs = {"regimens": ("TDF/3TC/EFV", "TDF/3TC/DTG")}
    values = person(visits(0, 30, 60, regimen=[0, 0, 1]), day=65, **drugs)
    assert values["regimen_switches"] == 1
    assert values["days_since_switch"] == 5
    assert values["regimen"] == 1


def test_of_bookings_the_past_counts_and_those_ahead_do_not():
    booked = {
        "patient": [0] * 4,
        "booked": [0, 5, 20, 20],
        "due": [10, 15, 40, 40],
        "status": [BOOKING_MISSED, BOOKING_KEPT, BOOKING_MISSED, BOOKING_KEPT],
        "known_from": [0, 5, 20, 20],
        "entity": [0, 1, 2, 3],
    }
    timelines = make_timelines([UUID(int=1)], facilities=[UUID(int=9)], bookings=booked)
    values = dict(zip(NAMES, matrix(timelines, pending_units(timelines, 30, BOOKED), BOOKED)[0], strict=True))
    assert values["bookings_before"] == 2
    assert values["interruptions"] == 1
    assert values["days_late_last"] == 0
    assert values["lead_days"] == 20


def test_one_patient_and_a_chunk_give_the_same_numbers():
    timelines = timelines_of(clinics(60))
    counts = FacilityCounts(END - 200, END, RULES)
    counts.add(timelines)
    rates = counts.rates()
    decisions = units(timelines, RULES, np.full(6, END))
    decisions = decisions.where(decisions.known_day > END - 200)
    together = matrix(timelines, decisions, rates=rates)
    for patient in range(60):
        own = decisions.where(decisions.patient == patient)
        if len(own) == 0:
            continue
        alone = select(timelines, [patient])
        single = own.where(np.ones(len(own), dtype=bool))
        object.__setattr__(single, "patient", np.zeros(len(own), dtype=np.int64))
        np.testing.assert_array_equal(matrix(alone, single, rates=rates), together[decisions.patient == patient])


def test_chunks_give_the_same_facility_rates_as_all_at_once():
    timelines = timelines_of(clinics(80))
    together, parts = FacilityCounts(END - 100, END, RULES), FacilityCounts(END - 100, END, RULES)
    together.add(timelines)
    for start in range(0, 80, 30):
        parts.add(select(timelines, np.arange(start, min(start + 30, 80))))
    facility = np.arange(6)
    expected = together.rates().at(END, facility, timelines.facilities)
    np.testing.assert_array_equal(parts.rates().at(END, facility, timelines.facilities), expected)
    np.testing.assert_array_equal(
        FacilityRates.from_json(together.rates().to_json()).at(END, facility, timelines.facilities), expected
    )


days = st.integers(0, 300)


@st.composite
def growing(draw):
    """A patient's facts known by a day, and facts that become known later of any day, and versions closed later."""
    now = draw(st.integers(120, 300))
    own = sorted(draw(st.sets(st.integers(0, now), min_size=1, max_size=8)))
    later = sorted(draw(st.sets(days, max_size=5)) - set(own))
    closed = draw(st.booleans())
    death = draw(st.none() | days)
    observed = draw(st.none() | days)
    return now, own, later, closed, death, observed


def built(now, own, later, closed, death, observed, *, with_later):
    contacts = [(0, day, day, 2**31 - 1) for day in own]
    states = {"patient": [], "date": [], "code": [], "known_from": []}
    observations = {"patient": [], "date": [], "variable": [], "value": [], "known_from": []}
    if with_later:
        contacts += [(0, day, now + 1 + index, 2**31 - 1) for index, day in enumerate(later)]
        if closed:
            contacts[0] = (0, own[0], own[0], now + 1)
        if death is not None:
            states = {"patient": [0], "date": [death], "code": [DIED], "known_from": [now + 1]}
        if observed is not None:
            observations = {
                "patient": [0], "date": [observed], "variable": [0], "value": [40.0], "known_from": [now + 1],
            }  # fmt: skip
    patient, date, known_from, known_to = (np.array(column) for column in zip(*contacts, strict=True))
    return make_timelines(
        [UUID(int=1)],
        facilities=[UUID(int=9)],
        contacts={
            "patient": patient,
            "date": date,
            "next_appointment": date + 200,
            "known_from": known_from,
            "known_to": known_to,
            "kind": CLINICAL,
        },
        states=states,
        observations=observations,
    )


@settings(max_examples=150, deadline=None)
@given(growing())
def test_what_becomes_known_later_never_changes_earlier_features(facts):
    now = facts[0]
    before, after = built(*facts, with_later=False), built(*facts, with_later=True)
    rows = []
    for timelines in (before, after):
        counts = FacilityCounts(now, now, RULES)
        counts.add(timelines)
        decisions = pending_units(timelines, now, RULES)
        rows.append(matrix(timelines, decisions, rates=counts.rates()))
    np.testing.assert_array_equal(*rows)


def test_facility_rates_see_only_what_was_known_on_the_reference_day():
    base = timelines_of(clinics(60))
    day = END - 300
    counts = FacilityCounts(day, day, RULES)
    counts.add(base)
    reference = int(counts.days[0])
    assert day - STEP < reference <= day
    known = base.contacts.known_from <= reference
    assert known.any()
    assert not known.all()
    assert counts.rates().resolved.sum() > 0
    cut = select(base, np.arange(60))
    object.__setattr__(cut.contacts, "date", np.where(known, cut.contacts.date, cut.contacts.date + 1000))
    moved = FacilityCounts(day, day, RULES)
    moved.add(cut)
    np.testing.assert_array_equal(moved.rates().resolved, counts.rates().resolved)
    np.testing.assert_array_equal(moved.rates().interrupted, counts.rates().interrupted)


def test_a_facility_without_history_has_the_tenants_share():
    counts = FacilityCounts(END, END, RULES)
    counts.add(timelines_of(clinics(60)))
    rates = counts.rates()
    unknown = rates.at(END, np.array([0]), [UUID(int=77)])[0]
    assert unknown == pytest.approx(rates._tenant()[0])
    assert np.isnan(rates.at(END + 400, np.array([0]), [UUID(int=77)])[0])


def test_nobody_pending_gives_an_empty_matrix():
    timelines = make_timelines([UUID(int=1)], facilities=[UUID(int=9)])
    assert matrix(timelines, pending_units(timelines, 10, RULES)).shape == (0, len(FEATURES))


@given(
    hnp.arrays(
        np.float64, st.tuples(st.integers(0, 6), st.just(5)), elements=st.sampled_from([np.nan, 0, 7, 28, 30, 91])
    )
)
def test_the_median_of_a_row_is_numpys(values):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # numpy warns of rows where nothing is there
        expected = np.nanmedian(values, axis=1)
    np.testing.assert_array_equal(model_inputs._row_median(values), expected)
