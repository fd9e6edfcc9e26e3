"""Sessions that serve some facilities: their queries find, name and change nobody of another."""

from datetime import date
from uuid import uuid4

import pytest

from core.database import Reach, tenant_session
from core.errors import Conflict, Invalid, NotFound
from core.web.cursors import Sort
from core.web.paging import PageRequest
from tenants.records import hot
from tenants.records.filters import PatientFilter
from tenants.records.models import Patient, Visit
from tenants.records.reach import patients_within_reach
from tenants.records.schemas import FacilityPost, PatientPost
from tenants.records.service import create_patient, find_patient
from tenants.records.service_facilities import create_facility
from tenants.records.statistics import read_statistics
from tenants.records.writing import create, open_version

SHARED = f"N-{uuid4().hex}"


@pytest.fixture(scope="module")
def tenant(make_tenant):
    return make_tenant().ref


@pytest.fixture(scope="module")
def clinics(tenant):
    """Two facilities in two states, each with a patient of the same programme identifier and a visit."""
    clinics = []
    with tenant_session(tenant, actor="test:1") as session:
        for state in ("North", "South"):
            facility = create_facility(
                session, FacilityPost(datim_id=uuid4().hex[:11], name=f"Clinic {state}", state_province=state)
            )
            session_facility = find_uuid(facility)
            body = PatientPost(facility=facility.datim_id, pepfar_id=SHARED, sex="F")
            patient = find_uuid(create_patient(session, body))
            facts = {"patient_uuid": patient, "date_started": date(2026, 2, 3), "visit_type": "clinical"}
            visit = create(session, Visit, session_facility, facts).uuid
            clinics.append((facility.datim_id, session_facility, patient, visit))
    return clinics


def find_uuid(answer):
    """The identifier of what the API answers."""
    return getattr(answer, "id", None) or answer.uuid


@pytest.fixture(params=["facility", "state", "both"])
def north(request, tenant, clinics):
    facility_ids = None if request.param == "state" else frozenset({clinics[0][1]})
    states = None if request.param == "facility" else frozenset({"North"})
    with tenant_session(tenant, actor="test:2", reach=Reach(facility_ids, states)) as session:
        yield session


def test_one_identifier_of_two_facilities_is_that_of_the_one_within_reach(north, tenant, clinics):
    (_, _, own, _), (_, _, other, _) = clinics
    assert find_patient(north, SHARED).uuid == own
    assert find_patient(north, str(own)).uuid == own
    with pytest.raises(NotFound):
        find_patient(north, str(other))
    with tenant_session(tenant, actor="test:1") as session, pytest.raises(Conflict):
        find_patient(session, SHARED)


def test_one_patient_and_a_page_of_them_are_shown_within_reach(north, clinics):
    (_, _, own, _), (_, _, other, _) = clinics
    assert hot.one(north, own, None)["id"] == own
    assert hot.one(north, other, None) is None
    part = hot.page(north, PatientFilter(), PageRequest(1, 10, sort=Sort("id"), keyed=True))
    assert ([row["id"] for row in part.rows], part.total) == ([own], 1)


def test_what_is_counted_is_within_reach(north, clinics):
    counted = read_statistics(north, None)
    assert {count.name: count.count for count in counted.tables if count.count} == {"patients": 1, "visits": 1}
    assert [count.patients for count in counted.facilities] == [1]
    assert sum(month.visits for month in counted.months) == 1


def test_nothing_is_changed_or_added_outside(north, clinics):
    datim_id, _, other, visit = clinics[1]
    assert open_version(north, Patient, other) is None
    assert open_version(north, Visit, visit) is None
    assert open_version(north, Visit, clinics[0][3]) is not None
    with pytest.raises(Invalid) as rejected:
        create_patient(north, PatientPost(facility=datim_id, pepfar_id=SHARED, sex="F"))
    assert str(other) not in f"{rejected.value.detail} {rejected.value.remedy} {rejected.value.errors}"


def test_of_some_patients_those_within_reach_remain(north, tenant, clinics):
    both = [patient for _, _, patient, _ in clinics]
    assert patients_within_reach(north, both) == {both[0]}
    with tenant_session(tenant, actor="test:1") as session:
        assert patients_within_reach(session, both) == set(both)


def test_a_reach_of_no_facility_reaches_nobody(tenant, clinics):
    for reach in (
        Reach(frozenset()),
        Reach(states=frozenset()),
        Reach(frozenset({clinics[0][1]}), frozenset({"South"})),
    ):
        with tenant_session(tenant, actor="test:2", reach=reach) as session:
            assert {count.count for count in read_statistics(session, None).tables} == {0}
            with pytest.raises(NotFound):
                find_patient(session, SHARED)
