"""A list that is imported again, grown: decisions are drawn wherever knowledge of its days allows, stamped or not."""

from __future__ import annotations

import numpy as np

from tenants.cohort.settings import CohortSettings
from tenants.cohort.timeline_builder import make_timelines
from tenants.cohort.timelines import CLINICAL, PICKUP
from tenants.risk import dataset
from tests.tenants.risk.clinics import END, INTERVAL, clinics

FIRST_END = END - 300
"""The day to which the first list runs."""
COHORT = clinics(150, facilities=1)


def built(assumed, late=0):
    """The decisions of both lists' contacts, each known on the day after it, later ones ``late`` days after that."""
    patient = np.repeat(np.arange(COHORT.people), [len(days) for days in COHORT.contacts])
    day = np.concatenate([np.asarray(days) for days in COHORT.contacts])
    timelines = make_timelines(
        COHORT.uuids(),
        facility=COHORT.facility,
        facilities=COHORT.facilities(),
        profiles={
            "patient": np.arange(COHORT.people),
            "sex": COHORT.sex,
            "birth": COHORT.birth,
            "art_start": COHORT.start,
            "known_from": COHORT.start,
        },
        contacts={
            "patient": patient,
            "date": day,
            "kind": CLINICAL | PICKUP,
            "days_supplied": INTERVAL,
            "next_appointment": day + INTERVAL,
            "known_from": np.where(day > FIRST_END, day + 1 + late, day + 1),
            "assumed": assumed(day),
        },
    )
    return dataset.build(lambda: iter([timelines]), CohortSettings(), np.array([END], dtype=np.int32))[0]


def test_decisions_do_not_depend_on_whether_a_day_of_knowledge_is_assumed():
    whole = built(lambda day: day >= 0)
    for other in (built(lambda day: day <= FIRST_END), built(lambda day: day < 0)):
        np.testing.assert_array_equal(whole.day, other.day)
        np.testing.assert_array_equal(whole.X, other.X)
        np.testing.assert_array_equal(whole.y, other.y)


def test_decisions_reach_the_complete_through_date_where_contacts_are_known_on_their_days():
    data = built(lambda day: day <= FIRST_END)
    assert data.deadline.max() > END - 15
    assert (data.day > FIRST_END).sum() > 100


def test_decisions_made_before_a_contact_was_known_are_not_drawn():
    assert not (built(lambda day: day <= FIRST_END, late=400).day > FIRST_END + INTERVAL).any()
