"""Sessions that serve one of two facilities: the reports of that one, and the pairs whose patients are both there."""

from __future__ import annotations

from datetime import date
from uuid import uuid4

import pytest

from core.database import Reach, tenant_session
from core.errors import Invalid, NotFound
from core.web.paging import PageRequest
from tenants.quality import candidates, service
from tenants.quality.models import LinkageCandidate, QualityReport
from tenants.records.ids import new_uuid
from tenants.records.schemas import FacilityPost, PatientPost
from tenants.records.service import create_patient
from tenants.records.service_facilities import create_facility

PAIRS = PageRequest(sort=candidates.MOST_PROBABLE)
REPORTS = PageRequest(sort=service.NEWEST_FIRST)


@pytest.fixture
def tenant(make_tenant):
    return make_tenant().ref


@pytest.fixture
def clinics(tenant):
    """Two facilities, each with its DATIM id, its UUID and two patients."""
    clinics = []
    with tenant_session(tenant, actor="test:1") as session:
        for name in ("North", "South"):
            facility = create_facility(session, FacilityPost(datim_id=uuid4().hex[:11], name=name))
            body = PatientPost(facility=facility.datim_id, sex="F")
            patients = [
                create_patient(session, body.model_copy(update={"hospital_number": f"{name} {number}"})).id
                for number in (1, 2)
            ]
            clinics.append((facility.datim_id, facility.id, patients))
    return clinics


@pytest.fixture
def open_own(tenant, clinics):
    """Opens sessions that serve the first facility."""
    return lambda: tenant_session(tenant, actor="test:2", reach=Reach(frozenset({clinics[0][1]})))


def pair(tenant, *patients):
    first, second = sorted(patients)
    row = LinkageCandidate(
        uuid=new_uuid(), first_uuid=first, second_uuid=second, probability=0.9, evidence_hash=uuid4().hex,
        evidence={"agree": ["same phone"], "differ": [], "care": "unknown", "care_switches": 0},
    )  # fmt: skip
    with tenant_session(tenant, actor="test:1") as session:
        session.add(row)
    return row.uuid


def test_a_pair_is_there_where_both_patients_are_within_reach(tenant, clinics, open_own):
    (_, _, own), (_, _, others) = clinics
    shown = pair(tenant, *own)
    hidden = [pair(tenant, own[0], others[0]), pair(tenant, own[1], others[0]), pair(tenant, *others)]
    with open_own() as session:
        page = candidates.list_candidates(session, PAIRS, "pending")
        assert ([each.id for each in page.rows], page.total) == ([shown], 1)
        assert candidates.read_candidate(session, shown).id == shown
        for candidate_id in hidden:
            with pytest.raises(NotFound):
                candidates.read_candidate(session, candidate_id)
            with pytest.raises(NotFound):
                candidates.refuse_candidate(session, candidate_id, "two people")
        assert candidates.refuse_candidate(session, shown, "two people").state == "refused"
    with tenant_session(tenant, actor="test:1") as session:
        assert candidates.list_candidates(session, PAIRS, "pending").total == len(hidden)


def test_reports_are_those_of_facilities_within_reach(tenant, clinics, open_own):
    (datim_id, facility, _), (other_datim_id, other, _) = clinics
    run, rows = uuid4(), {}
    with tenant_session(tenant, actor="test:1") as session:
        for place in (None, facility, other):
            rows[place] = QualityReport(
                run_uuid=run, facility_uuid=place, definitions="1", score=77, dimensions={}, data_date=date(2026, 3, 31)
            )
            session.add(rows[place])
        session.flush()
        ids = {place: row.uuid for place, row in rows.items()}
        whole = service.read_report(session, ids[None])
        assert {each["facility"] for each in whole.facilities} == {datim_id, other_datim_id}
        assert [each["id"] for each in service.list_reports(session, REPORTS).rows] == [ids[None]]
        assert len(service.trend(session, facility=None, by="quarter")) == 1
    with open_own() as session:
        for facility_id in (None, datim_id):
            page = service.list_reports(session, REPORTS, facility=facility_id)
            assert ([each["id"] for each in page.rows], page.total) == ([ids[facility]], 1)
        assert service.read_report(session, ids[facility]).facility == datim_id
        for place in (None, other):
            with pytest.raises(NotFound):
                service.read_report(session, ids[place])
        assert service.trend(session, facility=None, by="quarter") == []
        assert len(service.trend(session, facility=datim_id, by="quarter")) == 1
        with pytest.raises(Invalid):
            service.trend(session, facility=other_datim_id, by="quarter")
