"""Sessions that serve one of two facilities: periods, days, patients and RADETs of its people alone."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from core.clock import now
from core.database import Reach, tenant_session
from core.errors import Invalid, NotFound
from tenants.cohort import radet, radet_repository, repository, service
from tenants.cohort.calendar import period_of
from tenants.records import identities

from .conftest import STAMP
from .test_radet import JUNE, MARCH, START, listed

QUARTER = period_of("2025Q1")


@pytest.fixture
def clinics(store):
    """Two facilities in two states, each with two people on treatment and one of a viral load."""
    clinics = []
    for name, many in (("FAC1", 2), ("FAC2", 3)):
        clinic = store.facility(name)
        people = []
        for number in range(1, many + 1):
            patient = store.patient(clinic, number, sex="F", art_start_date=START + timedelta(4), stamp=STAMP)
            store.visits(
                clinic, patient, START + timedelta(4), start=number, next_appointment=date(2025, 9, 1), stamp=STAMP
            )
            listed(store, clinic, patient, MARCH, "active", START)
            listed(store, clinic, patient, JUNE, "died", START)
            people.append(patient)
        clinics.append((clinic, people))
    return clinics


@pytest.fixture
def open_own(store, clinics):
    """Opens sessions that serve the first facility."""
    reach = Reach(frozenset({clinics[0][0]}))
    return lambda: tenant_session(store.tenant, actor="test:2", reach=reach)


@pytest.fixture
def open_none(store):
    """Opens sessions that serve no facility."""
    return lambda: tenant_session(store.tenant, actor="test:3", reach=Reach(frozenset()))


def test_indicators_count_the_people_within_reach(store, open_own, open_none):
    with open_own() as session:
        report = service.indicator_report(session, QUARTER, ["facility"])
        assert [(group["facility"], counts["TX_NEW"]) for group, counts in report.rows] == [("FAC1", 2)]
        assert {*report.provisional, *report.stale} <= {"FAC1"}
        assert service.indicator_report(session, QUARTER, []).rows[0][1]["TX_NEW"] == 2
    with open_none() as session:
        assert service.indicator_report(session, QUARTER, ["facility"]).rows == []
        assert not any(service.indicator_report(session, QUARTER, []).rows[0][1].values())
    with store.session() as session:
        assert service.indicator_report(session, QUARTER, []).rows[0][1]["TX_NEW"] == 5


def test_the_second_facility_is_named_as_itself(store, clinics):
    reach = Reach(frozenset({clinics[1][0]}))
    with tenant_session(store.tenant, actor="test:2", reach=reach) as session:
        report = service.indicator_report(session, QUARTER, ["facility"])
    assert [(group["facility"], counts["TX_CURR"]) for group, counts in report.rows] == [("FAC2", 3)]


def test_a_day_counts_the_people_within_reach(store, open_own, open_none):
    counted = []
    for opens in (store.session, open_own, open_none):
        with opens() as session:
            status = service.day_status(session, MARCH)
            counted.append((status.patients, sum(status.statuses.values()), status.pending))
    assert counted == [(5, 5, 5), (2, 2, 2), (0, 0, 0)]


def test_a_patient_has_the_status_of_another_only_where_that_one_is_within_reach(store, clinics, open_own):
    (_, (patient, _)), (_, (other, *_)) = clinics
    today = now().date()
    with open_own() as session, pytest.raises(NotFound):
        service.patient_status(session, other, today)
    with store.session() as session:
        identities.merge(session, patient, other, "recorded twice")
    later = today + timedelta(2)
    with store.session() as session:
        assert service.patient_status(session, patient, later)["patient_id"] == other
    with open_own() as session:
        assert service.patient_status(session, patient, later)["patient_id"] == patient


def test_a_radet_is_compared_for_the_people_within_reach(store, clinics, open_own, open_none):
    (_, people), _ = clinics
    with open_own() as session:
        days = radet_repository.listed_days(session)
        compared = radet.compare(session, JUNE)
        changes = radet.flows(session, MARCH, JUNE)
        for names in (["FAC2"], ["FAC1", "FAC2"]):
            with pytest.raises(Invalid):
                radet.compare(session, JUNE, names)
            with pytest.raises(Invalid):
                radet.flows(session, MARCH, JUNE, names)
    assert [(day.facilities, day.patients) for day in days] == [(1, 2), (1, 2)]
    assert (compared.compared, compared.facilities) == (2, ["FAC1"])
    assert {each.patient_id for each in compared.disagreements} == set(people)
    assert changes == [("FAC1", "active", "died", 2)]
    with open_none() as session:
        assert radet_repository.listed_days(session) == []
        assert radet.flows(session, MARCH, JUNE) == []
        with pytest.raises(NotFound):
            radet.chosen_day(session, JUNE)


def test_a_radet_names_no_patient_who_is_at_another_facility_by_now(store, clinics, open_own):
    (clinic, people), (_, others) = clinics
    listed(store, clinic, others[0], JUNE + timedelta(1), "active", START)
    listed(store, clinic, people[0], JUNE + timedelta(1), "active", START)
    with store.session() as session:
        identities.merge(session, people[0], others[1], "recorded twice")
    with open_own() as session:
        compared = radet.compare(session, JUNE + timedelta(1))
        rows = radet_repository.list_rows(session, JUNE + timedelta(1), None)
    assert set(rows) == {people[0], others[0]}
    assert compared.compared == 1  # as if the first had not been merged into somebody outside
    assert {each.patient_id for each in compared.disagreements} <= set(people)


def test_facilities_are_those_within_reach(open_own, open_none):
    with open_own() as session:
        assert [row.datim_id for row in repository.facilities(session)] == ["FAC1"]
    with open_none() as session:
        assert repository.facilities(session) == []
