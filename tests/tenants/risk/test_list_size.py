"""What each size of a list catches: counted from the scores of resolved weeks, without a look ahead."""

from bisect import bisect_right
from datetime import timedelta

import pytest

from core.clock import now
from tenants.cohort.settings import CohortSettings
from tenants.cohort.timelines import day_number, to_date
from tenants.followup import list_size
from tenants.followup.effect import wilson
from tenants.followup.list_size import Places, catch_of
from tenants.followup.models_results import ListPlaces
from tenants.risk.scoring import score
from tenants.risk.settings import RiskSettings
from tests.tenants.risk.clinics import END
from tests.tenants.risk.conftest import opener

DAYS = [to_date(END - back) for back in (88, 80)]
HORIZON = RiskSettings().horizon_days


@pytest.fixture(scope="module")
def tenant(trained):
    """A tenant that was scored in two resolved weeks."""
    ref = trained[0].ref
    for day in DAYS:
        score(ref, opener(ref), day)
    return ref


def expected_places(tenant, cohort):
    """Patient and expected day -> best place, and whether the contacts as made up missed it."""
    contacts = dict(zip(cohort.uuids(), cohort.contacts, strict=True))
    with opener(tenant)() as session, session.cursor() as cursor:
        rows = cursor.execute(
            "SELECT as_of, facility_uuid, patient_uuid, expected_date FROM predictions"
            " WHERE kind = 'at_risk' AND NOT stale AND as_of = ANY(%s) ORDER BY as_of, facility_uuid, rank, uuid",
            (DAYS,),
        ).fetchall()
    best, places = {}, {}
    for as_of, facility, patient, expected in rows:
        if (expected - as_of).days > HORIZON:
            continue
        place = places[as_of, facility] = places.get((as_of, facility), 0) + 1
        after = bisect_right(contacts[patient], day_number(as_of))
        came = contacts[patient][after] if after < len(contacts[patient]) else None
        missed = came is None or came > day_number(expected) + CohortSettings().grace_days
        known = best.get((patient, expected))
        best[patient, expected] = (min(place, known[0]) if known else place, missed)
    return best


def test_the_curve_is_that_of_the_best_places_in_resolved_weeks(tenant, cohort):
    with opener(tenant)() as session:
        list_size.store(session)
        places = list_size.read_places(session)
        assert places == list_size.count_places(session, HORIZON)
        session.add(ListPlaces(measured_at=now() + timedelta(days=1), places=[[1, 7, 0]], patients=7))
        assert list_size.read_places(session).people == {1: 7}
        list_size.store(session)
        assert list_size.read_places(session) == places
    best = expected_places(tenant, cohort)
    assert 0 < sum(places.people.values()) <= len(best)
    assert sum(places.people.values()) > 0.9 * len(best), "only corrected contacts are left out"
    assert 0 < sum(places.interrupted.values()) <= sum(missed for _, missed in best.values())
    for size in (1, 5, 20):
        assert catch_of(places, size).caught <= sum(missed and place <= size for place, missed in best.values())
    caught = [catch_of(places, size).caught for size in list_size.SIZES]
    assert caught == sorted(caught)
    whole = catch_of(places, 10_000)
    assert (whole.caught, whole.share, whole.high) == (whole.interrupted, 1, 1)
    assert (places.first, places.last) == (DAYS[0], DAYS[1])


def test_a_prediction_that_knew_the_outcome_does_not_count(tenant):
    with opener(tenant)() as session:
        before = list_size.count_places(session, HORIZON)
        session.cursor().execute("UPDATE models SET trained_through = %s", (DAYS[1] + timedelta(days=1),))
        session.cursor().execute("UPDATE predictions SET prediction_timestamp = %s", (now(),))
        after = list_size.count_places(session, HORIZON)
        session.rollback()
    assert (sum(before.people.values()) > 0, after.people, after.patients) == (True, {}, 0)


def test_a_share_has_the_interval_of_its_patients():
    places = Places(DAYS[0], DAYS[1], {3: 10, 9: 10}, {3: 4, 9: 4}, patients=6)
    small, large = catch_of(places, 5), catch_of(places, 9)
    assert (small.listed, small.caught, small.share, large.caught) == (10, 4, 0.5, 8)
    assert (small.low, small.high) == wilson(6, 0.5)
    nothing = catch_of(Places(None, None, {}, {}, 0), 5)
    assert (nothing.share, nothing.low, nothing.high) == (0, 0, 1)
