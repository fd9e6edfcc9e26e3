"""Assignments: only to who can follow the patient; Today shows mine and nobody's."""

from uuid import UUID, uuid4

import pytest

from core.database import platform_session, tenant_session
from core.identity.people import members
from tenants.followup.today import read_today
from tests.tenants.followup.scored import scored


@pytest.fixture
def world(application, client_for, make_tenant):
    """A tenant with three people at risk at two clinics: its reference, a client, and their identifiers."""
    owner = make_tenant()
    client = client_for(application, owner.api_key)
    return owner.ref, client, scored(owner.ref, client, to_trace=0, clinics=2)["at_risk"]


@pytest.fixture
def colleague(world):
    """Adds a person: ``colleague(role, facilities=[...])``; an ``invited`` one has not come yet."""

    def add(role="case_manager", *, invited=False, **scope):
        tenant = world[0]
        grant = members.Grant([role], **scope)
        person = members.add_member(tenant, f"{uuid4().hex[:10]}@example.org", role, grant, actor="test:1")
        if not invited:
            with platform_session() as session:
                members.accept(session, person, tenant.id)
        return str(person)

    return add


def assign(client, patient, person):
    return client.put(f"/v1/assignments/{patient}", json={"person_id": person})


def listed(tenant, **options):
    work = read_today(tenant, lambda: tenant_session(tenant, actor="test:1"), "at_risk", **options)
    assert work.waiting("at_risk") == len(work.people)
    return {str(card.patient_id) for card in work.people}


def test_a_patient_is_assigned_reassigned_and_left_to_all(world, colleague):
    _, client, (patient, *_) = world
    first, second = colleague(), colleague("tracking_officer")
    assert client.get(f"/v1/assignments/{patient}").status_code == 404
    for person in (first, second, second):
        assert assign(client, patient, person).status_code == 200
        assert client.get(f"/v1/assignments/{patient}").json()["person_id"] == person
    assert [client.delete(f"/v1/assignments/{patient}").status_code for _ in range(2)] == [204, 204]
    assert client.get(f"/v1/assignments/{patient}").status_code == 404


def test_mine_are_those_assigned_to_me_or_to_nobody(world, colleague):
    tenant, client, (mine, theirs, nobodys) = world
    me, other = colleague(), colleague()
    assign(client, mine, me)
    assign(client, theirs, other)
    assert listed(tenant) == {mine, theirs, nobodys}
    assert listed(tenant, mine=UUID(me)) == {mine, nobodys}
    assert listed(tenant, mine=UUID(other)) == {theirs, nobodys}


def test_only_who_records_attempts_and_reaches_the_clinic_can_be_chosen(world, colleague):
    tenant, client, (patient, elsewhere, *_) = world
    with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
        rows = cursor.execute(
            "SELECT p.uuid::text, f.datim_id FROM patients p JOIN facilities f ON f.uuid = p.facility_uuid"
        ).fetchall()
    place = dict(rows)
    assert place[patient] != place[elsewhere]
    reaches_it, reaches_another = colleague(facilities=[place[patient]]), colleague(facilities=[place[elsewhere]])
    viewer, invited, reaches_all = colleague("viewer"), colleague(invited=True), colleague()
    names = client.get(f"/v1/assignments/{patient}/assignees").json()
    assert {each["id"] for each in names} == {reaches_it, reaches_all}
    for person in (reaches_another, viewer, invited, str(uuid4())):
        answer = assign(client, patient, person)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.person_id")
    assert assign(client, patient, reaches_it).status_code == 200


def follower(client, patient):
    return client.get(f"/v1/assignments/{patient}").json().get("person_id")


def test_the_survivor_of_a_merge_keeps_who_follows_and_an_unmerge_returns_it(world, colleague):
    _, client, (merged, survivor, third) = world
    me, other = colleague(), colleague()
    assign(client, merged, me)
    client.post(f"/v1/patients/{merged}/merge", json={"canonical_id": survivor, "reason": "one person"})
    assert (follower(client, merged), follower(client, survivor)) == (None, me)
    client.post(f"/v1/patients/{survivor}/merge", json={"canonical_id": third, "reason": "one person"})
    assert (follower(client, survivor), follower(client, third)) == (None, me)
    client.post(f"/v1/patients/{survivor}/unmerge", json={"reason": "twins"})
    client.post(f"/v1/patients/{merged}/unmerge", json={"reason": "twins"})
    assert [follower(client, patient) for patient in (merged, survivor, third)] == [me, None, None]
    # A choice that was made for the survivor stays with the survivor.
    client.post(f"/v1/patients/{merged}/merge", json={"canonical_id": survivor, "reason": "one person"})
    assign(client, survivor, other)
    client.post(f"/v1/patients/{merged}/unmerge", json={"reason": "twins"})
    assert (follower(client, merged), follower(client, survivor)) == (None, other)


def test_who_follows_the_survivor_already_stays(world, colleague):
    _, client, (merged, survivor, _third) = world
    me, other = colleague(), colleague()
    assign(client, merged, me)
    assign(client, survivor, other)
    client.post(f"/v1/patients/{merged}/merge", json={"canonical_id": survivor, "reason": "one person"})
    assert (follower(client, merged), follower(client, survivor)) == (None, other)


def test_each_change_is_in_the_audit_with_identifiers_alone(world, colleague):
    tenant, client, (patient, *_) = world
    person = colleague()
    assign(client, patient, person)
    assign(client, patient, person)
    client.delete(f"/v1/assignments/{patient}")
    with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
        rows = cursor.execute(
            "SELECT action, subject_uuid::text, detail->>'person' FROM audit_events"
            " WHERE action LIKE 'followup:patient:%%' ORDER BY event_id"
        ).fetchall()
    assert rows == [("followup:patient:assign", patient, person), ("followup:patient:unassign", patient, person)]
