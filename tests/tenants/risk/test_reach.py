"""Sessions that serve one of two facilities: its people's risks and lists, with the counts of these alone."""

from __future__ import annotations

import csv
from uuid import uuid4

import pytest

from core.access.scope import Scope
from core.database import Reach, tenant_session
from core.errors import NotFound
from core.identity import Principal
from core.web.paging import PageRequest, Sort
from tenants.cohort.timelines import to_date
from tenants.risk import explain, list_files, presenting, repository, scoring, worklist, worklist_repository
from tests.tenants.risk.clinics import END, clinics
from tests.tenants.risk.conftest import opener, store

DAY = to_date(END)
COHORT = clinics(60, facilities=2)
NEWEST = PageRequest(1, 50, sort=Sort("issued_at", descending=True))
PEOPLE = PageRequest(1, 50, sort=worklist_repository.BY_FACILITY)


@pytest.fixture(scope="module")
def tenant(make_tenant):
    """A scored tenant of two facilities."""
    tenant = make_tenant().ref
    store(tenant, COHORT)
    scoring.score(tenant, opener(tenant), DAY)
    return tenant


@pytest.fixture(scope="module")
def own_facility():
    return COHORT.facilities()[0]


@pytest.fixture(scope="module")
def open_own(tenant, own_facility):
    """Opens sessions that serve the first facility."""
    reach = Reach(frozenset({own_facility}))
    return lambda: tenant_session(tenant, actor="test:2", reach=reach)


@pytest.fixture(scope="module")
def open_none(tenant):
    """Opens sessions that serve a facility of which nothing is known."""
    return lambda: tenant_session(tenant, actor="test:3", reach=Reach(frozenset({uuid4()})))


def issue(tenant, facility=None):
    with opener(tenant)() as session:
        order = worklist.order_for(session, "at_risk", DAY, capacity=100, due_within=365, facility=facility)
    return worklist.issue(tenant, opener(tenant), order)


def test_a_list_of_several_facilities_is_cut_with_its_totals(tenant, open_own, own_facility):
    list_id = issue(tenant)
    with opener(tenant)() as session:
        whole, part = worklist.read(session, list_id)
        everybody = part.rows
        assert (whole.entries, len(whole.facilities)) == (len(everybody), 2)
        own = [entry for entry in everybody if entry.facility_uuid == own_facility]
        named = {entry["facility_uuid"]: entry for entry in whole.facilities}[str(own_facility)]
    with open_own() as session:
        shown = presenting.detail(presenting.view(session, list_id, identities=True, paging=PEOPLE), PEOPLE)
        in_list = worklist_repository.list_worklists(session, NEWEST, as_of=None, kind=None).rows[0]
    assert 0 < len(own) < len(everybody)
    assert [person.patient_id for person in shown.people] == [entry.patient_uuid for entry in own]
    for head in (shown, in_list):
        assert (head.entries, head.candidates) == (len(own), named["candidates"])
        assert len(head.facilities) == 1
    with opener(tenant)() as session:
        assert worklist.read(session, list_id)[0].entries == len(everybody)


def test_the_file_of_a_list_has_the_people_within_reach(tenant, open_own, own_facility):
    list_id = issue(tenant)
    text = b"".join(list_files.pieces("csv", presenting.by_clinic(open_own, list_id, identities=False))).decode()
    rows = list(csv.DictReader(text.lstrip("\ufeff").splitlines()))
    own = {str(uuid) for uuid, place in zip(COHORT.uuids(), COHORT.facility, strict=True) if place == 0}
    assert rows
    assert {row["patient_id"] for row in rows} <= own


def test_a_list_of_another_facility_is_not_there(tenant, open_own, open_none, own_facility):
    (other,) = set(COHORT.facilities()) - {own_facility}
    for list_id, opens in ((issue(tenant, other), open_own), (issue(tenant, own_facility), open_none)):
        with opens() as session:
            rows = worklist_repository.list_worklists(session, NEWEST, as_of=None, kind=None).rows
            assert list_id not in [row.uuid for row in rows]
            with pytest.raises(NotFound):
                worklist.read(session, list_id)
    with open_own() as session:
        assert worklist.read(session, issue(tenant, own_facility))[1].rows


def test_names_are_those_of_patients_within_reach(tenant, open_own):
    from tenants.risk.identities import identities_of

    with open_own() as session:
        named = set(identities_of(session, COHORT.uuids()))
        facts = repository.facility_facts(session)
    assert named == {uuid for uuid, place in zip(COHORT.uuids(), COHORT.facility, strict=True) if place == 0}
    assert [fact["uuid"] for fact in facts] == [COHORT.facilities()[0]]


def test_the_risk_of_a_patient_of_another_facility_is_not_there(tenant, own_facility):
    places = dict(zip(COHORT.facility.tolist(), COHORT.uuids(), strict=True))
    key = ("person", "1", tenant.id, frozenset({"risk.read"}))
    own, whole = Principal(*key, facility_ids=frozenset({own_facility})), Principal(*key)

    def explained(principal, patient):
        scope = Scope(principal, tenant, "1")  # a new one each time: an old one asks whether the credential is valid
        return explain.explain(tenant, scope.session, str(patient), DAY, by=scope.by_at_once).patient_id

    assert [explained(whole, patient) for patient in places.values()] == list(places.values())
    assert explained(own, places[0]) == places[0]
    with pytest.raises(NotFound):
        explained(own, places[1])
